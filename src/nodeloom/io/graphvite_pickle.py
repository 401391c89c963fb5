"""Reading the models of GraphVite, which are pickles, without running what a pickle may run.

A pickle is a program: loading one from elsewhere can do anything. The unpickler here knows the few names that
GraphVite's files are made of, each with a stand-in of ours that does nothing but take data, and refuses every other
name before anything of it is imported or called.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

import numpy as np

from nodeloom.errors import ModelError, describe
from nodeloom.io.finite import first_not_finite
from nodeloom.io.model_data import ModelData
from nodeloom.io.vocabulary import Vocabulary

if TYPE_CHECKING:
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
    # Keys are text or integers, and what is asked of values below never looks into tuples: those may hold each other so often that no
    # one ever ends looking.
    vertex = _table(path, solver, "vertex_embeddings")
    tensors = {"vertex": vertex}
    if solver.get("context_embeddings") is not None:
        tensors["context"] = _table(path, solver, "context_embeddings")
    names = _names(path, graph, len(vertex))
    plain = {str(key): value for key, value in solver.items() if isinstance(value, bool | int | float | str)}
    kind = graph.get("type")
    config = {"source": "graphvite", "solver": plain} | ({"graph": kind} if isinstance(kind, str) else {})
    return ModelData.of_nodes(tensors, names, config=config, graph={"num_nodes": len(vertex)}, where=path)


class _EasyDict(dict[str, Any]):
    """Stands for ``easydict.EasyDict``: a dictionary. The attributes it carries are the same values again."""

    def __init__(self) -> None:
        """Begin empty: keys come one by one, and are looked at then."""

    def __setstate__(self, state: object) -> None:
        pass


class _Dtype:
    """Stands for ``numpy.dtype``: a type of numbers. NumPy's own would take its inner state from the file."""

    def __init__(self, code: Any, *_: Any) -> None:
        text = code.decode("ascii") if isinstance(code, bytes) else code
        if not isinstance(text, str) or text not in _NUMBERS:
            raise _RefusedError(f"an array of {text[:20] if isinstance(text, str) else _kind(code)!r}")
        self.dtype = np.dtype(text).newbyteorder("<")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if isinstance(state[1], str | bytes) and state[1] in (">", b">"):
            self.dtype = self.dtype.newbyteorder(">")


class _Array:
    """Stands for ``numpy.ndarray`` while it is put together: shape, type and bytes arrive one after the other."""

    array: np.ndarray[Any, np.dtype[Any]]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, is_fortran, data = state
        if not isinstance(dtype, _Dtype) or not isinstance(shape, tuple) or not all(type(n) is int for n in shape):
            raise _RefusedError("an array of no shape")
        order: Any = "F" if is_fortran is True or is_fortran == 1 else "C"
        self.array = np.frombuffer(data, dtype=dtype.dtype).reshape(shape, order=order)


_NDARRAY = object()
_NUMBERS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")


def _reconstruct(kind: object, *_: Any) -> _Array:
    if kind is not _NDARRAY:
        raise _RefusedError("an array of a class of its own")
    return _Array()


def _from_buffer(data: Any, dtype: _Dtype, shape: Any, order: Any = "C") -> _Array:
    """Make an array of a pickle of protocol 5, which holds the numbers apart."""
    result = _Array()
    result.__setstate__((1, shape, dtype, isinstance(order, str) and order == "F", data))
    return result


def _scalar(dtype: _Dtype, data: Any) -> Any:
    return np.frombuffer(data, dtype=dtype.dtype, count=1)[0].item()


def _empty() -> dict[Any, Any]:
    """Stand for ``collections.OrderedDict``: its keys come one by one."""
    return {}


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
    ("collections", "OrderedDict"): _Maker(_empty),
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _Dtype,
}
for _module in ("numpy.core", "numpy._core"):  # the old name and that of NumPy 2
    _ALLOWED[_module + ".multiarray", "_reconstruct"] = _Maker(_reconstruct)
    _ALLOWED[_module + ".multiarray", "scalar"] = _Maker(_scalar)
    _ALLOWED[_module + ".numeric", "_frombuffer"] = _Maker(_from_buffer)


class _Bounded:
    """A file that is never asked for more bytes than it has: a pickle says how many come, and Python makes room for them at once."""

    def __init__(self, file: BinaryIO) -> None:
        self.size = os.fstat(file.fileno()).st_size
        self.readline = file.readline
        self._file = file

    def read(self, count: int) -> bytes:
        """Read `count` bytes."""
        if count > self.size:
            raise _RefusedError(f"{count:,} bytes of a file of {self.size:,}")
        return self._file.read(count)


