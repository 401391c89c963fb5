"""Vectors of other programs: word2vec's text and binary, read as a model with one table.

Text is a line ``N D``, which may be missing, then ``name number ... number`` a line; binary is the line, then ``name``, a
blank, D float32, perhaps a line end. Both are told by their content, also compressed.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.errors import DataError, ModelError, describe
from nodeloom.io.finite import first_not_finite
from nodeloom.io.model_data import ModelData
from nodeloom.io.source import BLOCK, Source, line_blocks, open_source
from nodeloom.io.vocabulary import Vocabulary, name_array
from nodeloom.typing import FloatArray

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

_HEAD = 1 << 20  # holds the first line of vectors of some ten thousand dimensions
_SIZES = re.compile(rb"[ \t]*(\d{1,12})[ \t]+(\d{1,7})[ \t]*\r?\n")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_SAMPLE = 4096
_FEW = 4  # numbers: lines with fewer, and no line of sizes before them, may as well be edges with weight and time
_LONGEST_NAME = 1 << 16
_CONTENT = "a model file (safetensors), or vectors (word2vec)"

Columns = tuple[list["pa.Array"], list[FloatArray]]


def read_word2vec(path: str | Path) -> ModelData:
    """Read vectors and their names.

    Parameters
    ----------
    path : str or Path
        A file of word2vec's format, text or binary, also compressed by gzip, bz2, xz or zstd.

    Returns
    -------
    ModelData
        One table; names that are all integers are integers. ``config`` is ``{"source": "word2vec", ...}``.

    Raises
    ------
    ModelError
        It is no such file, it is cut, a vector is not finite or of another length, or a name is there twice.
    """
    try:
        with open_source(path, content=_CONTENT) as source:
            names, vectors = _read(source)
    except DataError as error:
        raise ModelError(str(error)) from None
    return model_of(path, names, vectors, source="word2vec")


def model_of(path: str | Path, names: Any, vectors: FloatArray, *, source: str) -> ModelData:
    """Return vectors and names of a file of another format as a model.

    Parameters
    ----------
    path : str or Path
        The file, for messages.
    names : array
        N names, of Arrow or NumPy; text that is written as integers are is integers where all of it is.
    vectors : float32 [N, D]
    source : str
        What the configuration says that the model comes from.

    Raises
    ------
    ModelError
        A vector is not finite, or a name is there twice.
    """
    from nodeloom.io.tables import as_integers

    try:
        array = name_array(names)
        integers = as_integers(array) if array.type != "int64" else None
        vocabulary = Vocabulary.from_arrow(array if integers is None else integers)
    except DataError as error:
        raise ModelError(f"{path}: {error}") from None
    wrong = first_not_finite(vectors)
    if wrong is not None:
        got = f"{wrong[1]} in the vector of {vocabulary[wrong[0]]}"
        raise ModelError(describe(path, expected="finite numbers", got=got))
    config = {"source": source, "resource": {"dim": vectors.shape[1]}}
    return ModelData.of_nodes(
        {"vertex": vectors}, vocabulary, config=config, graph={"num_nodes": len(vectors)}, where=path
    )


def looks_like_word2vec(path: str | Path) -> bool:
    """Tell whether the first lines of a file can only be vectors: a line of sizes that fits the next, or many numbers.

    Edges of two numbers a line could be vectors of dim 1: they are if the first line gives their number.
    """
    try:
        with open_source(path, content=_CONTENT) as source:
            if source.kind != "text":
                return False
            head = source.peek(_HEAD)
    except DataError:
        return False
    sizes = _SIZES.match(head)
    row = head[sizes.end() :] if sizes else head
    dim, _ = _text_row(row)
    if sizes is None:
        return dim is not None and dim >= _FEW
    num_rows, wanted = int(sizes[1]), int(sizes[2])
    if not num_rows or not wanted:
        return False
    if dim is None:
        return _is_binary(row[:_SAMPLE])
    return dim == wanted and (dim > 1 or _num_lines(path) == 1 + num_rows)


def _num_lines(path: str | Path) -> int:
    """Return the lines of a text that are not empty."""
    with open_source(path, content=_CONTENT) as source:
        return sum(bool(line.strip()) for block in line_blocks(source) for line in block.splitlines())


def _read(source: Source) -> tuple[pa.Array, FloatArray]:
    import pyarrow as pa

    head = source.peek(_HEAD)
    if source.kind != "text":
        raise ModelError(describe(source.name, expected=_CONTENT, got=f"a {source.kind} file"))
    sizes = _SIZES.match(head.removeprefix(b"\xef\xbb\xbf"))
    num_rows, dim = (int(sizes[1]), int(sizes[2])) if sizes else (None, None)
    if sizes and (not num_rows or not dim):
        raise ModelError(describe(source.name, expected="vectors", got=f"{num_rows} of dim {dim}"))
    row = head[sizes.end() :] if sizes else head
    text_dim, tabs = _text_row(row)
    if sizes and text_dim is None:
        source.read(sizes.end())
        try:
            names, blocks = _collect(_binary_rows(source, num_rows or 0, dim or 0))
        except ModelError:
            if _is_binary(row[:_SAMPLE]):
                raise
            names, blocks = [], []
        if not _is_binary(row[:_SAMPLE]) and sum(map(len, blocks)) != num_rows:  # text that is damaged
            raise _foreign(source, None)
    elif text_dim is None or (not sizes and text_dim < _FEW):
        raise _foreign(source, text_dim)
    else:
        if sizes and text_dim != dim:
            got = f"{text_dim} numbers in the line after it"
            raise ModelError(describe(source.name, expected=f"vectors of dim {dim} as its first line says", got=got))
        names, blocks = _collect(_text_rows(source, text_dim, tabs, skip=1 if sizes else 0))
    total = sum(map(len, blocks))
    if num_rows is not None and total != num_rows:
        hint = "It is cut: fetch or write it again." if total < num_rows else ""
        expected = f"{num_rows:,} vectors as its first line says"
        raise ModelError(describe(source.name, expected=expected, got=f"{total:,}", hint=hint))
    return pa.chunked_array(names, pa.string()), _joined(blocks)


def _is_binary(start: bytes) -> bool:
    return _CONTROL.search(start) is not None or "\ufffd" in start.decode("utf-8", "replace")[:-4]


def _foreign(source: Source, dim: int | None) -> ModelError:
    if dim is not None:
        got = "lines of few numbers, which may be edges or labels"
        hint = " If these are vectors, put a line with their number and dimension in front."
    else:
        got, hint = "text or bytes of something else", ""
    return ModelError(
        f"{source.name}: expected a model file (safetensors), or vectors (word2vec: 'name number ... number' a line, or "
        f"binary), got {got}.{hint}"
    )


def _text_row(start: bytes) -> tuple[int | None, bool]:
    """Return how many numbers follow the name in the first line of text, and whether tabs separate; None if it is none."""
    line, end, _ = start.partition(b"\n")
    if not end and len(start) == _HEAD:
        return None, False
    tabs = b"\t" in line.strip()
    tokens = line.strip().split(b"\t" if tabs else None)
    try:
        line.decode()
        for token in tokens[1:]:
            float(token)
    except ValueError:
        return None, False
    return (len(tokens) - 1 if len(tokens) > 1 else None), tabs


def _text_rows(source: Source, dim: int, tabs: bool, skip: int) -> Iterator[tuple[pa.Array, FloatArray]]:
    """Yield names and vectors of blocks of lines."""
    import pyarrow as pa
    import pyarrow.csv

    delimiter = "\t" if tabs else " "
    # The program word2vec ends every line with a blank.
    head = source.peek(_HEAD).split(b"\n", skip + 1)
    line = head[skip].rstrip(b"\r") if len(head) > skip else b""
    extra = ["_"] if line.endswith(delimiter.encode()) else []
    numbers = [f"v{i}" for i in range(dim)]
    try:
        reader = pyarrow.csv.open_csv(
            io.BufferedReader(_Stream(source)),
            # One thread: only then do messages tell the row.
            read_options=pyarrow.csv.ReadOptions(
                block_size=max(BLOCK, 4 * len(line)),
                use_threads=False,
                skip_rows=skip,
                column_names=["name", *numbers, *extra],
            ),
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, quote_char=False, ignore_empty_lines=True),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=["name", *numbers],
                column_types={"name": pa.string(), **dict.fromkeys(numbers, pa.float32())},
                null_values=[],
                strings_can_be_null=False,
            ),
        )
        for batch in reader:
            yield batch.column(0), np.stack([column.to_numpy() for column in batch.columns[1:]], axis=1)
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, DataError | ModelError):
            raise
        reason = " ".join(str(error).split())
        raise ModelError(
            f"{source.name}: expected 'name' and {dim} numbers in every line, got: {reason[:300]}"
        ) from None


def _binary_rows(source: Source, num_rows: int, dim: int) -> Iterator[tuple[pa.Array, FloatArray]]:
    """Yield names and vectors of blocks of rows; fewer than `num_rows` where the file is cut."""
    import pyarrow as pa

    width = 4 * dim
    buffer, at, done = b"", 0, 0
    while done < num_rows:
        buffer, at = buffer[at:] + source.read(max(BLOCK, 2 * width)), 0
        names: list[bytes] = []
        rows: list[bytes] = []
        while done < num_rows:
            end = buffer.find(b" ", at, at + _LONGEST_NAME)
            if end < 0 or end + 1 + width > len(buffer):
                break
            names.append(buffer[at:end].lstrip(b"\r\n"))
            rows.append(buffer[end + 1 : end + 1 + width])
            at = end + 1 + width
            done += 1
        if not rows:
            if end < 0 and len(buffer) - at >= _LONGEST_NAME:
                raise ModelError(describe(source.name, expected=f"the name of vector {done + 1}", got="other bytes"))
            return
        try:
            texts = pa.array([name.decode() for name in names], pa.string())
        except UnicodeDecodeError as error:
            raise ModelError(describe(source.name, expected="names in UTF-8", got=error.object[:60])) from None
        yield texts, np.frombuffer(b"".join(rows), "<f4").reshape(-1, dim).astype(np.float32, copy=False)
    # Behind the last vector there is a line end at most.
    if (buffer[at:] + source.read(16)).strip():
        raise ModelError(
            describe(source.name, expected=f"{num_rows:,} vectors of dim {dim}", got="more bytes than these")
        )


def _collect(rows: Iterator[tuple[pa.Array, FloatArray]]) -> Columns:
    names, blocks = [], []
    for texts, vectors in rows:
        names.append(texts)
        blocks.append(vectors)
    return names, blocks


def _joined(blocks: list[FloatArray]) -> FloatArray:
    """Return blocks of rows as one array; they go as they are copied."""
    result = np.empty((sum(map(len, blocks)), blocks[0].shape[1]), np.float32)
    first = 0
    while blocks:
        block = blocks.pop(0)
        result[first : first + len(block)] = block
        first += len(block)
    return result


class _Stream(io.RawIOBase):
    """A source as a file that Arrow reads."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._source.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
