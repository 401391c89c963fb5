"""Safetensors files: written and checked by the package of that name, mapped by NumPy.

The package does not copy arrays to write them, and checks every header it opens. Its NumPy reader however gives copies
in memory, never maps: of a header it has checked we take the sizes, and map the tensors ourselves. So opening takes no
memory at any size.

What we write has a checksum of every tensor and of the other metadata in the metadata ``checksums``. Opening reads the file once to compare
them, at the speed of the disk, or about 2.5 GB/s and thread where it is in memory.
"""

from __future__ import annotations

import json
import math
import mmap as memory_map
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from nodeloom.errors import ModelError, describe
from nodeloom.io.atomic import atomic_path
from nodeloom.io.checksum import checksum_in_file, checksum_of, checksum_of_text

if TYPE_CHECKING:
    from collections.abc import Mapping

# Private maps take memory for written pages only. NORESERVE keeps the system from counting a file larger than memory against it.
_PRIVATE: dict[str, int] = (
    {
        "flags": memory_map.MAP_PRIVATE | getattr(memory_map, "MAP_NORESERVE", 0),
        "prot": memory_map.PROT_READ | memory_map.PROT_WRITE,
    }
    if hasattr(memory_map, "MAP_PRIVATE")
    else {"access": memory_map.ACCESS_COPY}
)

Tensor = np.ndarray[Any, np.dtype[Any]]

_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip


CHECKSUMS = "checksums"
"""The key of the metadata under which the checksums are, as JSON: that of each tensor, and under "" that of the other metadata."""
_DAMAGED = "The file is damaged: copy it again, or go back to an earlier one."


class DamagedError(ModelError):
    """A file is not what was written: its checksums differ."""


@dataclass(frozen=True)
class TensorFile:
    """What a safetensors file holds.

    Attributes
    ----------
    tensors : dict of str to ndarray
        Private maps of the file, or arrays in memory.
    metadata : dict of str to str
        The text under ``__metadata__``, checksums left out.
    has_checksums : bool
        Whether there were checksums, which then were right.
    not_finite : tuple of str
        The tensors that hold NaN or infinity.
    """

    tensors: dict[str, Tensor]
    metadata: dict[str, str]
    has_checksums: bool
    not_finite: tuple[str, ...]


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write arrays to one safetensors file, atomically and without a copy of them.

    Parameters
    ----------
    path : str or Path
        The file. A device or a pipe is written to as it is, from a copy in memory.
    tensors : mapping of str to ndarray
        Arrays of any shape and of a dtype that the format knows. Only those that are not row-major or not little-endian
        are copied.
    metadata : mapping of str to str
        Text for the header.

    Raises
    ------
    OutputError
        If the file cannot be written; what was at ``path`` stays.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save, save_file

    rows = {name: _row_major(tensor) for name, tensor in tensors.items()}
    metadata = with_checksums(metadata, {name: checksum_of(tensor) for name, tensor in rows.items()})
    with atomic_path(path) as temporary:
        mode = temporary.stat().st_mode
        if not stat.S_ISREG(mode):
            # The package would rename a file of its own over the device.
            temporary.write_bytes(save(rows, metadata))
            return
        try:
            save_file(rows, temporary, metadata)
        except SafetensorError as error:
            # What the system says about a file arrives as text only.
            number = re.search(r"\(os error (\d+)\)", str(error))
            if number is None:
                raise
            raise OSError(int(number[1]), os.strerror(int(number[1]))) from error
        temporary.chmod(stat.S_IMODE(mode))  # the package makes files that nobody else may read


def with_checksums(metadata: Mapping[str, str], checksums: Mapping[str, str]) -> dict[str, str]:
    """Return metadata with the checksums of the tensors, and of the metadata themselves, under :data:`CHECKSUMS`."""
    plain = {key: text for key, text in metadata.items() if key != CHECKSUMS}
    return {**plain, CHECKSUMS: json.dumps({**checksums, "": checksum_of_text(plain)}, separators=(",", ":"))}


