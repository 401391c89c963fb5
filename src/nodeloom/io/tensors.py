"""Safetensors files, written from and mapped into NumPy arrays without a copy.

The format (https://github.com/huggingface/safetensors): 8 bytes little-endian length of the header, a JSON header
``{name: {dtype, shape, data_offsets}, "__metadata__": {str: str}}``, then the tensors back to back. We write and read
it ourselves because the package of that name copies: its NumPy writer takes ``bytes`` (before version 0.8) and its
NumPy reader never maps, so a table of many gigabytes would need its size again. The tests hold our files against it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nodeloom.errors import ModelError, describe
from nodeloom.io.atomic import atomic_path

Tensor = np.ndarray[Any, np.dtype[Any]]

_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip
_CODES = {np.dtype(dtype): code for code, dtype in _DTYPES.items()}
_ALIGNMENT = 64  # the first tensor starts on a cache line, also when mapped
_MAX_HEADER = 100_000_000  # the limit of the format
_BLOCK = 1 << 26  # bytes written at a time


@dataclass(frozen=True)
class TensorFile:
    """What a safetensors file holds.

    Attributes
    ----------
    tensors : dict of str to ndarray
        Read-only maps of the file, or arrays in memory.
    metadata : dict of str to str
        The text under ``__metadata__``.
    """

    tensors: dict[str, Tensor]
    metadata: dict[str, str]


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write arrays to one safetensors file, atomically and without a copy of them.

    Parameters
    ----------
    path : str or Path
        The file.
    tensors : mapping of str to ndarray
        Arrays of any shape and of a dtype that the format knows. They are written in this order, row-major; arrays that
        are not contiguous go through a block of 64 MB.
    metadata : mapping of str to str
        Text for the header.

    Raises
    ------
    OutputError
        If the file cannot be written; what was at ``path`` stays.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    offset = 0
    for name, tensor in tensors.items():
        code = _CODES.get(tensor.dtype.newbyteorder("<"))
        if code is None:
            raise TypeError(describe(f"tensor {name!r}", expected=f"a dtype of {sorted(_DTYPES)}", got=tensor.dtype))
        offsets = [offset, offset + tensor.nbytes]
        header[name] = {"dtype": code, "shape": list(tensor.shape), "data_offsets": offsets}
        offset = offsets[1]
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % _ALIGNMENT)
    with atomic_path(path) as temporary, temporary.open("wb", buffering=0) as file:
        _write_all(file, len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            _write_tensor(file, tensor)


def read_tensors(path: str | Path, *, mmap: bool = True) -> TensorFile:
    """Read a safetensors file.

    Parameters
    ----------
    path : str or Path
        The file.
    mmap : bool
        Map the tensors (read-only, nothing is read until it is used) instead of reading them into memory.

    Returns
    -------
    TensorFile
        Tensors by name, in the order of the file, and the metadata.

    Raises
    ------
    ModelError
        If there is no such file, or it is cut, or not a safetensors file at all.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start, header = _read_header(path, file.read(8), file.read, size)
            layout = _layout(path, header, size - start)
            metadata = header.get("__metadata__", {})
            tensors = {name: _take(path, file, start, entry, mmap) for name, entry in layout.items()}
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModelError(describe(path, expected="a model file that can be read", got=reason)) from error
    if not isinstance(metadata, dict):
        raise ModelError(_damaged(path, "metadata that are not text"))
    return TensorFile(tensors, {str(key): str(value) for key, value in metadata.items()})


@dataclass(frozen=True)
class _Entry:
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    num_bytes: int


def _read_header(path: Path, prefix: bytes, read: Any, size: int) -> tuple[int, dict[str, Any]]:
    """Return where the tensors start and the parsed header."""
    length = int.from_bytes(prefix, "little")
    if size < 8 or not 2 <= length <= _MAX_HEADER:
        raise ModelError(describe(path, expected="a model file (safetensors)", got=_looks_like(prefix, size)))
    raw = read(min(length, size - 8))
    if not raw.startswith(b"{"):
        raise ModelError(describe(path, expected="a model file (safetensors)", got=_looks_like(prefix, size)))
    if len(raw) < length:
        raise ModelError(_truncated(path, 8 + length, size))
    try:
        header = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ModelError(_damaged(path, "a header that is not JSON")) from error
    if not isinstance(header, dict):
        raise ModelError(_damaged(path, "a header that is not an object"))
    return 8 + length, header


