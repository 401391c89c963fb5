"""Exporting vectors with their names, for other programs: word2vec, NumPy, Parquet, TSV, CSV.

All formats are written block by block, so memory does not grow with the graph, and atomically. Text holds the shortest
digits that give back the same float32.
"""

from __future__ import annotations

import contextlib
import re
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, get_args

import numpy as np

from nodeloom.errors import ConfigError, DataError, describe
from nodeloom.io.atomic import atomic_path
from nodeloom.io.finite import first_not_finite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from nodeloom.io.vocabulary import Vocabulary
    from nodeloom.typing import FloatArray

Format = Literal["word2vec", "word2vec-binary", "npz", "parquet", "tsv", "csv"]
FORMATS: tuple[str, ...] = get_args(Format)

SUFFIXES = {
    ".txt": "word2vec",
    ".vec": "word2vec",
    ".w2v": "word2vec",
    ".bin": "word2vec-binary",
    ".npz": "npz",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".tsv": "tsv",
    ".csv": "csv",
}
"""The format of each suffix."""

_BLOCK = 1 << 20  # numbers turned into text at a time, by each thread
_ROW_GROUP = 1 << 22  # numbers in a row group of a Parquet file


def export_vectors(
    path: str | Path,
    vectors: FloatArray,
    names: Vocabulary,
    *,
    format: Format | Literal["auto"] = "auto",
    num_thread: int = 1,
) -> None:
    """Write vectors and the names of their nodes.

    ===================  ==============================  ==============================================================
    format               suffix                          holds
    ===================  ==============================  ==============================================================
    ``word2vec``         ``.txt``, ``.vec``, ``.w2v``    a line ``N D``, then ``name number ... number`` a line
    ``word2vec-binary``  ``.bin``                        a line ``N D``, then ``name``, a blank, D float32, a line end
    ``npz``              ``.npz``                        arrays ``vectors`` float32 [N, D], ``names`` text or int64 [N]
    ``parquet``          ``.parquet``, ``.pq``           columns ``name``, ``vector`` (list of D float32)
    ``tsv``, ``csv``     ``.tsv``, ``.csv``              a header ``name v0 v1 ...``, then a line for each node
    ===================  ==============================  ==============================================================

    Parameters
    ----------
    path : str or Path
        The file.
    vectors : ndarray, float32 [N, D]
        The vectors; may be a memory map.
    names : Vocabulary
        The N names.
    format : str
        One of :data:`FORMATS`, or "auto" to take it from the suffix.
    num_thread : int
        Threads that turn numbers into text. The file does not depend on it.

    Raises
    ------
    ConfigError
        If the format is unknown.
    DataError
        If there are not as many names as vectors, a number is NaN or infinite, or a name cannot be told apart in the format:
        word2vec separates by blanks, so names with blanks, and the empty name, need another format.
    OutputError
        If the file cannot be written; what was at ``path`` stays.
    """
    chosen = choose_format(path, format)
    vectors = np.asarray(vectors)
    if vectors.ndim != 2 or vectors.dtype != np.float32 or len(vectors) != len(names):
        got = f"{vectors.dtype} {list(vectors.shape)}"
        raise DataError(describe("export", expected=f"vectors float32 [{len(names)}, D], one for each name", got=got))
    wrong = first_not_finite(vectors)
    if wrong is not None:
        got = f"{wrong[1]} for node {names[wrong[0]]!r}"
        raise DataError(
            describe("export", expected="vectors of finite numbers", got=got, hint="Train the model again.")
        )
    if chosen.startswith("word2vec"):
        check_no_blanks(path, names)
    with atomic_path(path) as temporary:
        if chosen == "parquet":
            _write_parquet(temporary, vectors, names)
        elif chosen == "npz":
            _write_npz(temporary, vectors, names)
        else:
            with temporary.open("wb") as file:
                _write_rows(file, vectors, names, chosen, num_thread)


def choose_format(path: str | Path, format: str) -> str:
    """Return the format that a file is written in: `format`, or for "auto" that of its suffix.

    Raises
    ------
    ConfigError
        There is no such format.
    """
    if format == "auto":
        suffix = Path(path).suffix.lower()
        if suffix not in SUFFIXES:
            expected = f"a file name that ends in one of {', '.join(SUFFIXES)}"
            hint = f"Or choose a format: {', '.join(FORMATS)}."
            raise ConfigError(describe(path, expected=expected, got=suffix, hint=hint))
        return SUFFIXES[suffix]
    if format not in FORMATS:
        raise ConfigError(describe("format", expected=f"one of {', '.join(FORMATS)}", got=format))
    return format


