"""A pickle takes time and memory in proportion to its file, whatever it says."""

from __future__ import annotations

import pickle
import time
import tracemalloc
from typing import ClassVar

import pytest

from nodeloom.errors import ModelError
from nodeloom.io.graphvite_pickle import read_graphvite


def doubled(times, first=()):
    value = first
    for _ in range(times):
        value = (value, value)
    return value


class Calls:
    """Pickled as a call of a function with arguments."""

    def __init__(self, module, name, *arguments):
        self.module, self.name, self.arguments = module, name, arguments


class Pickler(pickle._Pickler):
    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_calls(self, value):
        self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())
        self.save(value.arguments)
        self.write(pickle.REDUCE)

    dispatch[Calls] = save_calls


def model(**changes):
    graph = {"id2name": changes.pop("id2name", ["a"]), "name2id": changes.pop("name2id", {"a": 0})}
    return {"graph": graph, "solver": {"vertex_embeddings": 1, **changes}}


BOMBS = {
    "a name": model(id2name=[doubled(40)]),
    "names by id": model(id2name={0: doubled(40)}),
    "a key of a dictionary": {doubled(24): 1},
    "a number of a node": model(id2name=None, name2id={"a": doubled(40), "b": doubled(40)}),
    "a type": model(vertex_embeddings=Calls("numpy", "dtype", doubled(40))),
    "an encoding": model(vertex_embeddings=Calls("_codecs", "encode", "a", doubled(40))),
    "an ordered dictionary": Calls("collections", "OrderedDict", [(doubled(24), 1)]),
    "a solver": {"graph": {}, "solver": doubled(40)},
    "an order": model(
        vertex_embeddings=Calls("numpy.core.numeric", "_frombuffer", b"", doubled(40), (0,), doubled(40))
    ),
    "a set": {"graph": {1, 2}},
    "one text encoded again and again": [Calls("_codecs", "encode", "a" * 1000, "latin1") for _ in range(200)],
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("protocol", [2, 4])
def test_tuples_of_tuples_are_not_looked_into(tmp_path, bomb, protocol):
    path = tmp_path / "m.pkl"
    with path.open("wb") as file:
        Pickler(file, protocol).dump(BOMBS[bomb])
    start = time.process_time()
    with pytest.raises(ModelError, match=r"m\.pkl"):
        read_graphvite(path)
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    "content",
    [
        b"\x96" + (1 << 32).to_bytes(8, "little") + b"x.",  # BYTEARRAY8
        b"\x8e" + (1 << 32).to_bytes(8, "little") + b"x.",  # BINBYTES8
        b"\x8d" + (1 << 32).to_bytes(8, "little") + b"x.",  # BINUNICODE8
        b"\x8b" + ((1 << 31) - 1).to_bytes(4, "little") + b"x.",  # LONG4
        b"\x80\x04\x95" + (1 << 32).to_bytes(8, "little") + b"x.",  # FRAME
        b"T" + ((1 << 31) - 1).to_bytes(4, "little") + b"x.",  # BINSTRING
    ],
)
def test_lengths_are_compared_with_the_file(tmp_path, content):
    path = tmp_path / "m.pkl"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match=r"m\.pkl: expected .* bytes of a file of"):
            read_graphvite(path)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
