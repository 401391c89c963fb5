"""Adjacency lists of NetworkX: a line for each node with its neighbours, or a line for each neighbour."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from nodeloom.errors import DataError, describe
from nodeloom.io.collector import EdgeCollector
from nodeloom.io.formats.elements import hand_over
from nodeloom.io.formats.gathered import Gathered
from nodeloom.io.formats.text import text_of
from nodeloom.io.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeloom.io.edge_format import EdgeFormat

_LONGEST = 10_000  # characters of the attributes of an edge


def read_adjlist(source: Source, collector: EdgeCollector, form: EdgeFormat) -> None:
    """Hand an adjacency list to a collector: of every line, edges from its first name to each other one.

    Raises
    ------
    DataError
        It is no text, or holds no edges.
    """
    gathered = Gathered(source.name, form)
    for _, tokens in _lines(source, form):
        _meet(gathered, tokens)
        for neighbor in tokens[1:]:
            gathered.add_edge(tokens[0], neighbor, None, form.directed)
    hand_over(gathered.finish(), source, collector, form)


def read_multiline_adjlist(source: Source, collector: EdgeCollector, form: EdgeFormat) -> None:
    """Hand a multi-line adjacency list to a collector: after a line ``node count`` a line ``neighbor {...}`` for each neighbor.

    Raises
    ------
    DataError
        A line is missing or wrong, or a weight is.
    """
    gathered = Gathered(source.name, form)
    lines = _lines(source, form, at_most=1)
    for number, tokens in lines:
        where = f"{source.name}:{number}"
        if len(tokens) != 2 or not (tokens[1].isdecimal() and len(tokens[1]) < 10):
            raise DataError(describe(where, expected="'node number_of_neighbors'", got=" ".join(tokens)))
        node, count = tokens[0], int(tokens[1])
        _meet(gathered, [node])
        for _ in range(count):
            number, neighbor = next(lines, (number, []))
            if not neighbor:
                raise DataError(
                    describe(
                        f"{source.name}:{number}", expected=f"{count} neighbors of {node}", got="the end of the file"
                    )
                )
            _meet(gathered, neighbor[:1])
            data = _attributes(neighbor[1], f"{source.name}:{number}") if len(neighbor) > 1 else {}
            gathered.add_edge(node, neighbor[0], data.get(gathered.attribute), form.directed)
    hand_over(gathered.finish(), source, collector, form)


def _lines(source: Source, form: EdgeFormat, at_most: int = -1) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the tokens of each line that has any."""
    delimiter = None if not form.delimiters.strip() else form.delimiters.strip()[0]
    for number, line in enumerate(text_of(source, form.encoding).split("\n"), 1):
        if form.comment:
            line = line.partition(form.comment)[0]
        tokens = [token.strip() for token in line.strip().split(delimiter, at_most)]
        tokens = [token for token in tokens if token]
        if tokens:
            yield number, tokens


def _meet(gathered: Gathered, names: list[str]) -> None:
    for name in names:
        if name not in gathered:
            gathered.add_node(name)


def _attributes(text: str, where: str) -> dict[str, Any]:
    """Return the attributes of an edge, which NetworkX writes as Python does."""
    try:
        value = ast.literal_eval(text) if len(text) <= _LONGEST else None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise DataError(describe(where, expected="'neighbor {...}' with attributes as Python writes them", got=text))
    return value
