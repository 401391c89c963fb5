"""Sources: files of any compression and standard input, as streams of bytes and as blocks of whole lines."""

from __future__ import annotations

import codecs
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from nodeloom.errors import DataError
from nodeloom.io.formats.refused import refusal

BLOCK = 1 << 22
# A line may span blocks, but this much without a line end is no list of edges.
_MAX_LINE = 1 << 26

EDGES = "a list of edges"

_COMPRESSIONS = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_KINDS = {b"PAR1": "parquet", b"ARROW1": "arrow"}


class Source:
    """An open file or standard input, decompressed.

    Attributes
    ----------
    name : str
        The path, or "standard input"; for messages.
    stream : binary file
        The decompressed bytes.
    kind : {"text", "parquet", "arrow"}
        What the first bytes say it is.
    compression : str
        "gzip", "bz2", "xz", "zstd", or "" for none.
    """

    def __init__(self, name: str, stream: BinaryIO, kind: str, compression: str) -> None:
        self.name = name
        self.stream = stream
        self.kind = kind
        self.compression = compression
        self._held = b""

    def peek(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer only at the end, which :meth:`read` gives again."""
        if len(self._held) < size:
            self._held += self._read(size - len(self._held))
        return self._held[:size]

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes, fewer only at the end.

        Raises
        ------
        DataError
            The file cannot be read or decompressed.
        """
        if not self._held:
            return self._read(size)
        data, self._held = self._held[:size], self._held[size:]
        return data if len(data) == size else data + self._read(size - len(data))

    def _read(self, size: int) -> bytes:
        import lzma

        import pyarrow as pa

        try:
            return self.stream.read(size)
        except (EOFError, OSError, zlib.error, lzma.LZMAError, pa.ArrowException) as error:
            if not self.compression:
                raise unreadable(self.name, error) from None
            raise DataError(
                f"{self.name}: expected a whole {self.compression} file, got a truncated or damaged one ({error}). "
                "Fetch or write the file again."
            ) from None


@contextmanager
def open_source(path: str | Path, content: str = EDGES) -> Iterator[Source]:
    """Open a file, or standard input for "-"; tell compression and kind by its first bytes, not by its name.

    Parameters
    ----------
    path : str or Path
        The file.
    content : str
        What is expected in it, for messages.

    Raises
    ------
    DataError
        The file is missing, a folder, cannot be read, or is of a kind that holds no such thing.
    """
    if str(path) == "-":
        stdin: Any = getattr(sys.stdin, "buffer", sys.stdin)
        # Not closed: it is not ours.
        yield _sniff("standard input", stdin if hasattr(stdin, "peek") else io.BufferedReader(stdin), content)
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115 (closed below: only opening is tried here)
    except OSError as error:
        raise unreadable(str(path), error) from None
    with file:
        yield _sniff(str(path), file, content)


def unreadable(name: str, error: Exception) -> DataError:
    """Return the error for a file that cannot be opened or read."""
    if isinstance(error, FileNotFoundError):
        return DataError(f"{name}: expected a file, got no file of this name. Check the path.")
    if isinstance(error, IsADirectoryError):
        return DataError(f"{name}: expected a file, got a folder. Give the files in it, as a list.")
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return DataError(f"{name}: expected a file that can be read, got: {reason}")


def _sniff(name: str, file: io.BufferedReader, content: str) -> Source:
    try:
        start = file.peek(1024)[:1024]
    except OSError as error:
        raise unreadable(name, error) from None
    _refuse(name, start, content)
    compression = next((c for magic, c in _COMPRESSIONS.items() if start.startswith(magic)), "")
    if not compression:
        # A node may be called PAR1: a gene is.
        named = start[4:5] in b" \t,;|\r\n"
        kind = next((k for magic, k in _KINDS.items() if start.startswith(magic) and not named), "text")
        return Source(name, cast(BinaryIO, file), kind, "")
    source = Source(name, _decompress(file, compression), "text", compression)
    _refuse(name, source.peek(1024), content)
    return source


def _refuse(name: str, start: bytes, content: str) -> None:
    found = refusal(start)
    if found is not None:
        what, hint = found
        raise DataError(f"{name}: expected {content}, got {what}." + (f" {hint}" if content == EDGES else ""))


def _decompress(file: io.BufferedReader, compression: str) -> BinaryIO:
    if compression == "gzip":
        import gzip

        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    if compression == "bz2":
        import bz2

        return cast(BinaryIO, bz2.BZ2File(file))
    if compression == "xz":
        import lzma

        return cast(BinaryIO, lzma.LZMAFile(file))
    import pyarrow as pa

    return cast(BinaryIO, pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd"))


def line_blocks(source: Source, encoding: str = "utf-8", size: int = BLOCK) -> Iterator[bytes]:
    """Yield the text of a source as UTF-8 in blocks of whole lines, without a byte order mark.

    Raises
    ------
    DataError
        The file cannot be read, is not in `encoding`, or has no line ends.
    """
    decode = _decoder(source, encoding)
    rest = b""
    first = True
    while True:
        raw = source.read(size)
        data = decode(raw)
        if first and data:
            first = False
            if data.startswith(codecs.BOM_UTF8):
                data = data[3:]
            elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise DataError(
                    f"{source.name}: expected text in UTF-8, got UTF-16. Set encoding to 'utf-16', or re-encode it."
                )
        if not raw:
            if rest or data:
                yield rest + data
            return
        end = data.rfind(b"\n") + 1
        if end:
            yield rest + data[:end]
            rest = data[end:]
        else:
            rest += data
            if len(rest) > _MAX_LINE:
                raise DataError(
                    f"{source.name}: expected lines of text, got {len(rest):,} bytes without a line end. "
                    "Is this file binary?"
                )


def _decoder(source: Source, encoding: str) -> Callable[[bytes], bytes]:
    try:
        codec = codecs.lookup(encoding)
    except LookupError:
        raise DataError(
            f"encoding: expected one that Python knows, such as 'utf-8' or 'latin-1', got {encoding!r}"
        ) from None
    if codec.name in ("utf-8", "ascii"):
        return lambda raw: raw
    incremental = codec.incrementaldecoder()

    def decode(raw: bytes) -> bytes:
        try:
            return incremental.decode(raw, final=not raw).encode()
        except UnicodeDecodeError as error:
            raise DataError(f"{source.name}: expected text in {encoding}, got {error.reason}") from None

    return decode