class _Unpickler(pickle._Unpickler):
    """Looks names up in a list, and nowhere else; takes time and memory in proportion to the file.

    This is the unpickler written in Python: five bytes make the one written in C take all memory of the machine, by a
    number that it uses as the length of a table. It needs about 10 seconds for a million nodes, once.
    """

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)
    append: Callable[[object], None]  # what the unpickler has while it loads
    read: Callable[[int], bytes]
    pop_mark: Callable[[], list[Any]]
    stack: list[Any]

    def __init__(self, file: _Bounded) -> None:
        super().__init__(file, encoding="latin1")
        self._room = file.size  # for the bytes of arrays, which protocol 2 writes as text

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) == ("_codecs", "encode"):
            return _Maker(self._encode)
        try:
            return _ALLOWED[module_name, global_name]
        except KeyError:
            raise _RefusedError(f"{module_name}.{global_name}") from None

    def persistent_load(self, pid: Any) -> Any:
        raise _RefusedError("a reference to something outside")

    def _encode(self, text: object, encoding: object = "latin1") -> bytes:
        """Stand for ``_codecs.encode``: how protocol 2 writes the bytes of an array."""
        if not isinstance(text, str) or not isinstance(encoding, str) or encoding not in ("latin1", "latin-1"):
            raise _RefusedError("text in another encoding")
        self._room -= len(text)
        if self._room < 0:
            raise _RefusedError("the same text many times")
        return text.encode("latin1")

    def _put(self, target: object, items: list[Any]) -> None:
        """Put keys and values into a dictionary. To find a place for a key that is a tuple of tuples may take for ever."""
        if not isinstance(target, dict):
            raise _RefusedError(f"a {_kind(target)} with keys")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | int):
                raise _RefusedError(f"a key that is a {_kind(key)}")
            target[key] = value

    def _load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._put(self.stack[-1], [key, value])

    def _load_setitems(self) -> None:
        items = self.pop_mark()
        self._put(self.stack[-1], items)

    def _load_dict(self) -> None:
        items = self.pop_mark()
        found: dict[Any, Any] = {}
        self._put(found, items)
        self.append(found)

    def _load_bytearray(self) -> None:
        self.append(bytearray(self.read(int.from_bytes(self.read(8), "little"))))

    def _refuse_set(self) -> None:
        raise _RefusedError("a set")

    dispatch[pickle.SETITEM[0]] = _load_setitem
    dispatch[pickle.SETITEMS[0]] = _load_setitems
    dispatch[pickle.DICT[0]] = _load_dict
    dispatch[pickle.BYTEARRAY8[0]] = _load_bytearray
    for _code in (pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET):
        dispatch[_code[0]] = _refuse_set


def _load(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return _Unpickler(_Bounded(file)).load()
    except _RefusedError as error:
        hint = "It was not loaded. A pickle can run any code: do not open it with other programs either."
        expected = "a pickle of dictionaries and arrays only"
        raise ModelError(describe(path, expected=expected, got=str(error), hint=hint)) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModelError(describe(path, expected="a model file that can be read", got=reason)) from error
    except Exception as error:  # a damaged pickle raises whatever its opcodes run into
        got = f"{type(error).__name__}: {str(error)[:200]}"
        raise ModelError(describe(path, expected="a whole pickle of GraphVite", got=got)) from error


def _table(path: Path, solver: Mapping[str, Any], key: str) -> FloatArray:
    table = getattr(solver[key], "array", None)
    if table is None or table.ndim != 2 or table.dtype.kind != "f":
        got = _kind(solver[key]) if table is None else f"{table.dtype} {list(table.shape)}"
        raise ModelError(describe(path, expected=f"{key} as floats [N, D]", got=got))
    with np.errstate(over="ignore"):
        single = np.ascontiguousarray(table, dtype=np.float32)
    wrong = first_not_finite(single)
    if wrong is not None:
        raise ModelError(describe(path, expected=f"finite numbers in {key}", got=f"{wrong[1]} in row {wrong[0]}"))
    return single


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
            if not all(type(node) is int for node in name2id.values()):
                raise ValueError("numbers of nodes that are none")
            listed = sorted(name2id, key=name2id.__getitem__)
        return _vocabulary(listed, num_nodes)
    except (KeyError, TypeError, ValueError) as error:
        got = str(error)
        raise ModelError(describe(path, expected=f"{num_nodes} node names, each once", got=got)) from error


def _vocabulary(listed: list[NodeName], num_nodes: int) -> Vocabulary:
    if len(listed) != num_nodes:
        raise ValueError(f"{len(listed)} names")
    wrong = next((name for name in listed if type(name) not in (str, int)), None)
    if wrong is not None:
        raise ValueError(f"a name that is a {_kind(wrong)}")
    # GraphVite keeps every name as text; numbers in it stay text, as they were in the edge file.
    return Vocabulary.from_names([str(name) for name in listed])


def _kind(value: object) -> str:
    return type(value).__name__.lstrip("_")
