"""The content of a source as a whole: for formats that cannot be cut into blocks of lines."""

from __future__ import annotations

import codecs

from nodeloom.errors import DataError
from nodeloom.io.source import BLOCK, Source, line_blocks


def whole(source: Source) -> bytes:
    """Return all bytes of a source, decompressed, without a byte order mark of UTF-8."""
    return b"".join(iter(lambda: source.read(BLOCK), b"")).removeprefix(codecs.BOM_UTF8)


def text_of(source: Source, encoding: str) -> str:
    """Return the text of a source with plain line ends.

    Raises
    ------
    DataError
        It is no text in this encoding.
    """
    raw = b"".join(line_blocks(source, encoding))
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{source.name}:{line}: expected text in UTF-8, got {raw[max(0, error.start - 10) : error.start + 10]!r}. "
            "Set encoding (such as 'latin-1') to what the file is written in, or re-encode it."
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
