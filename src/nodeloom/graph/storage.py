"""The compiled graph: one file of plain arrays that is mapped into memory, not read.

The file is a valid safetensors file: 8 bytes with the length of the header, a JSON header, then the arrays
``indptr``, ``names`` (an Arrow IPC stream as bytes, absent for a range), ``indices`` and ``weights`` (absent for an
unweighted graph), each at a multiple of 8 bytes. ``__metadata__`` says what it is.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError
from nodeloom.io.atomic import atomic_path
from nodeloom.io.vocabulary import Vocabulary

if TYPE_CHECKING:
    from nodeloom.graph.graph import Graph

FORMAT = "nodeloom-graph"
VERSION = "1"
_DTYPES = {"I64": np.int64, "I32": np.int32, "F32": np.float32, "U8": np.uint8}
_CODES = {np.dtype(dtype): code for code, dtype in _DTYPES.items()}
# A header is some hundred bytes; more than this is another kind of file.
_MAX_HEADER = 1 << 16


def save(graph: Graph, path: str | Path) -> None:
    """Write `graph` to `path`, atomically; see :meth:`nodeloom.graph.Graph.save`."""
    arrays: dict[str, npt.NDArray[Any]] = {"indptr": graph.indptr}
    if not graph.names.is_range:
        arrays["names"] = np.frombuffer(graph.names.to_bytes(), np.uint8)
    arrays["indices"] = graph.indices
    if graph.weights is not None:
        arrays["weights"] = graph.weights
    header: dict[str, Any] = {
        "__metadata__": {
            "format": FORMAT,
            "format_version": VERSION,
            "directed": json.dumps(graph.directed),
            "num_loops": str(graph.num_loops),
            "fingerprint": graph.fingerprint(),
        }
    }
    offset = 0
    for name, array in arrays.items():
        header[name] = {
            "dtype": _CODES[array.dtype],
            "shape": [len(array)],
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 64)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for array in arrays.values():
            file.write(np.ascontiguousarray(array).view(np.uint8).data)


def read(path: str | Path) -> Graph:
    """Open a compiled graph, its arrays mapped; see :meth:`nodeloom.graph.Graph.open`."""
    from nodeloom.graph.graph import Graph

    path = Path(path)
    header, start, size = _read_header(path)
    metadata = header.pop("__metadata__")
    arrays: dict[str, npt.NDArray[Any]] = {}
    try:
        for name, entry in header.items():
            dtype = np.dtype(_DTYPES[entry["dtype"]])
            first, last = entry["data_offsets"]
            (length,) = entry["shape"]
            if last - first != length * dtype.itemsize or first < 0:
                raise ValueError(name)
            if start + last > size:
                raise _foreign(path, f"a file of {size:,} bytes that ends within '{name}'", truncated=True)
            arrays[name] = (
                np.memmap(path, dtype, "r", start + first, (length,)).view(np.ndarray) if length else np.empty(0, dtype)
            )
        indptr, indices, weights = arrays["indptr"], arrays["indices"], arrays.get("weights")
        names = Vocabulary.from_bytes(arrays["names"]) if "names" in arrays else Vocabulary.range(len(indptr) - 1)
        fits = indptr[0] == 0 and indptr[-1] == len(indices) and len(names) == len(indptr) - 1
        if not fits or (weights is not None and len(weights) != len(indices)):
            raise ValueError("lengths")
        graph = Graph(indptr, indices, weights, names, json.loads(metadata["directed"]))
        graph._cache["num_loops"] = int(metadata["num_loops"])
        graph._cache["fingerprint"] = str(metadata["fingerprint"])
    except (KeyError, ValueError, TypeError, IndexError) as error:
        if isinstance(error, DataError):
            raise
        raise _foreign(path, f"one whose parts do not fit together ({error})", truncated=True) from None
    return graph


def _read_header(path: Path) -> tuple[dict[str, Any], int, int]:
    """Return the header, where the arrays start, and the size of the file."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            text = file.read(length) if 8 <= length <= _MAX_HEADER else b""
    except FileNotFoundError:
        raise DataError(f"{path}: expected a compiled graph, got no file of this name") from None
    except IsADirectoryError:
        raise DataError(f"{path}: expected a compiled graph, got a folder") from None
    except OSError as error:
        raise DataError(f"{path}: expected a compiled graph that can be read, got: {error.strerror}") from None
    try:
        header = json.loads(text) if len(text) == length else None
    except ValueError:
        header = None
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    if header is None or not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise _foreign(path, "an empty file" if size == 0 else "another kind of file")
    if metadata.get("format_version") != VERSION:
        raise _foreign(path, f"one of version {metadata.get('format_version')!r}: use a newer nodeloom")
    return header, 8 + length, size


def _foreign(path: Path, got: str, *, truncated: bool = False) -> DataError:
    hint = (
        "Write it again with 'nodeloom convert' or Graph.save."
        if truncated
        else "For a list of edges use Graph.from_file."
    )
    return DataError(f"{path}: expected a compiled graph, got {got}. {hint}")
