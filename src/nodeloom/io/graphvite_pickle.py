"""Reading the models of GraphVite, which are pickles, without running what a pickle may run.

A pickle is a program: loading one from elsewhere can do anything. The unpickler here knows the few names that
GraphVite's files are made of, each with a stand-in of ours that does nothing but take data, and refuses every other
name before anything of it is imported or called.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nodeloom.errors import ModelError, describe
from nodeloom.io.model_file import ModelData
from nodeloom.io.vocabulary import Vocabulary
from nodeloom.typing import FloatArray, NodeName


def read_graphvite(path: str | Path) -> ModelData:
    """Read a node embedding that GraphVite's ``save_model`` has written.

    Parameters
    ----------
    path : str or Path
        The ``.pkl`` file.

    Returns
    -------
    ModelData
        Both tables and the names. ``config`` is ``{"source": "graphvite", ...}`` with the hyperparameters, where the
        file was written with ``save_hyperparameter``.

    Raises
    ------
    ModelError
        If there is no such file, it is cut, is no model of GraphVite, is one of another application (a knowledge
        graph), or holds anything that a model does not need, such as code.
    """
    path = Path(path)
    content = _load(path)
    if not isinstance(content, Mapping) or not isinstance(content.get("graph"), Mapping):
        raise ModelError(describe(path, expected="a model of GraphVite", got=f"a pickle of {_kind(content)}"))
    graph, solver = content["graph"], content.get("solver")
    if not isinstance(solver, Mapping) or "vertex_embeddings" not in solver:
        what = sorted(map(str, solver)) if isinstance(solver, Mapping) else _kind(solver)
        hint = "Knowledge graph and visualization models cannot be read."
        raise ModelError(describe(path, expected="vertex_embeddings of a node embedding", got=what, hint=hint))
    vertex = _table(path, solver, "vertex_embeddings")
    tensors = {"vertex": vertex}
    if solver.get("context_embeddings") is not None:
        tensors["context"] = _table(path, solver, "context_embeddings")
    names = _names(path, graph, len(vertex))
    plain = {str(key): value for key, value in solver.items() if isinstance(value, bool | int | float | str)}
    kind = graph.get("type")
    config = {"source": "graphvite", "solver": plain} | ({"graph": kind} if isinstance(kind, str) else {})
    try:
        return ModelData(tensors, names, config=config, graph={"num_nodes": len(vertex)})
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


class _EasyDict(dict[str, Any]):
    """Stands for ``easydict.EasyDict``: a dictionary. The attributes it carries are the same values again."""

    def __setstate__(self, state: object) -> None:
        pass


class _Dtype:
    """Stands for ``numpy.dtype``: a type of numbers. NumPy's own would take its inner state from the file."""

    def __init__(self, code: Any, *_: Any) -> None:
        text = code.decode("ascii") if isinstance(code, bytes) else code
        if not isinstance(text, str) or text not in _NUMBERS:
            raise _RefusedError(f"an array of {code!r}")
        self.dtype = np.dtype(text).newbyteorder("<")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in (">", b">"):
            self.dtype = self.dtype.newbyteorder(">")


class _Array:
    """Stands for ``numpy.ndarray`` while it is put together: shape, type and bytes arrive one after the other."""

    array: np.ndarray[Any, np.dtype[Any]]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, is_fortran, data = state
        self.array = np.frombuffer(data, dtype=dtype.dtype).reshape(shape, order="F" if is_fortran else "C")


_NDARRAY = object()
_NUMBERS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")


def _reconstruct(kind: object, *_: Any) -> _Array:
    if kind is not _NDARRAY:
        raise _RefusedError("an array of a class of its own")
    return _Array()


def _from_buffer(data: Any, dtype: _Dtype, shape: Any, order: Any = "C") -> _Array:
    """Make an array of a pickle of protocol 5, which holds the numbers apart."""
    result = _Array()
    result.__setstate__((1, shape, dtype, order == "F", data))
    return result


