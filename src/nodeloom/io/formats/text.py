"""The content of a source as a whole: for formats that cannot be cut into blocks of lines."""

from __future__ import annotations

import codecs

from nodeloom.io.source import BLOCK, Source, encoding_of


def whole(source: Source) -> bytes:
    """Return all bytes of a source, decompressed, in UTF-8 where they are UTF-16, without a byte order mark."""
    content = b"".join(iter(lambda: source.read(BLOCK), b""))
    codec = encoding_of(content[: 1 << 12], "utf-8")
    if codec != "utf-8":
        content = content.decode(codec, "replace").encode()
    return content.removeprefix(codecs.BOM_UTF8)
