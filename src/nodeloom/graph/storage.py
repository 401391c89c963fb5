"""The compiled graph: one safetensors file of plain arrays that is mapped into memory, not read.

It holds ``indptr``, ``indices``, ``weights`` (absent for an unweighted graph) and ``names`` (an Arrow IPC stream as bytes, absent for
a range); ``__metadata__`` says what it is.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, ModelError
from nodeloom.graph.rows import GraphRows
from nodeloom.io.tensors import DamagedError, read_tensors, write_tensors
from nodeloom.io.vocabulary import Vocabulary
from nodeloom.words import by_interface

if TYPE_CHECKING:
    from collections.abc import Mapping

Rows = TypeVar("Rows", bound=GraphRows)

FORMAT = "nodeloom-graph"
VERSION = "2"
KIND = "a compiled graph"
_DTYPES = {"indptr": ("int64",), "indices": ("int32", "int64"), "weights": ("float32",), "names": ("uint8",)}


def save(graph: GraphRows, path: str | Path) -> None:
    """Write `graph` to `path`, atomically; see :meth:`nodeloom.graph.Graph.save`."""
    arrays: dict[str, npt.NDArray[Any]] = {"indptr": graph.indptr, "indices": graph.indices}
    if not graph.names.is_range:
        arrays["names"] = np.frombuffer(graph.names.to_bytes(), np.uint8)
    if graph.weights is not None:
        arrays["weights"] = graph.weights
    metadata = {
        "format": FORMAT,
        "format_version": VERSION,
        "directed": json.dumps(graph.directed),
        "num_loops": str(graph.num_loops),
        "fingerprint": graph.fingerprint(),
    }
    write_tensors(path, arrays, metadata)


def read(path: str | Path, kind: type[Rows]) -> Rows:
    """Open a compiled graph as one of this kind, its arrays mapped; see :meth:`nodeloom.graph.Graph.open`."""
    path = Path(path)
    check_there(path)
    try:
        file = read_tensors(path)
    except DamagedError as error:
        raise DataError(f"{error} Or write it again with 'nodeloom convert' or Graph.save.") from error
    except ModelError as error:
        raise foreign(path, "another kind of file, or one that is cut or damaged") from error
    arrays, metadata = file.tensors, file.metadata
    if metadata.get("format") != FORMAT:
        raise foreign(path, "another kind of file")
    version = metadata.get("format_version")
    if version not in ("1", VERSION):
        raise foreign(path, f"one of version {version!r}: use a newer nodeloom")
    if version == VERSION and not file.has_checksums:
        raise foreign(path, "one without checksums", damaged=True)
    try:
        check_kinds(arrays, _DTYPES)
        directed, num_loops, fingerprint = _facts(metadata)
        indptr, indices, weights = arrays["indptr"], arrays["indices"], arrays.get("weights")
        names = Vocabulary.from_bytes(arrays["names"], len(indptr) - 1) if "names" in arrays else None
        graph = kind(indptr, indices, weights, names, directed)
        if graph.num_loops != num_loops:
            raise ValueError(f"num_loops: {num_loops} are told, and {graph.num_loops} are there")
        if version == "1" and graph.fingerprint() != fingerprint:  # all the checksum that there was
            raise ValueError(f"fingerprint: {fingerprint} is told, and that of the arrays is {graph.fingerprint()}")
    except (KeyError, ValueError) as error:
        got = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise foreign(path, f"one whose parts do not fit together ({got})", damaged=True) from None
    graph._cache["fingerprint"] = fingerprint
    return graph


def _facts(metadata: Mapping[str, str]) -> tuple[bool, int, str]:
    """Return what the header says of the graph: whether it is directed, its self-loops and its fingerprint.

    Raises
    ------
    KeyError, ValueError
        It is not said, or no such thing.
    """
    directed, num_loops, fingerprint = (metadata[key] for key in ("directed", "num_loops", "fingerprint"))
    if directed not in ("true", "false"):
        raise ValueError(f"directed: expected true or false, got {directed!r}")
    if not re.fullmatch("[0-9]{1,18}", num_loops):
        raise ValueError(f"num_loops: expected a number, got {num_loops!r}")
    if not re.fullmatch("[0-9a-f]{32}", fingerprint):
        raise ValueError(f"fingerprint: expected 32 hexadecimal digits, got {fingerprint!r}")
    return directed == "true", int(num_loops), fingerprint


def check_kinds(arrays: Mapping[str, npt.NDArray[Any]], kinds: Mapping[str, tuple[str, ...]]) -> None:
    """Raise ValueError for an array that the kernels, which read memory as it lies there, would misread."""
    for name, dtypes in kinds.items():
        array = arrays.get(name)
        if array is not None and (array.ndim != 1 or array.dtype.name not in dtypes):
            expected = " or ".join(dtypes)
            raise ValueError(f"{name}: expected {expected} in one dimension, got {array.dtype.name} {array.shape}")


def check_there(path: Path, kind: str = KIND) -> None:
    """Tell a missing file and a folder from a file that is something else."""
    if path.is_dir():
        raise DataError(f"{path}: expected {kind}, got a folder")
    if not path.exists():
        raise DataError(f"{path}: expected {kind}, got no file of this name")
    if path.stat().st_size == 0:
        raise foreign(path, "an empty file", kind)


def foreign(path: Path, got: str, kind: str = KIND, *, damaged: bool = False) -> DataError:
    """Return the error of a file that is not of the kind that was expected."""
    name, source, text = (
        ("Graph", "edges", "'nodeloom convert' or Graph.save")
        if kind == KIND
        else ("KnowledgeGraph", "triples", "KnowledgeGraph.save")
    )
    hint = "" if damaged else by_interface(f"For a list of {source} use {name}.from_file. ", "")
    hint += f"Write a damaged file again with {text}."
    return DataError(f"{path}: expected {kind}, got {got}. {hint}")