def _scalar(dtype: _Dtype, data: Any) -> Any:
    return np.frombuffer(data, dtype=dtype.dtype, count=1)[0].item()


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Stand for ``_codecs.encode``: how protocol 2 writes the bytes of an array."""
    return str.encode(text, {"latin1": "latin1"}[encoding])


class _RefusedError(pickle.UnpicklingError):
    """The pickle asks for something that no model needs."""


class _Maker:
    """Calls one of the functions above. A pickle can set attributes on functions, but not on this."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: object) -> None:
        raise _RefusedError("a change of the reader itself")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("easydict", "EasyDict"): _EasyDict,
    ("collections", "OrderedDict"): dict,
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Maker(_encode),
}
for _module in ("numpy.core", "numpy._core"):  # the old name and that of NumPy 2
    _ALLOWED[_module + ".multiarray", "_reconstruct"] = _Maker(_reconstruct)
    _ALLOWED[_module + ".multiarray", "scalar"] = _Maker(_scalar)
    _ALLOWED[_module + ".numeric", "_frombuffer"] = _Maker(_from_buffer)


class _Unpickler(pickle._Unpickler):
    """Looks names up in a list, and nowhere else.

    This is the unpickler written in Python: five bytes make the one written in C take all memory of the machine, by a
    number that it uses as the length of a table. It needs about 10 seconds for a million nodes, once.
    """

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        try:
            return _ALLOWED[module_name, global_name]
        except KeyError:
            raise _RefusedError(f"{module_name}.{global_name}") from None

    def persistent_load(self, pid: Any) -> Any:
        raise _RefusedError("a reference to something outside")


def _load(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return _Unpickler(file, encoding="latin1").load()
    except _RefusedError as error:
        hint = "It was not loaded. A pickle can run any code: do not open it with other programs either."
        expected = "a pickle of dictionaries and arrays only"
        raise ModelError(describe(path, expected=expected, got=str(error), hint=hint)) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModelError(describe(path, expected="a model file that can be read", got=reason)) from error
    except Exception as error:  # a damaged pickle raises whatever its opcodes run into
        got = f"{type(error).__name__}: {error}"
        raise ModelError(describe(path, expected="a whole pickle of GraphVite", got=got)) from error


def _table(path: Path, solver: Mapping[str, Any], key: str) -> FloatArray:
    table = getattr(solver[key], "array", None)
    if table is None or table.ndim != 2 or table.dtype.kind != "f":
        got = _kind(solver[key]) if table is None else f"{table.dtype} {list(table.shape)}"
        raise ModelError(describe(path, expected=f"{key} as floats [N, D]", got=got))
    return np.ascontiguousarray(table, dtype=np.float32)


def _names(path: Path, graph: Mapping[str, Any], num_nodes: int) -> Vocabulary:
    """Return names in the order of rows, from ``id2name`` (a list, or a dictionary by id) or ``name2id``."""
    listed: list[NodeName] = []
    id2name, name2id = graph.get("id2name"), graph.get("name2id")
    try:
        if isinstance(id2name, list | tuple):
            listed = list(id2name)
        elif isinstance(id2name, Mapping):
            listed = [id2name[i] for i in range(len(id2name))]
        elif isinstance(name2id, Mapping):
            listed = sorted(name2id, key=name2id.__getitem__)
        return _vocabulary(listed, num_nodes)
    except (KeyError, TypeError, ValueError) as error:
        got = str(error)
        raise ModelError(describe(path, expected=f"{num_nodes} node names, each once", got=got)) from error


def _vocabulary(listed: list[NodeName], num_nodes: int) -> Vocabulary:
    if len(listed) != num_nodes:
        raise ValueError(f"{len(listed)} names")
    # GraphVite keeps every name as text; numbers in it stay text, as they were in the edge file.
    return Vocabulary.from_names([str(name) for name in listed])


def _kind(value: object) -> str:
    return type(value).__name__.lstrip("_")
