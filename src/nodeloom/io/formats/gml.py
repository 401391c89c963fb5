"""GML: nested lists of keys and values, of which nodes and edges are taken."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nodeloom.errors import DataError
from nodeloom.io.collector import EdgeCollector
from nodeloom.io.formats.elements import hand_over
from nodeloom.io.formats.gathered import Gathered
from nodeloom.io.formats.text import text_of
from nodeloom.io.source import Source
from nodeloom.log import logger
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.io.edge_format import EdgeFormat

_TOKEN = re.compile(
    r'"(?P<text>[^"]*)"|(?P<open>\[)|(?P<close>\])|(?P<comment>(?<![^\n])[ \t]*#[^\n]*)|(?P<word>[^\s\[\]"]+)|(?P<odd>\S)'
)


def read_gml(source: Source, collector: EdgeCollector, form: EdgeFormat) -> None:
    """Hand a graph in GML to a collector; nodes are named by their labels where all have one and these differ, else by ids.

    Raises
    ------
    DataError
        It is damaged, holds no or several graphs, or an edge cannot be used.
    """
    gathered = Gathered(source.name, form)
    graph: dict[str, str] = {}
    weight = gathered.attribute
    num_edge = num_graph = num_value = 0
    for path, record in _records(text_of(source, form.encoding), source.name):
        if num_graph and path[0] == "graph":
            raise DataError(f"{source.name}: expected one graph, got a second one. Write each to a file of its own.")
        if path == ["graph", "node"]:
            label = record.get("label")
            gathered.add_node(record.get("id"), None if label is None else html.unescape(label))
        elif path == ["graph", "edge"]:
            num_edge += 1
            num_value += "value" in record and weight not in record
            gathered.add_edge(record.get("source"), record.get("target"), record.get(weight), False)
        elif path == ["graph"]:
            graph, num_graph = record, num_graph + 1
    if not num_graph:
        raise DataError(f"{source.name}: expected a graph in GML, got none.")
    if graph.get("directed", "0") == "1":
        gathered.direct()
    if form.columns is None and form.weighted == "auto" and num_value == num_edge > 0:
        logger.warning(
            "%s is read without weights: edges have a value. If that is their weight, give %s.",
            source.name,
            setting("graph.columns", ["source", "target", "value"]),
        )
    hand_over(gathered.finish(), source, collector, form)


def _records(text: str, where: str) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Yield the path and the plain values of every list, when it ends."""
    path: list[str] = []
    records: list[dict[str, str]] = [{}]
    key = ""
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "comment":
            continue
        if kind == "open" and key:
            path.append(key)
            records.append({})
            key = ""
        elif kind == "close" and path and not key:
            yield path, records.pop()
            path.pop()
        elif kind == "word" and not key:
            key = token["word"]
        elif kind in ("word", "text") and key:
            # The first of a key that is there again: networkx writes lists in this way.
            records[-1].setdefault(key, token[kind])
            key = ""
        else:
            raise _damaged(where, text, token.start(), token[0])
    if path or key:
        raise _damaged(where, text, len(text), "the end of the file")


def _damaged(where: str, text: str, at: int, got: str) -> DataError:
    line = text.count("\n", 0, at) + 1
    return DataError(f"{where}:{line}: expected keys, values and closed brackets of GML, got {got[:60]!r}.")
