"""Recognition: what format a text is in, told by its first lines; the name of a file is a hint where they leave a doubt."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from nodeloom.errors import DataError
from nodeloom.io.formats.columns import KONECT, is_ogb, neo4j_header
from nodeloom.io.formats.elements import tell_of_direction
from nodeloom.io.formats.foreign import foreign_text
from nodeloom.io.formats.gml import START as GML_START
from nodeloom.io.formats.shapes import looks_like_adjacency, looks_like_metis, looks_like_multiline, looks_like_vectors
from nodeloom.io.formats.text import whole
from nodeloom.io.source import HEAD, Source, encoding_of
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.io.edge_format import EdgeFormat

Reader = Callable[[Source, Any, Any], None]
"""Hands what a source holds to a collector, as a form says: edges or triples."""

_COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")
_MATRIX_MARKET = re.compile(rb"%%?matrixmarket\b", re.IGNORECASE)
_XML = re.compile(
    rb"\s*(?:<\?xml\b[^>]*>\s*|<!--.*?-->\s*|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>\s*)*<([\w.-]+:)?([\w.-]+)", re.DOTALL
)
_GML = re.compile(GML_START.encode())
_PAJEK = re.compile(rb"(?:\s*(?:%[^\n]*|/\*[^\n]*)\n)*\s*\*(?:vertices\s+\d|network\b)", re.IGNORECASE)
_SNAP = re.compile(rb"#\s*directed graph\b[^\n]*\n(?:#[^\n]*\n)*#\s*FromNodeId\b", re.IGNORECASE)
_TURTLE = re.compile(rb"(?:\s*#[^\n]*\n)*\s*(?:@prefix\s|@base\s|prefix\s+[\w.-]*:\s*<|base\s+<)", re.IGNORECASE)
_RDF_XML = re.compile(rb"\A\s*(?:<\?xml\b|<!--|<!DOCTYPE|<rdf:RDF\b)[^\0]*?<rdf:RDF\b|\A\s*<rdf:RDF\b")
# A term of RDF, a property, and what ends the line: of each line that is whole.
_NTRIPLES = re.compile(
    rb"(?:\s*#[^\n]*\n|\s*\n)*[ \t]*(?:<\w[\w+.-]*:[^<>\n]*>|_:\S+)[ \t]*<\w[\w+.-]*:[^<>\n]*>[ \t]*"
    rb"[<_\"][^\n]*\.[ \t]*(?:#[^\n]*)?\r?(?:\n|\Z)"
)
_SUFFIXES = {".adjlist": "adjlist", ".adj": "adjlist", ".metis": "metis", ".gml": "gml"}


def reader_of(source: Source, form: EdgeFormat) -> Reader | None:
    """Return what reads a file of a format of its own, or None for a list of edges or a table.

    Raises
    ------
    DataError
        It is of a format that is not read; with the way out.
    """
    if source.kind != "text" or form.format in ("edges", "triples"):
        return None
    recognise = _recognise if form.num_name == 2 else _recognise_triples
    name = form.format if form.format != "auto" else recognise(source, form)
    if not name:
        return None
    module, function = form.readers[name].split(".")
    reader: Reader = getattr(import_module(f"nodeloom.io.formats.{module}"), function)
    return reader


def _recognise(source: Source, form: EdgeFormat) -> str:
    """Return the format that the first bytes tell; "" for none."""
    head = _head(source, form)
    name = _by_first_bytes(head, source.name)
    # Named columns are those of CSV; only these have attributes or columns as well.
    if form.columns is not None and name not in ("", "graphml", "gexf", "gml", "multiline-adjlist", "neo4j"):
        raise DataError(
            f"{source.name}: expected a table with columns, got {name}. Leave {setting('graph.columns')} out."
        )
    if name or form.columns is not None:
        return name
    suffix = _suffix(source.name)
    foreign = foreign_text(head, suffix)
    if foreign is not None:
        what, hint = foreign
        raise DataError(f"{source.name}: expected a list of edges, got {what}. {hint}")
    if not form.directed and _SNAP.match(head):
        tell_of_direction(source)
        return ""
    return _by_shape(head, suffix, source, form)


def _recognise_triples(source: Source, form: EdgeFormat) -> str:
    """Return the format of triples that the first bytes tell; "" for a table."""
    head = _head(source, form)
    if neo4j_header(head.partition(b"\n")[0]) is not None:
        return "neo4j"
    if form.columns is not None:
        return ""
    if _TURTLE.match(head) or _RDF_XML.search(head):
        return "rdf"
    if _NTRIPLES.match(head):
        return "n-triples"
    suffix = _suffix(source.name)
    if suffix in (".nt", ".nq"):
        return "n-triples"
    return "rdf" if suffix in (".ttl", ".rdf", ".owl") else ""


def _head(source: Source, form: EdgeFormat) -> bytes:
    """Return the first bytes, in UTF-8 without a mark."""
    head = source.peek(HEAD)
    codec = encoding_of(head, form.encoding)
    if codec != "utf-8":
        head = head.decode(codec, "ignore").encode("utf-8", "ignore")
    return head.removeprefix(codecs.BOM_UTF8)


def _by_first_bytes(head: bytes, name: str) -> str:
    first = head[:1]
    if first == b"%" and _MATRIX_MARKET.match(head):
        return "matrix-market"
    if first == b"%" and KONECT.match(head):
        return "konect"
    markup = _XML.match(head) if head.lstrip()[:1] == b"<" else None
    if markup is not None and markup[2].lower() in (b"graphml", b"gexf"):
        return markup[2].decode().lower()
    if markup is None and first == b"<" and name.endswith((".graphml", ".gexf")):  # after a long comment
        return name.rpartition(".")[2]
    if b"*" in head and _PAJEK.match(head):
        return "pajek"
    if b"graph" in head and _GML.match(head):
        return "gml"
    if neo4j_header(head.partition(b"\n")[0]) is not None:
        return "neo4j"
    if name.endswith((".csv", ".csv.gz")) and is_ogb(name):
        return "ogb"
    return ""


def _by_shape(head: bytes, suffix: str, source: Source, form: EdgeFormat) -> str:
    """Return the format that a file has by its suffix, or by the shape of its first lines."""
    lines = head.split(b"\n")
    is_whole = len(head) < HEAD - len(codecs.BOM_UTF8)
    if not is_whole:
        lines.pop()
    if form.weighted == "auto" and looks_like_vectors(lines):
        raise DataError(
            f"{source.name}: expected a list of edges, got vectors (word2vec). They can be read as a model, not as a graph."
        )
    if looks_like_multiline(lines, form.comment.encode()):
        return "multiline-adjlist"
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    if form.weighted == "auto" and looks_like_metis(lines, suffix, is_whole=is_whole):
        return "metis" if suffix == ".graph" or is_whole or _has_lines(source, int(lines[0].split()[0])) else ""
    return "adjlist" if looks_like_adjacency(lines) else ""


def _has_lines(source: Source, num_nodes: int) -> bool:
    """Tell whether there are as many lines as METIS says. Rare: edges begin with a loop at a node of a high number."""
    content = whole(source)
    source.unread(content)
    return 0 <= content.rstrip(b"\n").count(b"\n") <= num_nodes <= content.count(b"\n")


def _suffix(name: str) -> str:
    path = PurePath(name.lower())
    return PurePath(path.stem).suffix if path.suffix in _COMPRESSIONS else path.suffix
