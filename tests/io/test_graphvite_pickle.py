"""GraphVite's pickles are read; pickles that want to do something are not."""

import collections
import functools
import os
import pickle
import subprocess
import sys
import textwrap
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom.errors import ModelError
from nodeloom.io.graphvite_pickle import read_graphvite
from nodeloom.io.model_file import read_model, write_model


class EasyDict(dict):
    """As the package of that name: keys are attributes too, and so they are pickled twice."""

    def __init__(self, content=()):
        super().__init__()
        for key, value in dict(content).items():
            self[key] = value

    def __setitem__(self, key, value):
        if isinstance(value, dict) and not isinstance(value, EasyDict):
            value = EasyDict(value)
        dict.__setitem__(self, key, value)
        self.__dict__[key] = value


EasyDict.__module__ = "easydict"
VERTEX = np.arange(12, dtype=np.float32).reshape(4, 3)
NAMES = ["7", "ann", "ünï", "b c"]


@pytest.fixture
def easydict(monkeypatch):
    module = types.ModuleType("easydict")
    module.EasyDict = EasyDict
    monkeypatch.setitem(sys.modules, "easydict", module)


def content(**changes):
    solver = {"vertex_embeddings": VERTEX, "context_embeddings": -VERTEX} | changes.pop("solver", {})
    graph = {"name2id": {name: i for i, name in enumerate(NAMES)}, "id2name": NAMES} | changes.pop("graph", {})
    return EasyDict({"graph": graph, "solver": solver} | changes)


def write(path, value, protocol=4, old_numpy=False):
    data = pickle.dumps(value, protocol=protocol)
    if old_numpy:  # before NumPy 2; one character shorter, in a string whose length is written before it
        data = data.replace(b"\x16numpy._core.multiarray", b"\x15numpy.core.multiarray")
        data = data.replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n")
        if protocol >= 4:
            data = data[:-1] + b"\x94."  # an instruction without effect, so that the length of the frame stays
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_model_of_graphvite(tmp_path, easydict, protocol):
    model = read_graphvite(write(tmp_path / "m.pkl", content(), protocol))
    np.testing.assert_array_equal(model.vertex, VERTEX)
    np.testing.assert_array_equal(model.context, -VERTEX)
    assert list(model.names) == NAMES
    assert model.vertex.dtype == np.float32
    write_model(tmp_path / "m.safetensors", model)
    np.testing.assert_array_equal(read_model(tmp_path / "m.safetensors").vertex, VERTEX)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_written_with_an_old_numpy(tmp_path, easydict, protocol):
    path = write(tmp_path / "m.pkl", content(), protocol, old_numpy=True)
    assert b"numpy.core" in path.read_bytes()
    np.testing.assert_array_equal(read_graphvite(path).vertex, VERTEX)


