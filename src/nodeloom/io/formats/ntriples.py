"""N-Triples and N-Quads, read block by block with regular expressions of Arrow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from nodeloom.errors import DataError, describe
from nodeloom.io.source import line_blocks
from nodeloom.log import logger
from nodeloom.words import setting

if TYPE_CHECKING:
    import pyarrow as pa

    from nodeloom.io.source import Source
    from nodeloom.io.triple_format import TripleFormat
    from nodeloom.io.triples import TripleCollector

_IRI = r"<[^<>\"{}|^`\x00-\x20]*>"
_BLANK = r"_:[^\s<>\"]*[^\s<>\".]"
_LITERAL = r'"(?:[^"\\]|\\.)*"(?:@[A-Za-z0-9-]+|\^\^<[^<>\s]*>)?'
_LINE = (
    rf"^[ \t]*(?P<head>{_IRI}|{_BLANK})[ \t]*(?P<relation>{_IRI})[ \t]*(?P<tail>{_IRI}|{_BLANK}|{_LITERAL})"
    rf"(?:[ \t]*(?:{_IRI}|{_BLANK}))?[ \t]*\.[ \t]*(?:#.*)?$"
)
_NOTHING = r"^[ \t]*(?:#.*)?$"
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")


def read_ntriples(source: Source, collector: TripleCollector, form: TripleFormat) -> None:
    """Hand the triples of N-Triples to a collector; of N-Quads the graph is left out.

    The names are IRIs without their brackets, blank nodes as ``_:label``, and literals, if they are asked for, as written.

    Raises
    ------
    DataError
        A line is no triple; with its number.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    number = 1
    num_literal = 0
    for block in line_blocks(source, form.encoding):
        lines = _lines(block, source.name, number)
        found = pc.extract_regex(lines, _LINE)
        other = np.flatnonzero(np.asarray(found.is_null()))
        if len(other):
            rest = lines.take(pa.array(other))
            wrong = np.flatnonzero(~np.asarray(pc.match_substring_regex(rest, _NOTHING)).astype(np.bool_))
            if len(wrong):
                raise _bad_line(source.name, number + int(other[wrong[0]]), rest[int(wrong[0])].as_py())
            found = found.drop_null()
        number += len(lines)
        heads, relations, tails = (found.field(name) for name in ("head", "relation", "tail"))
        literal = np.asarray(pc.starts_with(tails, '"')).astype(np.bool_)
        if literal.any():
            num_literal += int(literal.sum())
            if not form.literals:
                kept = pa.array(~literal)
                heads, relations, tails = (column.filter(kept) for column in (heads, relations, tails))
        if len(heads):
            collector.add_arrow(_names(heads), _names(relations), _names(tails))
    tell_of_literals(source.name, num_literal, kept=form.literals)


def tell_of_literals(where: str, num_literal: int, *, kept: bool) -> None:
    """Say how many triples end in a literal, which is no entity, and what became of them."""
    if num_literal and kept:
        logger.info("%s: %s triples have a literal as the tail, which is an entity here.", where, f"{num_literal:,}")
    elif num_literal:
        logger.warning(
            "%s: %s triples with a literal as the tail are left out. To take literals as entities, give %s.",
            where, f"{num_literal:,}", setting("graph.literals", True),
        )  # fmt: skip


def _lines(block: bytes, name: str, number: int) -> pa.Array:
    """Return the lines of a block as an array of text."""
    import pyarrow as pa

    try:
        text = block.decode()
    except UnicodeDecodeError as error:
        line = number + block.count(b"\n", 0, error.start)
        hint = f"Give {setting('format.encoding', 'latin-1')}, or what the file is written in."
        got = block[max(0, error.start - 20) : error.start + 20]
        raise DataError(describe(f"{name}:{line}", expected="text in UTF-8", got=got, hint=hint)) from None
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return pa.array(text.removesuffix("\n").split("\n"), pa.string())


def _names(terms: pa.Array) -> pa.Array:
    """Return IRIs without brackets, their escapes written out; other terms as they are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    is_iri = pc.starts_with(terms, "<")
    names = pc.if_else(is_iri, pc.utf8_slice_codeunits(terms, 1, -1), terms)
    escaped = np.flatnonzero(np.asarray(pc.and_(is_iri, pc.match_substring(terms, "\\"))).astype(np.bool_))
    if not len(escaped):
        return names
    items = names.to_pylist()
    for i in escaped.tolist():
        items[i] = _ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)), items[i])
    return pa.array(items, names.type)


def _bad_line(name: str, number: int, line: str) -> DataError:
    hint = "A line is '<head> <relation> <tail> .', with a full stop at its end."
    if "<<" in line:
        hint = "Triples about triples (RDF-star) are not read: take them out."
    elif line.lstrip().lower().startswith(("@prefix", "prefix", "@base")):
        hint = f"It is Turtle: give {setting('graph.format', 'rdf')}."
    return DataError(describe(f"{name}:{number}", expected="a triple of N-Triples", got=line.strip(), hint=hint))