def check_no_blanks(path: str | Path, names: Vocabulary) -> None:
    """Refuse names that word2vec files cannot hold: readers would cut them in two, or shift all numbers by one."""
    import pyarrow.compute as pc

    if not names.is_text:
        return
    bad = pc.or_(pc.match_substring_regex(names.to_arrow(), r"[ \t\n\r\v\f]"), pc.equal(names.to_arrow(), ""))
    count = pc.sum(bad).as_py() or 0
    if count:
        example = names[int(pc.index(bad, True).as_py())]
        got = f"{example!r}" + (f" and {count - 1} more" if count > 1 else "")
        hint = "Export to TSV, CSV, Parquet or npz instead: they hold any name."
        raise DataError(f"{path}: expected names without blanks for the word2vec format, got {got}. {hint}")


def holds_vectors(path: str | Path, format: str) -> bool:
    """Tell from its beginning whether a file is one that :func:`export_vectors` writes in a format.

    Parameters
    ----------
    path : str or Path
        The file.
    format : str
        One of :data:`FORMATS`.

    Raises
    ------
    OSError
        It cannot be read.
    """
    if format == "npz":
        import zipfile

        with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
            return archive.namelist() == ["vectors.npy", "names.npy"]
        return False
    if format == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        with contextlib.suppress(pa.ArrowException):
            return pq.read_schema(path).names == ["name", "vector"]
        return False
    with open(path, "rb") as file:  # noqa: PTH123
        first, second = file.readline(1 << 20), file.readline(1 << 24)
    if format in ("tsv", "csv"):
        return first.startswith(b"name\tv0" if format == "tsv" else b"name,v0")
    size = re.fullmatch(rb"(\d{1,12}) (\d{1,9})\r?\n", first)
    if size is None:
        return False
    if format == "word2vec-binary":
        return Path(path).stat().st_size >= int(size[1]) * (4 * int(size[2]) + 2)
    return int(size[2]) > 1 and len(second.split()) == 1 + int(size[2])  # an edge list has a weight at most