def test_easydict_need_not_be_installed(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        module = types.ModuleType("easydict")
        module.EasyDict = EasyDict
        patch.setitem(sys.modules, "easydict", module)
        path = write(tmp_path / "m.pkl", content())
    monkeypatch.delitem(sys.modules, "easydict", raising=False)
    assert read_graphvite(path).num_nodes == 4
    assert "easydict" not in sys.modules


@pytest.mark.parametrize("layout", ["fortran", "big endian", "double", "strided"])
def test_tables_of_any_layout(tmp_path, easydict, layout):
    table = {
        "fortran": np.asfortranarray(VERTEX),
        "big endian": VERTEX.astype(">f4"),
        "double": VERTEX.astype(np.float64),
        "strided": np.repeat(VERTEX, 2, axis=0)[::2],
    }[layout]
    for protocol in (2, 4, 5):
        path = write(tmp_path / "m.pkl", content(solver={"vertex_embeddings": table}), protocol)
        np.testing.assert_array_equal(read_graphvite(path).vertex, VERTEX)


def test_hyperparameters_and_scalars(tmp_path, easydict):
    extra = {"num_epoch": 2000, "model": "LINE", "lr": np.float32(0.5), "optimizer": {"type": "SGD"}}
    model = read_graphvite(write(tmp_path / "m.pkl", content(solver=extra)))
    assert model.config == {"source": "graphvite", "solver": {"num_epoch": 2000, "model": "LINE", "lr": 0.5}}


@pytest.mark.parametrize(
    "graph",
    [
        {"id2name": dict(enumerate(NAMES))},
        {"id2name": None, "name2id": {name: i for i, name in reversed(list(enumerate(NAMES)))}},
    ],
)
def test_names_as_dictionaries(tmp_path, easydict, graph):
    assert list(read_graphvite(write(tmp_path / "m.pkl", content(graph=graph))).names) == NAMES


def test_one_table(tmp_path, easydict):
    assert read_graphvite(write(tmp_path / "m.pkl", content(solver={"context_embeddings": None}))).context is None


class Malicious:
    """Calls a function when it is loaded."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


ATTACKS = {
    "system": Malicious(os.system, "touch HIT"),
    "eval": Malicious(eval, "open('HIT', 'w')"),
    "exec": Malicious(exec, "open('HIT', 'w')"),
    "open": Malicious(open, "HIT", "w"),
    "getattr": Malicious(getattr, "", "join"),
    "numpy load": Malicious(np.load, "HIT"),
    "numpy save": Malicious(np.save, "HIT", 3),
    "partial": Malicious(functools.partial, print, 3),
    "deque": collections.deque([1]),
    "objects": np.array([None, "x"], dtype=object),
    "structure": np.zeros(2, dtype=[("a", "f4"), ("b", "i4")]),
    "text array": np.array(["a", "b"]),
    "matrix": np.ma.masked_array([1.0], [True]),
}


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_no_data_is_refused(tmp_path, monkeypatch, easydict, attack, protocol):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "m.pkl", content(extra=ATTACKS[attack]), protocol)
    with pytest.raises(ModelError, match=r"m\.pkl") as caught:
        read_graphvite(path)
    assert "\n" not in str(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == ["m.pkl"]


def test_the_message_names_what_was_refused(tmp_path):
    path = write(tmp_path / "m.pkl", {"graph": Malicious(os.system, "true")})
    with pytest.raises(ModelError, match=r"got 'posix.system'\. It was not loaded"):
        read_graphvite(path)


@pytest.mark.parametrize(
    "raw",
    [
        b"cnumpy\nndarray.tofile\n.",  # an attribute of something that is allowed
        b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.",
        b"Pelsewhere\n.",
        b"cnumpy\nndarray\n(K\x05tR.",  # calling the stand-in
        b"",
        b"\x80\x05.",
    ],
)
def test_hand_made_attacks(tmp_path, raw):
    (tmp_path / "m.pkl").write_bytes(raw)
    with pytest.raises(ModelError, match=r"m\.pkl"):
        read_graphvite(tmp_path / "m.pkl")


def test_a_pickle_cannot_change_the_reader(tmp_path):
    """BUILD sets attributes on whatever lies on the stack, here on what stands for a function."""
    raw = b"\x80\x04\x8c\x07_codecs\x8c\x06encode\x93N}\x8c\x0c__defaults__\x8c\x05utf-8\x85s\x86b."
    (tmp_path / "m.pkl").write_bytes(raw)
    with pytest.raises(ModelError, match="a change of the reader"):
        read_graphvite(tmp_path / "m.pkl")


def test_a_few_bytes_do_not_take_all_memory(tmp_path):
    """The place 2^32 - 1 of the memo, for which the unpickler in C makes a table of that length."""
    (tmp_path / "m.pkl").write_bytes(b"\x80\x04Nr\xff\xff\xff\xff.")
    script = textwrap.dedent(
        """
        import resource, sys
        from nodeloom.errors import ModelError
        from nodeloom.io.graphvite_pickle import read_graphvite
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        try:
            read_graphvite(sys.argv[1])
        except ModelError as error:
            print(error)
        """
    )
    command = [sys.executable, "-c", script, str(tmp_path / "m.pkl")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "a pickle of NoneType" in done.stdout


def test_cut_anywhere(tmp_path, easydict):
    whole = write(tmp_path / "m.pkl", content()).read_bytes()
    for length in range(len(whole)):
        (tmp_path / "cut.pkl").write_bytes(whole[:length])
        with pytest.raises(ModelError, match=r"cut\.pkl"):
            read_graphvite(tmp_path / "cut.pkl")


@settings(deadline=None, max_examples=200)
@given(raw=st.binary(max_size=60))
def test_junk(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("p") / "m.pkl"
    path.write_bytes(raw)
    with pytest.raises(ModelError):
        read_graphvite(path)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1, 2], "a pickle of list"),
        ({"graph": {}, "solver": {"entity_embeddings": 3}}, "Knowledge graph"),
        ({"graph": {}, "solver": None}, "NoneType"),
        ({"graph": {"id2name": NAMES}, "solver": {"vertex_embeddings": 3}}, "got 'int'"),
        ({"graph": {"id2name": NAMES}, "solver": {"vertex_embeddings": VERTEX.astype(int)}}, "int64"),
        ({"graph": {"id2name": NAMES[1:]}, "solver": {"vertex_embeddings": VERTEX}}, "got '3 names'"),
        ({"graph": {"id2name": ["a"] * 4}, "solver": {"vertex_embeddings": VERTEX}}, "4 node names, each once"),
        ({"graph": {"id2name": {1: "a"}}, "solver": {"vertex_embeddings": VERTEX}}, "node names"),
        (
            {
                "graph": {"id2name": NAMES},
                "solver": {"vertex_embeddings": VERTEX, "context_embeddings": VERTEX[:2]},
            },
            r"m\.pkl.*context",
        ),
    ],
)
def test_other_pickles(tmp_path, value, words):
    with pytest.raises(ModelError, match=words):
        read_graphvite(write(tmp_path / "m.pkl", value))


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ModelError, match="No such file"):
        read_graphvite(tmp_path / "none.pkl")
    with pytest.raises(ModelError, match="directory"):
        read_graphvite(tmp_path)
