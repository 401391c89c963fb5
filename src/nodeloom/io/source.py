"""Sources: files of any compression and standard input, as streams of bytes and as blocks of whole lines."""

from __future__ import annotations

import codecs
import io
import sys
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from nodeloom.encoding import EXPECTED, text_codec
from nodeloom.errors import DataError, describe
from nodeloom.io.refused import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCK = 1 << 22
HEAD = 1 << 12  # bytes that tell what a text is
# A line may span blocks, but this much without a line end is no list of edges.
_MAX_LINE = 1 << 26

EDGES = "a list of edges"
TRIPLES = "triples"

OTHER_ENCODING = "Set encoding (such as 'latin-1') to what the file is written in, or re-encode it."

# Byte order marks; that of UTF-32 begins like that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_COMPRESSIONS = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_KINDS = {b"PAR1": "parquet", b"ARROW1": "arrow", b"\xff\xff\xff\xff": "arrow stream"}


class Source:
    """An open file or standard input, decompressed.

    Attributes
    ----------
    name : str
        The path, or "standard input"; for messages.
    stream : binary file
        The decompressed bytes.
    kind : {"text", "parquet", "arrow", "arrow stream"}
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

    def unread(self, data: bytes) -> None:
        """Put bytes back that :meth:`read` has given; it gives them again."""
        self._held = data + self._held

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
    if compression == "bz2" and start[4:10] not in (b"1AY&SY", b"\x17rE8P\x90"):  # a name may begin like that
        compression = ""
    if not compression:
        # A node may be called PAR1: a gene is.
        named = start.startswith(b"PAR1") and start[4:5] in b" \t,;|\r\n"
        kind = next((k for magic, k in _KINDS.items() if start.startswith(magic) and not named), "text")
        return Source(name, cast(BinaryIO, file), kind, "")
    source = Source(name, _decompress(file, compression), "text", compression)
    inner = source.peek(1024)
    _refuse(name, inner, content)
    again = next((c for magic, c in _COMPRESSIONS.items() if inner.startswith(magic) and b"\0" in inner), "")
    if again:
        raise DataError(
            f"{name}: expected {content}, got a file compressed twice, by {again} and {compression}. Unpack it."
        )
    return source


def _refuse(name: str, start: bytes, content: str) -> None:
    found = refusal(start)
    if found is not None:
        what, hint = found
        raise DataError(
            f"{name}: expected {content}, got {what}."
            + (f" {hint}" if content == EDGES or what.startswith("a saved") else "")
        )


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


def line_blocks(
    source: Source, encoding: str = "utf-8", size: int = BLOCK, *, delimiters: bytes = b""
) -> Iterator[bytes]:
    """Yield the text of a source as UTF-8 in blocks of whole lines, without a byte order mark.

    Lines end at a line feed, at a carriage return, or at both. A file with the byte order mark of an encoding is in that.
    A line that is longer than a block is cut behind one of the `delimiters`, if there are any.

    Raises
    ------
    DataError
        The file cannot be read, is not in `encoding`, or has no line ends.
    """
    # Usually these bytes were peeked at. As a block of their own they need not be put before the bytes that follow, which
    # would copy all of these.
    raw = source.read(min(size, HEAD))
    decode = _decoder(source.name, encoding_of(raw, encoding))
    rest = b""
    first = True
    while True:
        data = decode(raw)
        if first and data:
            first = False
            data = data.removeprefix(codecs.BOM_UTF8)
        if not raw:
            if rest or data:
                yield rest + data
            return
        end = data.rfind(b"\n") + 1
        if not end:
            # Lines that end with a carriage return alone; after the last byte a line feed may follow.
            end = data.rfind(b"\r", 0, -1) + 1
        if not end and delimiters:
            end = max(data.rfind(delimiter) for delimiter in delimiters) + 1
        if end:
            yield b"".join((rest, memoryview(data)[:end]))
            rest = data[end:]
        else:
            rest += data
            if len(rest) > _MAX_LINE:
                raise DataError(
                    f"{source.name}: expected lines of text, got {len(rest):,} bytes without a line end. "
                    "Is this file binary?"
                )
        raw = source.read(size)


def read_text(source: Source, encoding: str = "utf-8") -> str:
    """Return the whole text of a source, without a byte order mark.

    Raises
    ------
    DataError
        The file cannot be read, or is not in `encoding`.
    """
    raw = b"".join(iter(lambda: source.read(BLOCK), b""))
    codec = encoding_of(raw, encoding)
    if codec == "utf-8" and b"\0" in raw[: 1 << 16]:
        raise DataError(describe(source.name, expected="a text file", got="binary data"))
    try:
        return raw.decode(codec).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        got = raw[max(0, error.start - 10) : error.start + 10]
        expected = f"text in {codec.upper()}"
        raise DataError(describe(f"{source.name}:{line}", expected=expected, got=got, hint=OTHER_ENCODING)) from None
    except UnicodeError as error:
        raise DataError(f"{source.name}: expected text in {codec}, got: {error}. {OTHER_ENCODING}") from None


def encoding_of(start: bytes, encoding: str) -> str:
    """Return the codec for a file: that of its byte order mark, else the one that is asked for.

    Parameters
    ----------
    start : bytes
        The first bytes of the file.
    encoding : str
        What is asked for. Where it leaves that open (``utf-16``), the zeros among the bytes tell which half comes first;
        so many that they can only be those of UTF-16 tell it for ``utf-8`` as well.

    Raises
    ------
    DataError
        It is no encoding of text.
    """
    codec = text_codec(encoding)
    if codec is None:
        raise DataError(f"encoding: expected {EXPECTED}, got {encoding!r}")
    name = "utf-8" if codec.name == "ascii" else codec.name
    mark = next((marked for bom, marked in _MARKS if start.startswith(bom)), "")
    if mark == "utf-8" or (mark and name.startswith("utf-")):
        return mark
    if name in ("utf-8", "utf-16"):
        sample = start[: 1024 & ~1]
        low, high = sample[::2].count(0), sample[1::2].count(0)
        if name == "utf-16" and sample.isascii() and b"\n" in sample and not (low or high):
            raise DataError(f"encoding: expected that of the file, which begins with plain ASCII, got {encoding!r}")
        if name == "utf-16" or (not (low and high) and max(low, high) > len(sample) // 2 * 0.45):
            return "utf-16-be" if low > high else "utf-16-le"
    return name


def _decoder(name: str, codec: str) -> Callable[[bytes], bytes]:
    if codec == "utf-8":
        return lambda raw: raw
    incremental = codecs.getincrementaldecoder(codec)()

    def decode(raw: bytes) -> bytes:
        try:
            return incremental.decode(raw, final=not raw).encode()
        except UnicodeError as error:
            reason = getattr(error, "reason", None) or str(error)
            raise DataError(f"{name}: expected text in {codec}, got {reason}. {OTHER_ENCODING}") from None

    return decode