def _layout(path: Path, header: dict[str, Any], available: int) -> dict[str, _Entry]:
    """Check that the header describes tensors that lie back to back and fill the file."""
    entries = {}
    for name, value in header.items():
        if name == "__metadata__":
            continue
        try:
            begin, end = (int(x) for x in value["data_offsets"])
            shape = tuple(int(x) for x in value["shape"])
            code = str(value["dtype"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(_damaged(path, f"no dtype, shape and offsets for tensor {name!r}")) from error
        if code not in _DTYPES:
            raise ModelError(describe(path, expected=f"tensor {name!r} of one of {sorted(_DTYPES)}", got=code))
        dtype = np.dtype(_DTYPES[code])
        count = 1
        for length in shape:  # Python integers: a forged shape must not overflow
            count *= length
        if min(shape, default=0) < 0 or begin < 0 or end - begin != count * dtype.itemsize:
            raise ModelError(_damaged(path, f"offsets {begin}:{end} for tensor {name!r} {code} {list(shape)}"))
        entries[name] = _Entry(dtype, shape, begin, end - begin)
    expected = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].num_bytes)):
        if entry.begin != expected:
            raise ModelError(_damaged(path, f"tensor {name!r} at byte {entry.begin} instead of {expected}"))
        expected += entry.num_bytes
    if available < expected:
        raise ModelError(_truncated(path, expected, available))
    if available > expected:
        raise ModelError(_damaged(path, f"{available - expected} bytes after the last tensor"))
    return entries


def _take(path: Path, file: Any, start: int, entry: _Entry, mmap: bool) -> Tensor:
    if entry.num_bytes == 0:
        return np.empty(entry.shape, dtype=entry.dtype)
    offset = start + entry.begin
    if mmap:
        # The open file and not its name: another process may be replacing the file at this moment.
        return np.memmap(file, dtype=entry.dtype, mode="r", offset=offset, shape=entry.shape).view(np.ndarray)
    file.seek(offset)
    flat = np.fromfile(file, dtype=entry.dtype, count=entry.num_bytes // entry.dtype.itemsize)
    return flat.reshape(entry.shape)


def _write_tensor(file: Any, tensor: Tensor) -> None:
    tensor = np.asarray(tensor)
    little = tensor.dtype.newbyteorder("<")
    if tensor.flags.c_contiguous and tensor.dtype == little:
        flat = tensor.reshape(-1).view(np.uint8)
        for begin in range(0, flat.size, _BLOCK):
            _write_all(file, flat[begin : begin + _BLOCK].data)
        return
    rows = max(1, _BLOCK // max(1, tensor[:1].nbytes)) if tensor.ndim else 1
    for begin in range(0, len(tensor), rows):
        block = np.ascontiguousarray(tensor[begin : begin + rows], dtype=little)
        _write_all(file, block.reshape(-1).view(np.uint8).data)


def _write_all(file: Any, data: bytes | memoryview) -> None:
    """Write every byte. A raw write may stop early, for example at the limit of 2 GB of one system call."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _truncated(path: Path, expected: int, got: int) -> str:
    hint = "The file is cut: copy it again, or go back to an earlier one."
    return describe(path, expected=f"{expected} bytes", got=got, hint=hint)


def _damaged(path: Path, got: str) -> str:
    return describe(path, expected="a whole safetensors file", got=got, hint="The file is damaged.")


def _looks_like(prefix: bytes, size: int) -> str:
    """Say in words what a file that is no safetensors file seems to be."""
    if size == 0:
        return "an empty file"
    if prefix.startswith(b"\x80") or prefix[:4] in (b"(dp0", b"ccop"):
        return "a pickle (a model of GraphVite must end in .pkl)"
    kinds: tuple[tuple[bytes, str], ...] = (
        (b"PK\x03\x04", "a zip or npz file"),
        (b"PAR1", "a Parquet file"),
        (b"\x1f\x8b", "a gzip file"),
    )
    kinds += ((b"\x93NUMPY", "an npy file"), (b"ARROW1", "an Arrow file"), (b"nodeloom", "another file of nodeloom"))
    for magic, kind in kinds:
        if prefix.startswith(magic):
            return kind
    if prefix and all(byte in b"\t\r\n" or byte >= 32 for byte in prefix):
        return "a text file"
    return f"{size} bytes of something else" + (", or a cut file" if size < 8 else "")
