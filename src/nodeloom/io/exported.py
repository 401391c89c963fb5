"""Vectors in tables and archives, as export writes them: TSV, CSV, Parquet, npz; read back as a model with one table."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.errors import ModelError, describe
from nodeloom.io.source import open_source
from nodeloom.io.word2vec import model_of

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from nodeloom.io.model_data import ModelData

# What reading a damaged archive or table may raise, beside the errors of Arrow.
_DAMAGE = (
    OSError, ValueError, KeyError, EOFError, RuntimeError, SyntaxError, TypeError, MemoryError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_HEADS = {b"name\tv0": "\t", b"name,v0": ","}


def kind_of(start: bytes) -> str:
    """Return what the first bytes of a file tell: "npz", "parquet", "table", or "" for none of these."""
    if start.startswith(b"PK\x03\x04") and start[30:41] == b"vectors.npy":
        return "npz"
    if start.startswith(b"PAR1"):
        return "parquet"
    return "table" if start.startswith(tuple(_HEADS)) else ""


def has_vectors(path: Path) -> bool:
    """Tell whether a Parquet file has the columns of exported vectors."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(path).names[:2] == ["name", "vector"]
    except (pa.ArrowException, *_DAMAGE):
        return False


def read_exported(path: Path, kind: str) -> ModelData:
    """Read what :func:`nodeloom.io.export.export_vectors` has written.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        As :func:`kind_of` says.

    Raises
    ------
    ModelError
        It is cut or damaged, a vector is not finite, or a name is there twice.
    """
    import pyarrow as pa

    read = {"npz": _npz, "parquet": _parquet, "table": _table}[kind]
    try:
        names, vectors = read(path)
    except (pa.ArrowException, *_DAMAGE) as error:
        if isinstance(error, ModelError):
            raise
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{path}: expected vectors as nodeloom exports them ({kind}), got: {reason}") from None
    return model_of(path, names, vectors, source=kind)


def _npz(path: Path) -> tuple[Any, np.ndarray[Any, Any]]:
    with zipfile.ZipFile(path) as archive:
        vectors, names = (_member(archive, name, path) for name in ("vectors.npy", "names.npy"))
    if (
        vectors.dtype != np.float32
        or vectors.ndim != 2
        or names.shape != (len(vectors),)
        or names.dtype.kind not in "iU"
    ):
        got = f"vectors {vectors.dtype} {list(vectors.shape)}, names {names.dtype} {list(names.shape)}"
        raise ModelError(describe(path, expected="vectors float32 [N, D] and names [N]", got=got))
    return names, vectors


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> np.ndarray[Any, Any]:
    """Return an array of an archive, after a look at how large its header says it is."""
    info = archive.getinfo(name)
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        if version != (1, 0):
            raise ModelError(describe(path, expected="arrays in version 1.0 of NumPy's format", got=version))
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(member)
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject or is_fortran or member.tell() + size != info.file_size:
            raise ModelError(
                describe(path, expected=f"{size:,} bytes of {name}", got=f"{info.file_size:,} bytes in all")
            )
        if size > 1100 * info.compress_size + 1024:  # deflate cannot
            raise ModelError(describe(path, expected=f"a size of {name} that fits the file", got=f"{size:,} bytes"))
        return np.frombuffer(member.read(), dtype).reshape(shape)


def _parquet(path: Path) -> tuple[pa.Array, np.ndarray[Any, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    schema = file.schema_arrow
    if schema.names[:2] != ["name", "vector"] or not pa.types.is_fixed_size_list(schema.field("vector").type):
        hint = "A model or exported vectors have the columns name and vector."
        raise ModelError(describe(path, expected="columns 'name' and 'vector'", got=schema.names[:10], hint=hint))
    dim = schema.field("vector").type.list_size
    table = file.read(["name", "vector"])
    table.validate(full=True)
    if table.column("vector").null_count or dim < 1:
        raise ModelError(describe(path, expected="a vector for every name", got="none for some"))
    cells = [chunk.flatten() for chunk in table.column("vector").chunks]
    values = pa.chunked_array(cells, schema.field("vector").type.value_type).cast(pa.float32())
    if values.null_count:
        raise ModelError(describe(path, expected="numbers in every vector", got="none in some"))
    return table.column("name"), values.to_numpy().reshape(-1, dim)


def _table(path: Path) -> tuple[pa.Array, np.ndarray[Any, Any]]:
    import pyarrow as pa
    import pyarrow.csv

    with open_source(path) as source:
        head = source.peek(1 << 20).partition(b"\n")[0].rstrip(b"\r").decode()
        delimiter = next(d for start, d in _HEADS.items() if head.encode().startswith(start))
        columns = head.split(delimiter)
        if columns != ["name", *(f"v{i}" for i in range(len(columns) - 1))]:
            raise ModelError(describe(path, expected="a header name, v0, v1, ...", got=head[:80]))
        table = pyarrow.csv.read_csv(
            io.BytesIO(b"".join(iter(lambda: source.read(1 << 22), b""))),
            read_options=pyarrow.csv.ReadOptions(use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={"name": pa.string(), **dict.fromkeys(columns[1:], pa.float32())},
                null_values=[],
                strings_can_be_null=False,
            ),
        )
    return table.column(0), np.stack([column.to_numpy() for column in table.columns[1:]], axis=1)