def _blocks(num_rows: int, dim: int, size: int) -> Iterator[slice]:
    step = max(1, size // max(1, dim))
    for begin in range(0, num_rows, step):
        yield slice(begin, min(begin + step, num_rows))


def _name_block(names: Vocabulary, block: slice) -> pa.Array:
    """Return names as text; a range is never held as a whole."""
    import pyarrow as pa

    if names.is_range:
        return pa.array(np.arange(block.start, block.stop)).cast(pa.string())
    return names.to_arrow()[block.start : block.stop].cast(pa.string())


def _write_rows(file: BinaryIO, vectors: FloatArray, names: Vocabulary, format: str, num_thread: int) -> None:
    num_rows, dim = vectors.shape
    separator = {"tsv": "\t", "csv": ","}.get(format, " ")
    if format in ("tsv", "csv"):
        file.write(separator.join(["name", *(f"v{i}" for i in range(dim))]).encode() + b"\n")
    else:
        file.write(f"{num_rows} {dim}\n".encode())

    def render(block: slice) -> Any:
        rows = np.ascontiguousarray(vectors[block])
        labels = _name_block(names, block)
        if format == "word2vec-binary":
            return _binary_rows(labels, rows)
        return _text_rows(_quote(labels, separator) if format in ("tsv", "csv") else labels, rows, separator)

    # Arrow turns numbers into text without the GIL. Only as many blocks as threads are in memory.
    for rendered in _in_order(render, _blocks(num_rows, dim, _BLOCK), num_thread):
        file.write(rendered)


def _in_order(function: Callable[[slice], Any], blocks: Iterator[slice], num_thread: int) -> Iterator[Any]:
    """Apply a function to blocks in threads, a few ahead, and give the results in order."""
    if num_thread <= 1:
        yield from map(function, blocks)
        return
    waiting: deque[Future[Any]] = deque()
    with ThreadPoolExecutor(num_thread) as pool:
        for block in blocks:
            waiting.append(pool.submit(function, block))
            if len(waiting) > num_thread:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _text_rows(labels: pa.Array, rows: FloatArray, separator: str) -> Any:
    """Return the bytes of the lines ``label number ... number``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = pc.cast(pa.array(rows.reshape(-1)), pa.string())
    ends = pa.array(np.arange(0, rows.size + 1, rows.shape[1], dtype=np.int32))
    joined = pc.binary_join(pa.ListArray.from_arrays(ends, numbers), separator)
    lines = pc.binary_join_element_wise(pc.binary_join_element_wise(labels, joined, separator), "", "\n")
    return _data(lines)


def _binary_rows(labels: pa.Array, rows: FloatArray) -> Any:
    """Return the bytes ``label``, a blank, the numbers, a line end, for each row."""
    import pyarrow as pa
    import pyarrow.compute as pc

    little = rows.astype("<f4", copy=False)
    width = little.shape[1] * 4
    cells = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(little), [None, pa.py_buffer(little)])
    joined = pc.binary_join_element_wise(labels.cast(pa.binary()), cells.cast(pa.binary()), b" ")
    return _data(pc.binary_join_element_wise(joined, b"", b"\n"))


def _data(lines: pa.Array) -> Any:
    """Return the bytes that the elements of an array of text or binary lie in, one after the other."""
    offsets = np.frombuffer(lines.buffers()[1], dtype=np.int32)
    first, last = int(offsets[lines.offset]), int(offsets[lines.offset + len(lines)])
    return memoryview(lines.buffers()[2])[first:last]


def _quote(labels: pa.Array, separator: str) -> pa.Array:
    """Quote names as CSV readers expect it, where they hold the separator, a quote or a line end."""
    import pyarrow.compute as pc

    special = pc.match_substring_regex(labels, f'[{separator}"\n\r]')
    if not pc.any(special).as_py():
        return labels
    doubled = pc.replace_substring(labels, '"', '""')
    return pc.if_else(special, pc.binary_join_element_wise('"', doubled, '"', ""), labels)


def _write_npz(path: Path, vectors: FloatArray, names: Vocabulary) -> None:
    import zipfile

    num_rows, dim = vectors.shape
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        with archive.open("vectors.npy", "w", force_zip64=True) as member:
            _npy_header(member, "<f4", vectors.shape)
            for block in _blocks(num_rows, dim, _BLOCK):
                member.write(np.ascontiguousarray(vectors[block], dtype="<f4").reshape(-1).view(np.uint8).data)
        dtype = _name_dtype(names)
        info = zipfile.ZipInfo("names.npy")
        info.compress_type = zipfile.ZIP_DEFLATED  # text of equal width is mostly zeros
        with archive.open(info, "w", force_zip64=True) as member:
            _npy_header(member, dtype, (num_rows,))
            for block in _blocks(num_rows, 16, _BLOCK):
                member.write(np.array(names[block], dtype=dtype).tobytes())


def _name_dtype(names: Vocabulary) -> str:
    import pyarrow.compute as pc

    if not names.is_text:
        return "<i8"
    return f"<U{max(1, pc.max(pc.utf8_length(names.to_arrow())).as_py() or 1)}"


def _npy_header(member: Any, dtype: str, shape: tuple[int, ...]) -> None:
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(member, header)


def _write_parquet(path: Path, vectors: FloatArray, names: Vocabulary) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    num_rows, dim = vectors.shape
    name_type = pa.string() if names.is_text else pa.int64()
    schema = pa.schema([("name", name_type), ("vector", pa.list_(pa.float32(), dim))])
    # Vectors do not get smaller by compression or by a dictionary; trying costs most of the time.
    options: dict[str, Any] = {"compression": {"name": "zstd"}, "use_dictionary": False}
    with pq.ParquetWriter(path, schema, **options) as writer:
        for block in _blocks(num_rows, dim, _ROW_GROUP):
            values = pa.array(np.ascontiguousarray(vectors[block]).reshape(-1))
            cells = pa.FixedSizeListArray.from_arrays(values, dim)
            labels = _name_block(names, block).cast(name_type)
            writer.write_table(pa.table([labels, cells], schema=schema), row_group_size=len(cells))
