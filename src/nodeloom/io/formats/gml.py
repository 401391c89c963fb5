"""GML, by NetworkX: nested lists of keys and values, of which nodes and edges are taken."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nodeloom.errors import DataError, describe
from nodeloom.io.formats.library import hand_over_graph, labels_of, networkx_reading, text_of

if TYPE_CHECKING:
    from nodeloom.io.collector import EdgeCollector
    from nodeloom.io.edge_format import EdgeFormat
    from nodeloom.io.source import Source

START = r'(?:\s*(?:#[^\n]*\n|[A-Za-z]\w*\s+(?:"[^"]*"|[^\s"\[\]]+)(?=\s)))*?\s*graph\s*\['
"""A regular expression of what stands before the nodes and edges."""

_START = re.compile(START)
# What NetworkX takes very long for: numbers of one hash, which are far apart, and keys that fill the places of edges without.
_HUGE = re.compile(r"\b(?:id|source|target)\s+[+-]?(\d{21,})")
_MOST_STEPS = 100_000_000


def read_gml(source: Source, collector: EdgeCollector, form: EdgeFormat) -> None:
    """Hand a graph in GML to a collector; nodes are named by their labels where all have one and these differ, else by ids.

    Raises
    ------
    DataError
        It is damaged, holds no or several graphs, or an edge cannot be used.
    """
    text = text_of(source, collector, "GML", form.encoding)
    _check_cost(text, source.name)
    start = _START.match(text)
    if start is not None:
        # Edges that are there again are refused without; most programs write none, and files that have both are many.
        text = f"{text[: start.end()]} multigraph 1 {text[start.end() :]}"
    # A quotation mark in a comment is none.
    lines = ["" if line.lstrip().startswith("#") else line for line in text.split("\n")]
    del text
    with networkx_reading(source.name, "GML") as networkx:
        graph = networkx.parse_gml(lines, label="id")
    nested = next(
        (key for key in ("graph", "node", "edge") if any(key in data for _, data in graph.nodes(data=True))), None
    )
    if "graph" in graph.graph or nested:
        expected = "nodes and edges in one list of the graph"
        raise DataError(describe(source.name, expected=expected, got=f"{nested or 'graph'} within another list"))
    hand_over_graph(graph, labels_of(graph, source.name), source, collector, form)


def _check_cost(text: str, where: str) -> None:
    """Refuse what makes NetworkX take a time that grows with the square of the file.

    Raises
    ------
    DataError
    """
    huge = _HUGE.search(text)
    if huge is not None:
        raise DataError(describe(where, expected="ids of at most 20 digits", got=huge[1]))
    num_key = len(re.findall(r"\bkey\s", text))
    if not num_key:
        return
    num_edge, in_edges, in_nodes = (
        len(re.findall(pattern, text))
        for pattern in (r"\bedge\s*\[", r"\bedge\s*\[[^\[\]]*?\bkey\s", r"\bnode\s*\[[^\[\]]*?\bkey\s")
    )
    if (num_key - in_nodes) * (num_edge - in_edges) > _MOST_STEPS:
        got = f"{num_edge - in_edges} of {num_edge} edges without"
        raise DataError(describe(where, expected="a key at every edge, or at none", got=got, hint="Take the keys out."))
