"""Turtle, RDF/XML and other RDF, read by rdflib where it is installed."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from nodeloom.errors import DataError
from nodeloom.io.formats.ntriples import tell_of_literals
from nodeloom.io.source import read_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeloom.io.source import Source
    from nodeloom.io.triple_format import TripleFormat
    from nodeloom.io.triples import TripleCollector

_ROWS = 1 << 18
_FORMATS = {".ttl": "turtle", ".n3": "n3", ".nt": "nt", ".nq": "nquads", ".trig": "trig", ".jsonld": "json-ld"}


def read_rdf(source: Source, collector: TripleCollector, form: TripleFormat) -> None:
    """Hand the triples of a file of RDF to a collector, named as those of N-Triples, in the order of their text.

    Raises
    ------
    DataError
        rdflib is not installed, or cannot read the file.
    """
    import pyarrow as pa

    try:
        import rdflib
    except ImportError:
        hint = "Install it (pip install rdflib), or write the file as N-Triples, which needs no library."
        raise DataError(f"{source.name}: expected rdflib, which reads Turtle and RDF/XML, got none. {hint}") from None
    text = read_text(source, form.encoding)
    suffix = next((s for s in PurePath(source.name.lower()).suffixes[::-1] if s in _FORMATS), "")
    kind = "xml" if text.lstrip().startswith("<") and "<rdf:RDF" in text else _FORMATS.get(suffix, "turtle")
    graph = rdflib.Dataset(default_union=True) if kind in ("nquads", "trig", "json-ld") else rdflib.Graph()
    try:
        graph.parse(data=text, format=kind)
    except Exception as error:  # noqa: BLE001  parsers raise of many kinds
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{source.name}: expected RDF ({kind}), got: {reason}") from None
    rows = sorted({(_name(h), _name(r), _name(t)) for h, r, t in graph.triples((None, None, None))})
    num_literal = sum(row[2].startswith('"') for row in rows)
    for block in _blocks([row for row in rows if form.literals or not row[2].startswith('"')]):
        collector.add_arrow(*(pa.array(column, pa.string()) for column in block))
    tell_of_literals(source.name, num_literal, kept=form.literals)


def _blocks(rows: list[tuple[str, str, str]]) -> Iterator[tuple[Any, ...]]:
    for first in range(0, len(rows), _ROWS):
        yield tuple(zip(*rows[first : first + _ROWS], strict=True))


def _name(term: Any) -> str:
    """Return a term as its name: the text of an IRI, ``_:label`` of a blank node, a literal as N-Triples writes it."""
    import rdflib

    return str(term) if isinstance(term, rdflib.URIRef) else str(term.n3())
