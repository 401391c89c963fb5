"""A model is one safetensors file: tables, node names, configuration, position of the training, graph it belongs to.

Tensors: ``vertex`` float32 [N, D]; ``context`` float32 [N, D], absent when a model has one table only; in checkpoints
the moments of the optimizer (``vertex_moment1``, ...); ``names`` uint8, an Arrow IPC stream with one column of N node
names, absent when nodes are called 0 ... N - 1. Metadata, all text: ``format`` ("nodeloom"), ``format_version``, and
as JSON ``config``, ``state`` and ``graph``. Any safetensors reader in any language opens the tables. There is no
pickle in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.errors import ModelError, OutputError, describe
from nodeloom.io.tensors import Tensor, read_tensors, write_tensors
from nodeloom.io.vocabulary import Vocabulary
from nodeloom.log import logger
from nodeloom.typing import FloatArray

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIX = ".safetensors"
FORMAT = "nodeloom"
FORMAT_VERSION = 1

_EXPORT_SUFFIXES = {".txt", ".bin", ".npz", ".npy", ".tsv", ".csv", ".parquet", ".vec", ".w2v", ".word2vec"}


@dataclass(frozen=True)
class ModelData:
    """Everything that a model file holds.

    Attributes
    ----------
    tensors : dict of str to ndarray
        ``vertex`` float32 [N, D], mostly ``context`` float32 [N, D], and what else the writer wants to keep. A tensor
        whose name starts with ``vertex_`` or ``context_`` has the shape of that table.
    names : Vocabulary
        The names of the N nodes.
    config : dict
        The full configuration, as JSON types.
    state : dict
        Position of the training, as JSON types; empty for a finished model.
    graph : dict
        ``fingerprint``, ``num_nodes``, ``num_edges``, ``directed`` of the graph of the model.

    Raises
    ------
    ModelError
        If shapes or dtypes do not fit each other.
    """

    tensors: dict[str, Tensor]
    names: Vocabulary
    config: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    graph: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_shapes("model", self.tensors)
        if len(self.names) != self.num_nodes:
            raise ModelError(describe("model", expected=f"{self.num_nodes} node names", got=len(self.names)))

    @property
    def vertex(self) -> FloatArray:
        """The vertex table, float32 [N, D]."""
        return self.tensors["vertex"]

    @property
    def context(self) -> FloatArray | None:
        """The context table, float32 [N, D], or None for a model with one table only."""
        return self.tensors.get("context")

    @property
    def num_nodes(self) -> int:
        """N."""
        return int(self.vertex.shape[0])

    @property
    def dim(self) -> int:
        """D."""
        return int(self.vertex.shape[1])


def model_path(path: str | Path) -> Path:
    """Return the path under which a model is saved when the user says ``path``.

    A model is a ``.safetensors`` file. GraphVite's configurations say ``.pkl``: the model is saved beside that name,
    and a warning says so. Any other suffix gets ``.safetensors`` added.

    Raises
    ------
    OutputError
        If the suffix is one of an export format: those hold vectors and names but no model.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == SUFFIX:
        return path
    if suffix in (".pkl", ".pickle"):
        changed = path.with_suffix(SUFFIX)
        logger.warning("%s: models are not pickled; saving %s instead.", path, changed)
        return changed
    if suffix in _EXPORT_SUFFIXES:
        hint = "Save the model, then write vectors in other formats with export (nodeloom export MODEL -o FILE)."
        raise OutputError(describe(path, expected=f"a model file name that ends in {SUFFIX}", got=path.name, hint=hint))
    return path.with_name(path.name + SUFFIX)


def write_model(path: str | Path, model: ModelData) -> None:
    """Write a model file, atomically and without a copy of its tables.

    Parameters
    ----------
    path : str or Path
        The file. :func:`model_path` makes a fitting name of what a user gave.
    model : ModelData
        What to write. Its tables may be mapped from the very file that is replaced.

    Raises
    ------
    OutputError
        If it cannot be written; what was at ``path`` stays.
    """
    tensors: dict[str, Tensor] = {}
    if not model.names.is_range:
        tensors["names"] = _names_to_bytes(model.names.to_arrow())
    tensors.update({name: tensor for name, tensor in model.tensors.items() if name != "names"})
    metadata = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "config": _to_json(model.config),
        "state": _to_json(model.state),
        "graph": _to_json(model.graph),
    }
    write_tensors(path, tensors, metadata)


def read_model(path: str | Path, *, mmap: bool = True) -> ModelData:
    """Read a model file.

    Parameters
    ----------
    path : str or Path
        A file written by :func:`write_model`.
    mmap : bool
        Map the tables (read-only; opening takes milliseconds at any size) instead of reading them into memory.

    Returns
    -------
    ModelData
        The model. Tables are read-only arrays when mapped.

    Raises
    ------
    ModelError
        If there is no such file, it is cut or damaged, is not a model of nodeloom, or is of a newer version of the
        format.
    """
    path = Path(path)
    file = read_tensors(path, mmap=mmap)
    _check_format(path, file.metadata)
    tensors = dict(file.tensors)
    raw_names = tensors.pop("names", None)
    num_nodes = _check_shapes(path, tensors)[0]
    names = Vocabulary.range(num_nodes) if raw_names is None else _names_from_bytes(path, raw_names)
    if len(names) != num_nodes:
        raise ModelError(describe(path, expected=f"{num_nodes} node names", got=len(names), hint="It is damaged."))
    sections = {key: _from_json(path, key, file.metadata.get(key, "{}")) for key in ("config", "state", "graph")}
    return ModelData(tensors, names, **sections)


