"""Recognition: what format a text is in, told by its first lines; the name of a file is a hint where they leave a doubt."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from nodeloom.io.source import Source

if TYPE_CHECKING:
    from nodeloom.io.collector import EdgeCollector
    from nodeloom.io.edgelist import EdgeFormat

Reader = Callable[[Source, "EdgeCollector", "EdgeFormat"], None]

READERS: dict[str, str] = {
    "matrix-market": "matrix_market.read_matrix_market",
}
"""Formats that are read, and the function of this package that does."""

FORMATS = ("auto", "edges", *READERS)
"""What the option `format` may be: "edges" is a list of edges whatever it looks like."""

_HEAD = 4096
_MATRIX_MARKET = re.compile(rb"%%?matrixmarket\b", re.IGNORECASE)


def reader_of(source: Source, form: EdgeFormat) -> Reader | None:
    """Return what reads a file of a format of its own, or None for a list of edges or a table.

    Raises
    ------
    DataError
        It is of a format that is not read; with the way out.
    """
    if source.kind != "text":
        return None
    name = form.format if form.format != "auto" else _recognise(source, form)
    if name in ("", "edges"):
        return None
    module, function = READERS[name].split(".")
    reader: Reader = getattr(import_module(f"nodeloom.io.formats.{module}"), function)
    return reader


def _recognise(source: Source, form: EdgeFormat) -> str:
    """Return the format that the first bytes tell; "" for none."""
    head = source.peek(_HEAD)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        head = head[: len(head) // 2 * 2].decode("utf-16", "ignore").encode()
    head = head.removeprefix(codecs.BOM_UTF8)
    if _MATRIX_MARKET.match(head):
        return "matrix-market"
    return ""
