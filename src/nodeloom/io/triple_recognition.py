"""Whether a file holds triples of a knowledge graph: told by its first lines, and only where these can be nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nodeloom.errors import NodeloomError
from nodeloom.io.cells import COMMENT, cut, is_number
from nodeloom.io.columns import find_pair, word
from nodeloom.io.edge_format import EdgeFormat
from nodeloom.io.formats.recognise import reader_of
from nodeloom.io.layout import Line, sample_of
from nodeloom.io.separation import find_delimiters
from nodeloom.io.source import line_blocks, open_source
from nodeloom.io.triple_format import TripleFormat

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nodeloom.io.source import Source

# What a column of relations is called, and a column of a list of edges hardly.
_RELATION = {"relation", "relations", "rel", "relationship", "predicate", "pred", "property", "edgetype"}
_ALIKE = 0.9  # of the lines have three columns


def holds_triples(path: str | Path, *, encoding: str = "utf-8") -> bool:
    """Tell whether a file holds triples: RDF, a table with a column of relations, or lines of three columns, the third no number.

    Such lines are refused as a list of edges. A list of edges with weights, an adjacency list and relationships of Neo4j, which can be
    read as edges as well, are not taken for triples. A pipe is not looked at: what is read from it is gone.

    Parameters
    ----------
    path : str or Path
        The file, also compressed.
    encoding : str
        The encoding of text.
    """
    if not os.path.isfile(path):  # noqa: PTH113  pathlib raises OSError for names that are too long
        return False
    try:
        with open_source(path) as source:
            return _holds(source, encoding)
    except (NodeloomError, UnicodeError):
        return False  # the reader says why


def _holds(source: Source, encoding: str) -> bool:
    form = TripleFormat(encoding=encoding)
    if source.kind != "text":
        return _has_relations(_columns(source))
    reader = reader_of(source, form)
    if reader is not None:
        return reader.__name__ != "read_neo4j"
    if reader_of(source, EdgeFormat(encoding=encoding)) is not None:
        return False
    _, lines, _ = sample_of(line_blocks(source, encoding), COMMENT)
    return _are_triples(lines, source.name)


def _columns(source: Source) -> list[str]:
    """Return the names of the columns of a Parquet or Arrow file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if source.kind == "parquet":
            return list(pq.read_schema(source.stream).names)
        opener = pa.ipc.open_file if source.kind == "arrow" else pa.ipc.open_stream
        return list(opener(source.stream).schema.names)
    except (pa.ArrowException, OSError):
        return []


def _has_relations(names: Sequence[str]) -> bool:
    pair = find_pair(names)
    return pair is not None and any(word(name) in _RELATION for i, name in enumerate(names) if i not in pair)


def _are_triples(lines: Sequence[Line], where: str) -> bool:
    if not lines:
        return False
    delimiters = find_delimiters([line.text for line in lines], COMMENT, where, lines[0].number, num_name=3)
    rows = [cut(line.text, delimiters, COMMENT, 3, quotes=delimiters != "\t") for line in lines]
    if _has_relations(rows[0]) or find_pair(rows[0]) is not None:
        return _has_relations(rows[0])
    whole = [row for row in rows if len(row) == 3 and all(row)]
    return len(whole) >= _ALIKE * len(rows) and not any(is_number(row[2]) for row in whole)
