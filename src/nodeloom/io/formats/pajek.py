"""Pajek, section by section, by NetworkX: vertices by number with labels, then edges and arcs as pairs, lists or a matrix.

NetworkX takes all lines behind ``*Edges`` for edges, whatever section they are in, and makes one node of vertices of one
label. So it gets the lines of one section at a time, and nodes are numbers until all edges are there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.errors import DataError, describe
from nodeloom.io.formats.elements import tell_of_direction
from nodeloom.io.formats.library import (
    check_lines,
    check_room,
    hand_over_graph,
    networkx_reading,
    text_of,
    unique_labels,
)
from nodeloom.log import logger

if TYPE_CHECKING:
    import networkx

    from nodeloom.io.collector import EdgeCollector
    from nodeloom.io.edge_format import EdgeFormat
    from nodeloom.io.source import Source

_SKIPPED = ("partition", "vector", "permutation", "cluster", "hierarchy", "events", "network")
_EDGES = {"edges": False, "edgeslist": False, "arcs": True, "arcslist": True, "matrix": True}  # whether directed
# Bytes of memory, measured: of a vertex that only a number announces, and of an edge until it is handed over.
_PER_NODE, _PER_EDGE, _PER_ARC = 420, 1100, 2400
_HINT = "Open it in Pajek and save it again, or give its edges as a list."


def read_pajek(source: Source, collector: EdgeCollector, form: EdgeFormat) -> None:
    """Hand a network of Pajek to a collector; nodes are named by their labels where these differ, else by numbers.

    Weights that are all 1 are what Pajek writes where there are none.

    Raises
    ------
    DataError
        It is damaged, holds several networks, or an edge cannot be used.
    """
    where = source.name
    text = text_of(source, collector, "Pajek", form.encoding)
    num_node, vertices, sections = _sections(text, where)
    del text
    num_edge = sum(_num_edge(kind, lines) for kind, lines in sections)
    need = _PER_NODE * num_node + (_PER_ARC if form.directed else _PER_EDGE) * num_edge
    check_room(need, f"{num_node:,} vertices and {num_edge:,} edges", collector, where)
    numbers = [str(i) for i in range(1, num_node + 1)]
    with networkx_reading(where, "Pajek") as nx:
        _check_numbers(vertices, numbers, where)
        for kind, lines in sections:
            if kind.endswith("list"):
                _check_numbers(lines, numbers, where)
        labels = _labels(nx, vertices, numbers, where)
        parts = [_edges(nx, kind, lines, numbers, where) for kind, lines in sections]
        directed = any(part.is_directed() for part in parts)
        graph = nx.MultiDiGraph() if directed and form.directed else nx.MultiGraph()
        graph.add_nodes_from(numbers)
        while parts:
            part = parts.pop(0)
            graph.add_edges_from((part.to_directed() if graph.is_directed() else part).edges(data=True))
    undeclared = next((node for node in list(graph)[num_node:]), None)
    if undeclared is not None:
        raise DataError(
            describe(where, expected=f"the number of a vertex from 1 to {num_node}", got=undeclared, hint=_HINT)
        )
    if directed and not form.directed:
        tell_of_direction(source)
    hand_over_graph(graph, labels, source, collector, form, ones_are_none=True)


def _sections(text: str, where: str) -> tuple[int, list[str], list[tuple[str, list[str]]]]:
    """Return the number of vertices, their lines, and kind and lines of every section of edges that has any."""
    num_node, vertices, sections, kind = -1, [], [], ""
    kept: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if not line or line.startswith(("%", "/*")):
            continue
        if not line.startswith("*"):
            kept.append(line)
            continue
        place, words = f"{where}:{number}", line[1:].split()
        before, kind = kind, words[0].lower() if words else ""
        kept = []
        if kind == "vertices" and before in _SKIPPED and num_node >= 0:  # of a partition or vector
            kind = before
        elif kind == "vertices":
            if num_node >= 0:
                hint = "Write each to a file of its own."
                raise DataError(describe(place, expected="one network", got="a second one", hint=hint))
            if len(words) < 2 or not (words[1].isdecimal() and len(words[1]) < 12):
                raise DataError(describe(place, expected="the number of vertices", got=line))
            num_node, vertices = int(words[1]), kept
        elif kind in _EDGES:
            if num_node < 0:
                raise DataError(describe(place, expected="*Vertices before edges", got=line))
            sections.append((kind, kept))
        elif kind not in _SKIPPED:
            raise DataError(describe(place, expected="a section of a network of Pajek", got=line))
    sections = [(kind, lines) for kind, lines in sections if lines]
    num_line = len(vertices) + sum(len(lines) for _, lines in sections)
    if not 0 <= num_node <= 100_000 + 100 * num_line:
        raise DataError(describe(where, expected="a number of vertices that fits its edges", got=num_node))
    check_lines(
        [line for lines in (vertices, *(lines for kind, lines in sections if kind != "matrix")) for line in lines],
        where,
    )
    return num_node, vertices, sections


def _num_edge(kind: str, lines: list[str]) -> int:
    if kind == "matrix":
        return sum(number not in ("0", "0.0") for line in lines for number in line.split())
    return sum(len(line.split()) - 1 for line in lines) if kind.endswith("list") else len(lines)


def _check_numbers(lines: list[str], numbers: list[str], where: str) -> None:
    """Refuse lines of one word that is not the number of a vertex: of these nothing is read."""
    wrong = {line for line in lines if len(line.split(None, 1)) == 1} - set(numbers)
    if wrong:
        raise DataError(
            describe(where, expected=f"the number of a vertex from 1 to {len(numbers)}", got=min(wrong), hint=_HINT)
        )


def _labels(nx: Any, lines: list[str], numbers: list[str], where: str) -> list[str] | None:
    """Return the labels of all vertices in the order of their numbers, or None if they cannot be names."""
    named = [line for line in lines if len(line.split()) > 1]
    if not named:
        return None
    graph = nx.parse_pajek([f"*Vertices {len(named)}", *named])
    changed = next((label for label, line in zip(graph, named, strict=False) if label not in line), None)
    if len(graph) < len(named):
        logger.warning("%s: nodes are named by their ids, because labels are there more than once.", where)
        return None
    if changed is not None:
        raise DataError(
            describe(where, expected="labels without backslashes, and quotes around all of them", got=changed)
        )
    found = {data["id"]: label for label, data in graph.nodes(data=True)}
    known = set(numbers)
    wrong = next((number for number in found if number not in known), None)
    if wrong is not None or len(found) < len(named):
        expected = f"each vertex from 1 to {len(numbers)} once"
        raise DataError(describe(where, expected=expected, got=wrong or "one that is there again", hint=_HINT))
    return unique_labels([found.get(number) for number in numbers], where)


def _edges(nx: Any, kind: str, lines: list[str], numbers: list[str], where: str) -> networkx.Graph:
    """Return the edges of one section, between numbers as text."""
    if kind == "matrix":
        matrix = np.loadtxt(lines, comments=None, ndmin=2)
        if matrix.shape != (len(numbers),) * 2:
            expected = f"{len(numbers)} rows of {len(numbers)} numbers"
            raise DataError(describe(where, expected=expected, got=list(matrix.shape), hint=_HINT))
        graph = nx.MultiDiGraph()
        graph.add_weighted_edges_from((numbers[i], numbers[j], matrix[i, j]) for i, j in np.argwhere(matrix))
        return graph
    if kind.endswith("list"):  # NetworkX would take the third number of a line for a weight
        lines = [f"{ends[0]} {tail}" for ends in map(str.split, lines) for tail in ends[1:]]
    graph = nx.parse_pajek(["*Vertices 0", "*Arcs" if _EDGES[kind] else "*Edges", *lines])
    if graph.number_of_edges() != len(lines):
        raise DataError(
            describe(
                where,
                expected=f"{len(lines)} lines 'head tail [weight]'",
                got=f"{graph.number_of_edges()} edges",
                hint=_HINT,
            )
        )
    # NetworkX leaves out weights that are no numbers.
    num_weight = sum(len(line.split(None, 3)) > 2 for line in lines)
    there = sum("weight" in data for *_, data in graph.edges(data=True))
    if there != num_weight:
        raise DataError(describe(where, expected=f"{num_weight} numbers as weights", got=f"{there}", hint=_HINT))
    return graph
