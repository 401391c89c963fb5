"""Pajek: vertices by number with labels, then edges and arcs as pairs, lists or a matrix."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nodeloom.errors import DataError, describe
from nodeloom.io.collector import EdgeCollector
from nodeloom.io.formats.elements import Elements, hand_over
from nodeloom.io.formats.gathered import Gathered
from nodeloom.io.formats.text import text_of
from nodeloom.io.source import Source

if TYPE_CHECKING:
    from nodeloom.io.edge_format import EdgeFormat

_TOKEN = re.compile(r'"([^"]*)"|(\S+)')
_SKIPPED = ("partition", "vector", "permutation", "cluster", "hierarchy", "events")
_KINDS = ("vertices", "arcslist", "edgeslist", "arcs", "edges", "matrix", "network")


def read_pajek(source: Source, collector: EdgeCollector, form: EdgeFormat) -> None:
    """Hand a network of Pajek to a collector; nodes are named by their labels where these differ, else by numbers.

    Weights that are all 1 are what Pajek writes where there are none.

    Raises
    ------
    DataError
        It is damaged, holds several networks, or an edge cannot be used.
    """
    network = _Network(source.name, form)
    for number, line in enumerate(text_of(source, form.encoding).split("\n"), 1):
        line = line.strip()
        if line and not line.startswith(("%", "/*")):
            network.take(line, number)
    hand_over(network.finish(), source, collector, form)


class _Network:
    def __init__(self, where: str, form: EdgeFormat) -> None:
        self._where = where
        self._line = 0
        self._gathered = Gathered(where, form)
        self._section = ""
        self._num_nodes = -1
        self._labels: dict[int, str] = {}
        self._edges: list[tuple[int, int, str | None, bool]] = []
        self._row = 0

    def take(self, line: str, number: int) -> None:
        self._line = number
        if line.startswith("*"):
            self._begin(line)
            return
        tokens = [text or word for text, word in _TOKEN.findall(line)]
        if self._section == "vertices":
            node = self._node(tokens[0])
            if len(tokens) > 1:
                self._labels[node] = tokens[1]
        elif self._section in ("arcs", "edges"):
            if len(tokens) < 2:
                raise self._wrong("'head tail [weight]'", line)
            weight = tokens[2] if len(tokens) > 2 else None
            self._edges.append((self._node(tokens[0]), self._node(tokens[1]), weight, self._section == "arcs"))
        elif self._section in ("arcslist", "edgeslist"):
            head = self._node(tokens[0])
            self._edges += [(head, self._node(t), None, self._section == "arcslist") for t in tokens[1:]]
        elif self._section == "matrix":
            self._take_row(tokens, line)
        elif self._section != "skipped":
            raise self._wrong("*Vertices, *Edges or *Arcs of Pajek", line)

    def _begin(self, line: str) -> None:
        words = line[1:].split()
        kind = words[0].lower() if words else ""
        if self._section == "skipped" and kind == "vertices":  # of a partition or vector
            return
        if kind in _SKIPPED:
            self._section = "skipped"
            return
        if kind not in _KINDS:
            raise self._wrong("a section of a network of Pajek", line)
        if kind == "vertices":
            if self._num_nodes >= 0:
                raise self._wrong("one network", "a second one", "Write each to a file of its own.")
            if len(words) < 2 or not words[1].isdecimal():
                raise self._wrong("the number of vertices", line)
            self._num_nodes = int(words[1])
        elif kind != "network" and self._num_nodes < 0:
            raise self._wrong("*Vertices before edges", line)
        self._section = "" if kind == "network" else kind

    def _take_row(self, tokens: list[str], line: str) -> None:
        self._row += 1
        if len(tokens) != self._num_nodes or self._row > self._num_nodes:
            raise self._wrong(f"{self._num_nodes} rows of {self._num_nodes} numbers", line)
        for column, value in enumerate(tokens, 1):
            if value.strip("0.") != "":
                self._edges.append((self._row, column, value, True))

    def _node(self, text: str) -> int:
        node = int(text) if text.isdecimal() and len(text) < 12 else 0
        if not 1 <= node <= self._num_nodes:
            raise self._wrong(f"the number of a vertex from 1 to {self._num_nodes}", text)
        return node

    def _wrong(self, expected: str, got: str, hint: str = "") -> DataError:
        return DataError(describe(f"{self._where}:{self._line}", expected=expected, got=got, hint=hint))

    def finish(self) -> Elements:
        most = 100_000 + 100 * len(self._edges)
        if not 0 <= self._num_nodes <= most:
            raise DataError(
                describe(self._where, expected="a number of vertices that fits its edges", got=self._num_nodes)
            )
        for node in range(1, self._num_nodes + 1):
            self._gathered.add_node(str(node), self._labels.get(node))
        for head, tail, weight, directed in self._edges:
            self._gathered.add_edge(str(head), str(tail), weight, directed)
        return self._gathered.finish(ones_are_none=True)