def read_tensors(path: str | Path, *, mmap: bool = True) -> TensorFile:
    """Read a safetensors file.

    Parameters
    ----------
    path : str or Path
        The file.
    mmap : bool
        Map the tensors instead of keeping them in memory. What is written to them does not reach the file.

    Returns
    -------
    TensorFile
        Tensors by name, in the order of the file, and the metadata.

    Raises
    ------
    ModelError
        If there is no such file, or it is cut, or not a safetensors file at all.
    DamagedError
        If its checksums differ.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            found = _read(path, file, mmap)
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return found
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModelError(describe(path, expected="a model file that can be read", got=reason)) from error
    return read_tensors(path, mmap=mmap)  # another process has replaced the file between two looks at it


def _read(path: Path, file: BinaryIO, mmap: bool) -> TensorFile:
    from safetensors import SafetensorError, safe_open

    start = file.read(9)
    try:
        with safe_open(path, framework="np") as opened:
            # A checked header describes tensors that lie back to back: their order and sizes say where each begins.
            offset = 8 + int.from_bytes(start[:8], "little")
            metadata = dict(opened.metadata() or {})
            checksums = _checksums(path, metadata)
            tensors, not_finite = {}, []
            for name in opened.offset_keys():
                entry = opened.get_slice(name)
                code, shape = entry.get_dtype(), tuple(entry.get_shape())
                if code not in _DTYPES:
                    raise ModelError(describe(path, expected=f"tensor {name!r} of one of {sorted(_DTYPES)}", got=code))
                dtype = np.dtype(_DTYPES[code])
                size = math.prod(shape) * dtype.itemsize
                if checksums is not None or dtype.kind == "f":
                    found, is_finite = checksum_in_file(file, offset, dtype, shape)
                    if checksums is not None and found != checksums.get(name):
                        raise _differs(path, f"tensor {name!r}", checksums.get(name), found)
                    if not is_finite:
                        not_finite.append(name)
                # Kernels are compiled for aligned arrays; what we write is aligned.
                mapped = mmap and size and offset % dtype.itemsize == 0
                tensors[name] = _map(file, dtype, shape, offset) if mapped else opened.get_tensor(name)
                offset += size
            if checksums is not None and checksums.keys() - {""} != tensors.keys():
                missing = sorted(checksums.keys() - {""} - tensors.keys())
                raise DamagedError(describe(path, expected=f"tensors {missing}", got=sorted(tensors), hint=_DAMAGED))
            return TensorFile(tensors, metadata, checksums is not None, tuple(not_finite))
    except SafetensorError as error:
        if start[8:9] != b"{":
            kind = _looks_like(start, os.fstat(file.fileno()).st_size)
            raise ModelError(describe(path, expected="a model file (safetensors)", got=kind)) from error
        reason = str(error).splitlines()[0].removeprefix("Error while deserializing header: ")
        hint = "The file is cut or damaged: copy it again, or go back to an earlier one."
        raise ModelError(describe(path, expected="a whole safetensors file", got=reason, hint=hint)) from error


def _checksums(path: Path, metadata: dict[str, str]) -> dict[str, str] | None:
    """Take the checksums out of the metadata and compare the checksum of the rest; return None if there are none."""
    text = metadata.pop(CHECKSUMS, None)
    if text is None:
        return None
    try:
        checksums = json.loads(text)
    except (ValueError, RecursionError):
        checksums = None
    if not isinstance(checksums, dict) or not all(isinstance(value, str) for value in checksums.values()):
        raise DamagedError(describe(path, expected="checksums as JSON", got=text, hint=_DAMAGED))
    found = checksum_of_text(metadata)
    if found != checksums.get(""):
        raise _differs(path, "metadata", checksums.get(""), found)
    return checksums


def _differs(path: Path, what: str, expected: str | None, found: str) -> DamagedError:
    return DamagedError(describe(path, expected=f"{what} with the checksum {expected}", got=found, hint=_DAMAGED))


def _map(file: BinaryIO, dtype: np.dtype[Any], shape: tuple[int, ...], offset: int) -> Tensor:
    """Map a tensor. What is written to it stays in this process: libraries write to vectors without asking whether they may."""
    start = offset - offset % memory_map.ALLOCATIONGRANULARITY
    size = offset - start + math.prod(shape) * dtype.itemsize
    try:
        area = memory_map.mmap(file.fileno(), size, offset=start, **_PRIVATE)
    except OSError:  # a system that promises no more than it has, and a file of more than that
        area = memory_map.mmap(file.fileno(), size, offset=start, access=memory_map.ACCESS_READ)
    return np.ndarray(shape, dtype, area, offset - start)


def _row_major(tensor: Tensor) -> Tensor:
    tensor = np.asarray(tensor)
    return np.asarray(tensor, dtype=tensor.dtype.newbyteorder("<"), order="C")


def _looks_like(start: bytes, size: int) -> str:
    """Say in words what a file that is no safetensors file seems to be."""
    if size == 0:
        return "an empty file"
    if start.startswith(b"\x80") or start[:4] in (b"(dp0", b"ccop"):
        return "a pickle (a model of GraphVite must end in .pkl)"
    kinds: tuple[tuple[bytes, str], ...] = (
        (b"PK\x03\x04", "a zip or npz file"),
        (b"PAR1", "a Parquet file"),
        (b"\x1f\x8b", "a gzip file"),
        (b"\x93NUMPY", "an npy file"),
        (b"ARROW1", "an Arrow file"),
        (b"nodeloom", "another file of nodeloom"),
    )
    for magic, kind in kinds:
        if start.startswith(magic):
            return kind
    if all(byte in b"\t\r\n" or byte >= 32 for byte in start):
        return "a text file"
    return f"{size} bytes of something else" + (", or a cut file" if size <= 8 else "")
