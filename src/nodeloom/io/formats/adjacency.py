"""Adjacency lists, by NetworkX: a line for each node with its neighbors, or a line for each neighbor."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nodeloom.errors import DataError, describe
from nodeloom.io.formats.library import check_lines, hand_over_graph, networkx_reading, text_of

if TYPE_CHECKING:
    from nodeloom.io.collector import EdgeCollector
    from nodeloom.io.edge_format import EdgeFormat
    from nodeloom.io.source import Source


def read_adjlist(source: Source, collector: EdgeCollector, form: EdgeFormat) -> None:
    """Hand an adjacency list to a collector: of every line, edges from its first name to each other one.

    Raises
    ------
    DataError
        It is no text, or holds no edges.
    """
    lines, delimiter = _lines(source, collector, form)
    with networkx_reading(source.name, "adjacency lists") as networkx:
        graph = networkx.parse_adjlist(
            lines,
            comments="\n",  # there are none any more
            delimiter=delimiter,
            create_using=networkx.MultiDiGraph if form.directed else networkx.MultiGraph,
        )
    hand_over_graph(graph, None, source, collector, form)


def read_multiline_adjlist(source: Source, collector: EdgeCollector, form: EdgeFormat) -> None:
    """Hand a multi-line adjacency list to a collector: after a line ``node count`` a line ``neighbor {...}`` for each neighbor.

    Raises
    ------
    DataError
        A line is missing or wrong, or a weight is.
    """
    lines, delimiter = _lines(source, collector, form, at_most=1)
    check_lines(lines, source.name)
    with networkx_reading(source.name, "adjacency lists") as networkx:
        graph = networkx.parse_multiline_adjlist(
            iter(lines),
            comments="\n",
            delimiter=delimiter,
            create_using=networkx.MultiDiGraph if form.directed else networkx.MultiGraph,
        )
    # It takes no data where it cannot understand them.
    expected = sum("{" in line and re.search(r"\{\s*\}$", line) is None for line in lines)
    got = sum(bool(data) for *_, data in graph.edges(data=True))
    if expected != got:
        raise DataError(
            describe(
                source.name,
                expected=f"'neighbor {{...}}' with attributes as Python writes them in {expected} lines",
                got=f"{got} that NetworkX can read",
            )
        )
    hand_over_graph(graph, None, source, collector, form)


def _lines(source: Source, collector: EdgeCollector, form: EdgeFormat, at_most: int = 0) -> tuple[list[str], str]:
    """Return lines without comments and empty names, and the delimiter that is between their names now.

    NetworkX takes what stands before a sign of comments in the middle of a name, fails at blank lines, and keeps blanks
    around names.
    """
    delimiter = form.delimiters.strip()[:1]
    cut = re.compile(re.escape(delimiter) if delimiter else "[ \t]+")
    comment = re.compile(rf"(?:^|(?<=[\s{re.escape(delimiter)}])){re.escape(form.comment)}.*") if form.comment else None
    lines = []
    for line in text_of(source, collector, "adjacency lists", form.encoding).split("\n"):
        kept = line if comment is None else comment.sub("", line)
        names = [name for part in cut.split(kept.strip(" \t"), at_most) if (name := part.strip(" \t"))]
        if names:
            lines.append((delimiter or "\t").join(names))
    return lines, delimiter or "\t"
