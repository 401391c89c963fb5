"""A model is one safetensors file: tables, node names, configuration, position of the training, graph it belongs to.

Tensors: ``vertex`` float32 [N, D]; ``context`` float32 [N, D], absent when a model has one table only; in checkpoints
the moments of the optimizer (``vertex_moment1``, ...); ``names`` uint8, an Arrow IPC stream with one column of N node
names, absent when nodes are called 0 ... N - 1. Metadata, all text: ``format`` ("nodeloom"), ``format_version``, as JSON
``config``, ``state``, ``graph``, and from version 2 on ``checksums``. Any safetensors reader in any language opens the tables. There
is no pickle in it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nodeloom.errors import ModelError, OutputError, describe
from nodeloom.io.finite import first_not_finite
from nodeloom.io.tensors import Tensor, TensorFile, read_tensors, write_tensors
from nodeloom.io.vocabulary import Vocabulary
from nodeloom.log import logger
from nodeloom.typing import FloatArray

SUFFIX = ".safetensors"
FORMAT = "nodeloom"
FORMAT_VERSION = 2


class _Section(BaseModel):
    """JSON of a file: of the stated types if it is there. Writers may keep more."""

    model_config = ConfigDict(strict=True, extra="allow")


class _Config(_Section):
    resource: dict[str, Any] = {}
    build: dict[str, Any] = {}
    train: dict[str, Any] = {}


class _State(_Section):
    finished: bool = False
    report: dict[str, Any] = {}


class _Graph(_Section):
    fingerprint: str | None = None
    num_nodes: Annotated[int, Field(ge=0)] | None = None
    num_edges: Annotated[int, Field(ge=0)] | None = None
    directed: bool | None = None


_SCHEMAS: dict[str, type[_Section]] = {"config": _Config, "state": _State, "graph": _Graph}
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
    and a warning says so. A name without suffix gets ``.safetensors`` added.

    Raises
    ------
    OutputError
        If the suffix is another one. Those of export formats hold vectors and names but no model.
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
    if re.fullmatch(r"\.(?!v\d+$)[a-z]\w*", suffix):  # model.1 and model.v2 are names of models
        expected = f"a file name that ends in {SUFFIX}, in no suffix (a model), or in {', '.join(sorted(_EXPORT_SUFFIXES))} (vectors)"
        raise OutputError(
            describe(path, expected=expected, got=path.suffix, hint=f"Give {path.name}{SUFFIX} for a model.")
        )
    return path.with_name(path.name + SUFFIX)


def written_path(path: str | Path) -> Path:
    """Return the file that a user means by the name of a model: that file, or what was written when it was saved under this name."""
    path = Path(path)
    with contextlib.suppress(OSError, ValueError):
        added = path.with_name(path.name + SUFFIX)
        return added if not os.path.isfile(path) and os.path.isfile(added) else path  # noqa: PTH113  pathlib raises OSError for names that are too long
    return path


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
    ModelError
        If a table holds NaN or infinity.
    OutputError
        If it cannot be written; what was at ``path`` stays.
    """
    for name, tensor in model.tensors.items():
        _check_finite(path, name, tensor)
    tensors: dict[str, Tensor] = {}
    if not model.names.is_range:
        tensors["names"] = np.frombuffer(model.names.to_bytes(), np.uint8)
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
        A file written by :func:`write_model`; its suffix may be left out.
    mmap : bool
        Map the tables (without memory at any size) instead of keeping them in memory. The file is read once in either case,
        to compare checksums and to look for NaN.

    Returns
    -------
    ModelData
        The model. What is written to mapped tables does not reach the file.

    Raises
    ------
    ModelError
        If there is no such file, it is cut or damaged, is not a model of nodeloom, holds NaN or infinity, or is of a newer
        version of the format.
    """
    path = written_path(path)
    file = read_tensors(path, mmap=mmap)
    _check_format(path, file)
    for name in file.not_finite:
        _check_finite(path, name, file.tensors[name])
    tensors = dict(file.tensors)
    raw_names = tensors.pop("names", None)
    num_nodes = _check_shapes(path, tensors)[0]
    names = Vocabulary.range(num_nodes)
    if raw_names is not None:
        try:
            names = Vocabulary.from_bytes(raw_names, num_nodes)
        except ValueError as error:
            raise ModelError(f"{path}: {error}. The file is damaged.") from error
    sections = {key: _from_json(path, key, file.metadata.get(key, "{}")) for key in _SCHEMAS}
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


def _check_finite(where: str | Path, name: str, tensor: Tensor) -> None:
    """Refuse a table that holds NaN or infinity."""
    found = first_not_finite(tensor)
    if found is not None:
        row, value = found
        expected = f"finite numbers in tensor {name!r}"
        hint = "Its training has diverged, or the file is damaged: train again, or go back to an earlier one."
        raise ModelError(describe(where, expected=expected, got=f"{value} in row {row}", hint=hint))


def _check_format(path: Path, file: TensorFile) -> None:
    metadata = file.metadata
    if metadata.get("format") != FORMAT:
        got = f"a safetensors file of something else (format {metadata.get('format')!r})"
        raise ModelError(describe(path, expected="a model written by nodeloom", got=got))
    version = metadata.get("format_version", "")
    if version not in map(str, range(1, FORMAT_VERSION + 1)):
        expected = f"format version {FORMAT_VERSION} or older"
        raise ModelError(describe(path, expected=expected, got=version, hint="Read it with a newer nodeloom."))
    if version != "1" and not file.has_checksums:
        hint = "The file is damaged: copy it again, or go back to an earlier one."
        raise ModelError(describe(path, expected="checksums in its metadata", got="none", hint=hint))


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
    try:
        _SCHEMAS[key].model_validate(value)
    except ValidationError as error:
        raise ModelError(f"{path}: {in_words(error, key)}. The file is damaged.") from error
    return value


def in_words(error: ValidationError, where: str) -> str:
    """Return the first problem that pydantic has found in values of a file: where, what was got, and what was expected."""
    first = error.errors(include_url=False)[0]
    place = ".".join([where, *map(str, first["loc"])])
    return describe(
        place,
        expected=first["msg"].lower().removeprefix("input should be ").removeprefix("value error, "),
        got=first["input"],
    )
