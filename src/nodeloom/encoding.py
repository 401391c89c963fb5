"""Encodings of text: which names Python knows, and which of those are encodings of text."""

from __future__ import annotations

import codecs

# Codecs that Python counts as text, but that no file of lines is written in.
_NO_FILES = {"punycode", "idna", "undefined", "unicode-escape", "raw-unicode-escape", "mbcs", "oem"}

EXPECTED = "an encoding of text that Python knows, such as utf-8 or latin-1"


def text_codec(encoding: str) -> codecs.CodecInfo | None:
    """Return the codec of a text encoding, or None if `encoding` is no name of one (``hex`` and ``zlib`` are none)."""
    try:
        codec = codecs.lookup(encoding)
    except (LookupError, ValueError, TypeError):  # ValueError: a name with the character 0
        return None
    if not getattr(codec, "_is_text_encoding", True) or codec.name.replace("_", "-") in _NO_FILES:
        return None
    return codec if codec.incrementaldecoder is not None else None