def check_same_graph(where: str | Path, saved: Mapping[str, Any], graph: Mapping[str, Any]) -> None:
    """Make sure that a model file belongs to a graph, before training goes on from it.

    Parameters
    ----------
    where : str or Path
        The model file, for the message.
    saved, graph : mapping
        What :attr:`ModelData.graph` says, and the same of the graph at hand.

    Raises
    ------
    ModelError
        If both have a fingerprint and these differ.
    """
    if saved.get("fingerprint") == graph.get("fingerprint"):
        return
    hint = "Resume with the graph of the checkpoint; to start from a model of another graph, give it as init."
    raise ModelError(describe(where, expected=_in_words(saved), got=_in_words(graph), hint=hint))


def _in_words(graph: Mapping[str, Any]) -> str:
    kind = "directed" if graph.get("directed") else "undirected"
    counts = f"{graph.get('num_nodes', '?')} nodes, {graph.get('num_edges', '?')} edges"
    return f"the {kind} graph {str(graph.get('fingerprint', '?'))[:12]} ({counts})"


def _check_format(path: Path, metadata: Mapping[str, str]) -> None:
    if metadata.get("format") != FORMAT:
        got = f"a safetensors file of something else (format {metadata.get('format')!r})"
        raise ModelError(describe(path, expected="a model written by nodeloom", got=got))
    version = metadata.get("format_version", "")
    if not version.isdecimal() or int(version) > FORMAT_VERSION:
        expected = f"format version {FORMAT_VERSION} or older"
        raise ModelError(describe(path, expected=expected, got=version, hint="Read it with a newer nodeloom."))


def _check_shapes(where: str | Path, tensors: Mapping[str, Tensor]) -> tuple[int, int]:
    """Check that all tables are float32 [N, D]; return N and D."""
    vertex = tensors.get("vertex")
    if vertex is None:
        raise ModelError(describe(where, expected="a tensor 'vertex'", got=sorted(tensors)))
    if vertex.dtype != np.float32 or vertex.ndim != 2 or vertex.shape[1] == 0:
        got = f"{vertex.dtype} {list(vertex.shape)}"
        raise ModelError(describe(where, expected="a tensor 'vertex' float32 [N, D]", got=got))
    for name, tensor in tensors.items():
        if not name.startswith(("vertex", "context")):
            continue
        if tensor.dtype != np.float32 or tensor.shape != vertex.shape:
            expected = f"a tensor {name!r} float32 {list(vertex.shape)} like 'vertex'"
            raise ModelError(describe(where, expected=expected, got=f"{tensor.dtype} {list(tensor.shape)}"))
    return int(vertex.shape[0]), int(vertex.shape[1])


def _names_to_bytes(names: pa.Array) -> Tensor:
    """Return an Arrow IPC stream with the column ``name``."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    batch = pa.record_batch([names], names=["name"])
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return np.frombuffer(sink.getvalue(), dtype=np.uint8)


def _names_from_bytes(path: Path, raw: Tensor) -> Vocabulary:
    """Read names without a copy: they stay in the mapped file."""
    import pyarrow as pa

    try:
        with pa.ipc.open_stream(pa.py_buffer(np.ascontiguousarray(raw, dtype=np.uint8))) as reader:
            column = reader.read_all().column("name").combine_chunks()
        # Offsets of strings are used unchecked later on; a forged file must not read beyond its buffer.
        column.validate(full=True)
    except (pa.ArrowException, KeyError, OSError, ValueError) as error:
        got = f"{str(error).splitlines()[0] if str(error) else type(error).__name__}"
        hint = "The file is damaged."
        raise ModelError(describe(path, expected="node names as an Arrow stream", got=got, hint=hint)) from error
    if isinstance(column, pa.ChunkedArray):  # one chunk of zero rows stays chunked in old versions of Arrow
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    return Vocabulary.from_arrow(column, check=False)


def _to_json(section: Mapping[str, Any]) -> str:
    return json.dumps(section, ensure_ascii=False, default=_plain)


def _plain(value: object) -> object:
    """Turn what JSON does not know into what it does: NumPy scalars and arrays, paths."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a model file holds JSON types only, not {type(value).__name__}: {value!r}")


def _from_json(path: Path, key: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        hint = "The file is damaged."
        raise ModelError(describe(path, expected=f"JSON under {key!r}", got=text, hint=hint)) from error
    if not isinstance(value, dict):
        raise ModelError(describe(path, expected=f"a JSON object under {key!r}", got=value))
    return value
