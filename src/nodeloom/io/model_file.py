"""A model is one safetensors file: tables, names of their rows, configuration, position of the training, graph it belongs to.

Tensors: each table by its name, float32 [rows, dim] (``vertex`` and ``context``; ``entity`` and ``relation``; ``point``); in checkpoints
the moments of a table's optimizer (``vertex_moment1``, ...); for each kind of row ``names.<kind>`` uint8, an Arrow IPC stream with one
column of names, absent when the rows are called 0 ... N - 1. Metadata, all text: ``format`` ("nodeloom"), ``format_version``, and as JSON
``rows`` (the kind of the rows of each table), ``config``, ``state``, ``graph`` and ``checksums``. Any safetensors reader in any language
opens the tables. There is no pickle in it.

Versions: 1 has no checksums; 1 and 2 are models of nodes, whose names are the tensor ``names``, and say nothing of ``rows``.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nodeloom.errors import ModelError, OutputError, describe
from nodeloom.io.finite import first_not_finite
from nodeloom.io.model_data import NODE_ROWS, ModelData, check_tables, misfit, rows_of_nodes
from nodeloom.io.tensors import Tensor, TensorFile, read_tensors, write_tensors
from nodeloom.io.vocabulary import Vocabulary
from nodeloom.log import logger

if TYPE_CHECKING:
    from collections.abc import Mapping

SUFFIX = ".safetensors"
FORMAT = "nodeloom"
FORMAT_VERSION = 3
_FIRST_WITH_ROWS = 3


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


_NAMES = "names."
_SCHEMAS: dict[str, type[_Section]] = {"config": _Config, "state": _State, "graph": _Graph}
_EXPORT_SUFFIXES = {".txt", ".bin", ".npz", ".npy", ".tsv", ".csv", ".parquet", ".vec", ".w2v", ".word2vec"}


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
    tensors: dict[str, Tensor] = {
        f"{_NAMES}{kind}": np.frombuffer(names.to_bytes(), np.uint8)
        for kind, names in model.vocabularies.items()
        if not names.is_range
    }
    tensors.update({name: tensor for name, tensor in model.tensors.items() if not name.startswith(_NAMES)})
    metadata = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "rows": _to_json(model.rows),
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
    version = _check_format(path, file)
    for name in file.not_finite:
        _check_finite(path, name, file.tensors[name])
    tensors = {name: tensor for name, tensor in file.tensors.items() if not name.startswith(_NAMES)}
    raw_names = {name.removeprefix(_NAMES): raw for name, raw in file.tensors.items() if name.startswith(_NAMES)}
    if version < _FIRST_WITH_ROWS:
        rows = rows_of_nodes(tensors) | {"vertex": "node"}
        raw_names = {"node": tensors.pop("names")} if "names" in tensors else {}
        _check_old_shapes(path, tensors)
    else:
        rows = _rows(path, file.metadata.get("rows"))
    vocabularies = {
        kind: _names(path, kind, raw_names.pop(kind, None), count)
        for kind, count in check_tables(path, tensors, rows).items()
    }
    if raw_names:
        expected = f"names of rows of its kinds ({', '.join(vocabularies)})"
        raise ModelError(describe(path, expected=expected, got=f"names of {', '.join(raw_names)}"))
    sections = {key: _from_json(path, key, file.metadata.get(key, "{}")) for key in _SCHEMAS}
    return ModelData(tensors, rows, vocabularies, **sections, where=path)


def _names(path: Path, kind: str, raw: Tensor | None, count: int) -> Vocabulary:
    """Return the names of the rows of a kind: of the file, or the numbers from 0."""
    if raw is None:
        return Vocabulary.range(count)
    try:
        return Vocabulary.from_bytes(raw, count, kind)
    except ValueError as error:
        raise ModelError(f"{path}: {error}. The file is damaged.") from error


def _rows(path: Path, text: str | None) -> dict[str, str]:
    """Return the kind of the rows of each table."""
    if text is None:
        expected = "the kinds of rows of its tables ('rows') in its metadata"
        raise ModelError(describe(path, expected=expected, got="none", hint="The file is damaged."))
    rows = _json_object(path, "rows", text)
    if not all(isinstance(kind, str) for kind in rows.values()):
        raise ModelError(describe(path, expected="a kind of rows for each table under 'rows'", got=rows))
    return rows


def _check_old_shapes(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Check what files of the first versions promise: tensors whose names begin like a table's have the shape of ``vertex``."""
    for name, tensor in tensors.items() if "vertex" in tensors else ():
        shape = tensors["vertex"].shape
        if name.startswith(tuple(NODE_ROWS)) and (tensor.dtype != np.float32 or tensor.shape != shape):
            raise misfit(path, name, f"{list(shape)} like 'vertex'", tensor)


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
    if "num_triples" in graph:
        counts = ", ".join(f"{graph.get(f'num_{kind}', '?')} {kind}" for kind in ("entities", "relations", "triples"))
        return f"the knowledge graph {str(graph.get('fingerprint', '?'))[:12]} ({counts})"
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


def _check_format(path: Path, file: TensorFile) -> int:
    """Return the version of the format of a model of nodeloom that this version can read."""
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
    return int(version)


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
    """Return a section of the metadata, checked."""
    value = _json_object(path, key, text)
    try:
        _SCHEMAS[key].model_validate(value)
    except ValidationError as error:
        raise ModelError(f"{path}: {in_words(error, key)}. The file is damaged.") from error
    return value


def _json_object(path: Path, key: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        hint = "The file is damaged."
        raise ModelError(describe(path, expected=f"JSON under {key!r}", got=text, hint=hint)) from error
    if not isinstance(value, dict):
        raise ModelError(describe(path, expected=f"a JSON object under {key!r}", got=value))
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
