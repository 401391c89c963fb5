"""A model file gives back what was put in, or says in one sentence why not."""

import json
import logging
import os
import pickle
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pyarrow as pa
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom.errors import ModelError, OutputError
from nodeloom.io.model_data import ModelData
from nodeloom.io.model_file import check_same_graph, model_path, read_model, write_model
from nodeloom.io.tensors import read_tensors, write_tensors
from nodeloom.io.vocabulary import Vocabulary


def table(n, dim, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


def model(n=5, dim=3, names=None, **sections):
    names = Vocabulary.from_names(["ann", "bob", "ünï", "", "e f"]) if names is None else names
    return ModelData.of_nodes({"vertex": table(n, dim), "context": table(n, dim, 1)}, names, **sections)


def same(left, right):
    assert left.tensors.keys() == right.tensors.keys()
    for name in left.tensors:
        assert left.tensors[name].dtype == right.tensors[name].dtype
        np.testing.assert_array_equal(left.tensors[name], right.tensors[name])
    assert list(left.names) == list(right.names)
    assert (left.config, left.state, left.graph) == (right.config, right.state, right.graph)


def craft(path, header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


@pytest.mark.parametrize("mmap", [True, False])
def test_round_trip(tmp_path, mmap):
    sections = {
        "config": {"train": {"dim": 3, "lr": 0.1, "name": "ü"}},
        "state": {"epoch": 2**60},
        "graph": {"fingerprint": "ab", "num_nodes": 5, "num_edges": 9, "directed": False},
    }
    before = model(**sections)
    before.tensors["vertex_moment1"] = table(5, 3, 2)
    before.tensors["loss"] = np.arange(7, dtype=np.float64)
    write_model(tmp_path / "m.safetensors", before)
    after = read_model(tmp_path / "m.safetensors", mmap=mmap)
    same(before, after)
    assert (after.num_nodes, after.dim) == (5, 3)
    assert after.vertex.flags.writeable
    assert type(after.vertex) is np.ndarray


names_strategy = st.one_of(
    st.integers(1, 40).map(Vocabulary.range),
    st.lists(st.text(), min_size=1, max_size=40, unique=True).map(Vocabulary.from_names),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=40, unique=True).map(Vocabulary.from_names),
)


@settings(deadline=None, max_examples=60)
@given(names=names_strategy, dim=st.integers(1, 70), tied=st.booleans())
def test_round_trip_of_any_names_and_dim(tmp_path_factory, names, dim, tied):
    path = tmp_path_factory.mktemp("m") / "m.safetensors"
    tensors = {"vertex": table(len(names), dim)} | ({} if tied else {"context": table(len(names), dim, 1)})
    before = ModelData.of_nodes(tensors, names)
    write_model(path, before)
    after = read_model(path)
    same(before, after)
    assert (after.context is None) is tied
    assert after.names.is_range is names.is_range


def test_any_safetensors_reader_opens_it(tmp_path):
    before = model(config={"dim": 3})
    write_model(tmp_path / "m.safetensors", before)
    tensors = safetensors.numpy.load_file(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(tensors["vertex"], before.vertex)
    np.testing.assert_array_equal(tensors["context"], before.context)
    with pa.ipc.open_stream(tensors["names.node"].tobytes()) as reader:
        assert reader.read_all().column("name").to_pylist() == list(before.names)
    with safetensors.safe_open(tmp_path / "m.safetensors", framework="np") as file:
        assert json.loads(file.metadata()["config"]) == {"dim": 3}


def test_we_open_what_the_package_writes(tmp_path):
    tensors = {"vertex": table(4, 2), "b": np.arange(3, dtype=np.int16), "empty": np.empty((0, 3), np.float64)}
    safetensors.numpy.save_file(tensors, tmp_path / "x.safetensors", metadata={"format": "other"})
    file = read_tensors(tmp_path / "x.safetensors")
    assert file.metadata == {"format": "other"}
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(file.tensors[name], tensor)
        assert file.tensors[name].dtype == tensor.dtype


@pytest.mark.parametrize("names", [None, Vocabulary.range(5)])
def test_mapped_tables_are_aligned(tmp_path, names):
    write_model(tmp_path / "m.safetensors", model(names=names))
    assert read_model(tmp_path / "m.safetensors").vertex.flags.aligned


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are a matter of POSIX")
def test_a_model_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    write_model(tmp_path / "m.safetensors", model())
    assert (tmp_path / "m.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes are a matter of POSIX")
def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    pipe, received = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    write_tensors(pipe, {"a": table(3, 2)}, {})
    reader.join()
    assert pipe.is_fifo()
    np.testing.assert_array_equal(safetensors.numpy.load(received[0])["a"], table(3, 2))


@pytest.mark.skipif(sys.platform == "win32", reason="limits of size are a matter of POSIX")
def test_a_disk_that_fills_up_leaves_the_old_model(tmp_path):
    path = tmp_path / "m.safetensors"
    write_model(path, model())
    before = path.read_bytes()
    script = (
        "import sys, numpy as np\nfrom nodeloom.io.tensors import write_tensors\n"
        "try: write_tensors(sys.argv[1], {'a': np.ones(10**6)}, {})\n"
        "except OSError as error: print(type(error).__name__, error.errno == 27, error)"
    )
    command = ["bash", "-c", f'ulimit -f 100; exec {sys.executable} -c "$0" {path}', script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("OutputError True ")
    assert "expected a file that may grow to its full size, got 'File too large'" in done.stdout
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.safetensors"]


def test_a_model_may_replace_the_file_it_is_mapped_from(tmp_path):
    path = tmp_path / "m.safetensors"
    write_model(path, model())
    mapped = read_model(path)
    kept = mapped.vertex.copy()
    write_model(path, ModelData.of_nodes({"vertex": mapped.vertex}, mapped.names, state={"epoch": 1}))
    np.testing.assert_array_equal(mapped.vertex, kept)
    np.testing.assert_array_equal(read_model(path).vertex, kept)


@pytest.mark.parametrize(
    "array",
    [table(6, 4).T, table(12, 4)[::2], np.asfortranarray(table(6, 4)), table(6, 4).astype(">f4"), np.float32(3) + 0],
)
def test_arrays_of_any_layout(tmp_path, array):
    write_tensors(tmp_path / "x", {"a": np.asarray(array)}, {})
    np.testing.assert_array_equal(read_tensors(tmp_path / "x").tensors["a"], array)


@pytest.mark.parametrize("mmap", [True, False])
def test_cut_anywhere_is_one_clear_message(tmp_path, mmap):
    write_model(tmp_path / "m.safetensors", model())
    whole = (tmp_path / "m.safetensors").read_bytes()
    cut = tmp_path / "cut.safetensors"
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        with pytest.raises(ModelError) as caught:
            read_model(cut, mmap=mmap)
        assert str(cut) in str(caught.value)
        assert "\n" not in str(caught.value)
    cut.write_bytes(whole + b"x")
    with pytest.raises(ModelError, match="cut or damaged"):
        read_model(cut)


@settings(deadline=None, max_examples=150)
@given(position=st.integers(0, 10**6), value=st.integers(0, 255))
def test_a_changed_byte_is_noticed(tmp_path_factory, position, value):
    path = tmp_path_factory.mktemp("m") / "m.safetensors"
    before = model()
    write_model(path, before)
    whole = bytearray(path.read_bytes())
    whole[position % len(whole)] = value
    path.write_bytes(whole)
    try:
        same(read_model(path), before)
    except ModelError as error:
        assert str(path) in str(error)


def test_every_bit_of_tables_and_names_is_under_a_checksum(tmp_path):
    path = tmp_path / "m.safetensors"
    write_model(path, model(state={"num_pair": 3}))
    whole = path.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    for bit in range(8 * start, 8 * len(whole), 3):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"with the checksum .* The file is damaged: copy it again"):
            read_model(path)
    path.write_bytes(whole.replace(b'num_pair\\": 3', b'num_pair\\": 2'))
    with pytest.raises(ModelError, match="metadata with the checksum"):
        read_model(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_tables_that_are_not_finite_are_neither_written_nor_read(tmp_path, value):
    bad = model()
    bad.tensors["context"][3, 1] = value
    with pytest.raises(ModelError, match=rf"finite numbers in tensor 'context', got '{value} in row 3'.*diverged"):
        write_model(tmp_path / "m.safetensors", bad)
    assert not (tmp_path / "m.safetensors").exists()
    write_tensors(
        tmp_path / "m.safetensors", {**bad.tensors, "names": np.frombuffer(bad.names.to_bytes(), np.uint8)}, META
    )
    with pytest.raises(ModelError, match=r"m.safetensors: expected finite numbers in tensor 'context'"):
        read_model(tmp_path / "m.safetensors")


FOREIGN = {
    "missing": (None, "No such file"),
    "empty": (b"", "an empty file"),
    "text": (b"ann 0.1 0.2\nbob 0.3 0.4\n", "a text file"),
    "npz": (b"PK\x03\x04" + bytes(50), "npz"),
    "gzip": (b"\x1f\x8b" + bytes(50), "gzip"),
    "parquet": (b"PAR1" + bytes(50), "Parquet"),
    "pickle": (pickle.dumps({"a": np.arange(3)}), "a pickle"),
    "junk": (np.random.default_rng(0).bytes(1000), "expected a model file"),
    "zeros": (bytes(1000), "expected a model file"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_other_files_are_named(tmp_path, kind):
    content, words = FOREIGN[kind]
    path = tmp_path / "m.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=words):
        read_model(path)


def test_a_folder_is_no_model(tmp_path):
    with pytest.raises(ModelError, match="directory"):
        read_model(tmp_path)


ENTRY = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
FORGED = {
    "not JSON": (b"{not json", "damaged"),
    "nested": (b'{"a":' + b"[" * 100_000, "damaged"),
    "no offsets": ({"vertex": {"dtype": "F32", "shape": [2, 2]}}, "damaged"),
    "a number": ({"vertex": 3}, "damaged"),
    "dtype": ({"vertex": ENTRY | {"dtype": "BF16", "shape": [2, 4]}}, "tensor 'vertex' of one of"),
    "shape": ({"vertex": ENTRY | {"shape": [2, 3]}}, "damaged"),
    "overflow": ({"vertex": ENTRY | {"shape": [2**32, 2**32]}}, "damaged"),
    "negative": ({"vertex": ENTRY | {"shape": [-2, -2]}}, "damaged"),
    "hole": ({"vertex": ENTRY | {"data_offsets": [4, 20]}}, "damaged"),
    "overlap": ({"vertex": ENTRY, "context": ENTRY}, "damaged"),
    "metadata": ({"__metadata__": [1], "vertex": ENTRY}, "damaged"),
}


@pytest.mark.parametrize("kind", FORGED)
def test_forged_headers(tmp_path, kind):
    header, words = FORGED[kind]
    with pytest.raises(ModelError, match=words):
        read_model(craft(tmp_path / "m.safetensors", header, bytes(16)))


META = {"format": "nodeloom", "format_version": "1"}
BAD_MODELS = {
    "foreign": ({"vertex": table(2, 2)}, {"format": "pt"}, "something else"),
    "no metadata": ({"vertex": table(2, 2)}, {}, "something else"),
    "future": ({"vertex": table(2, 2)}, META | {"format_version": "4"}, "newer nodeloom"),
    "no version": ({"vertex": table(2, 2)}, {"format": "nodeloom"}, "newer nodeloom"),
    "no table": ({"context": table(2, 2)}, META, "a tensor 'vertex'"),
    "dtype": ({"vertex": table(2, 2).astype(np.float64)}, META, "float64"),
    "one axis": ({"vertex": table(2, 2).ravel()}, META, r"\[4\]"),
    "dim 0": ({"vertex": np.empty((2, 0), np.float32)}, META, r"\[2, 0\]"),
    "context": ({"vertex": table(2, 2), "context": table(3, 2)}, META, "like 'vertex'"),
    "moment": ({"vertex": table(2, 2), "vertex_moment1": table(2, 1)}, META, "like 'vertex'"),
    "config": ({"vertex": table(2, 2)}, META | {"config": "{"}, "'config'"),
    "state": ({"vertex": table(2, 2)}, META | {"state": "[]"}, "'state'"),
    "names": ({"vertex": table(2, 2), "names": np.zeros(64, np.uint8)}, META, "names"),
    "names of others": ({"vertex": table(2, 2), "names": np.zeros(3, np.float32)}, META, "names"),
}


@pytest.mark.parametrize("kind", BAD_MODELS)
def test_files_that_are_no_good_models(tmp_path, kind):
    tensors, metadata, words = BAD_MODELS[kind]
    write_tensors(tmp_path / "m.safetensors", tensors, metadata)
    with pytest.raises(ModelError, match=words) as caught:
        read_model(tmp_path / "m.safetensors")
    assert "m.safetensors" in str(caught.value)


def test_names_must_be_as_many_as_rows(tmp_path):
    with pytest.raises(ModelError, match="5 node names"):
        model(names=Vocabulary.range(4))
    write_model(tmp_path / "m.safetensors", model())
    file = read_tensors(tmp_path / "m.safetensors")
    write_tensors(
        tmp_path / "n.safetensors", file.tensors | {"vertex": table(4, 3), "context": table(4, 3)}, file.metadata
    )
    with pytest.raises(ModelError, match="4 node names"):
        read_model(tmp_path / "n.safetensors")


def test_numpy_scalars_become_json(tmp_path):
    write_model(tmp_path / "m.safetensors", model(state={"loss": np.float32(0.5), "at": np.arange(2)}))
    assert read_model(tmp_path / "m.safetensors").state == {"loss": 0.5, "at": [0, 1]}


def test_what_cannot_be_written_leaves_the_old_model(tmp_path):
    path = tmp_path / "m.safetensors"
    before = model()
    write_model(path, before)
    with pytest.raises(TypeError, match="JSON types only"):
        write_model(path, model(config={"x": object()}))
    with pytest.raises(OutputError, match="Create the folder"):
        write_model(tmp_path / "missing" / "m.safetensors", before)
    same(before, read_model(path))


def test_a_model_of_another_graph_is_refused():
    saved = {"fingerprint": "aaaa", "num_nodes": 5, "num_edges": 7, "directed": False}
    check_same_graph("m", saved, dict(saved))
    with pytest.raises(ModelError, match=r"aaaa \(5 nodes, 7 edges\).*bbbb.*Resume with the graph"):
        check_same_graph("m", saved, saved | {"fingerprint": "bbbb"})


def test_names_of_model_files(caplog):
    assert str(model_path("a/m.safetensors")) == "a/m.safetensors"
    assert str(model_path("a/m")) == "a/m.safetensors"
    assert str(model_path("a/m.v2")) == "a/m.v2.safetensors"
    with caplog.at_level(logging.WARNING, logger="nodeloom"):
        assert str(model_path("a/m.pkl")) == "a/m.safetensors"
    assert "not pickled" in caplog.text
    with pytest.raises(OutputError, match="nodeloom export"):
        model_path("vectors.txt")


def test_tables_are_neither_copied_for_writing_nor_read_for_opening(tmp_path):
    """Peak memory in a process of its own, with tables of 2 x 100 MB."""
    script = textwrap.dedent(
        """
        import sys
        import numpy as np
        import pyarrow
        from nodeloom.io.model_data import ModelData
        from nodeloom.io.model_file import read_model, write_model
        from nodeloom.io.vocabulary import Vocabulary

        def peak():
            return int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1]) / 1024

        n = 200_000
        data = ModelData.of_nodes({"vertex": np.ones((n, 128), np.float32), "context": np.ones((n, 128), np.float32)},
                         Vocabulary.range(n))
        start = peak()
        write_model(sys.argv[1], data)
        print(peak() - start)
        del data
        open("/proc/self/clear_refs", "w").write("5")
        start = peak()
        read_model(sys.argv[1])
        print(peak() - start)
        """
    )
    if not sys.platform.startswith("linux"):
        pytest.skip("peak memory is read from /proc")
    command = [sys.executable, "-c", script, str(tmp_path / "m.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    wrote, opened = map(float, done.stdout.split())
    assert wrote < 10, f"writing 200 MB took {wrote:.0f} MB more"
    assert opened < 10, f"opening 200 MB took {opened:.0f} MB"
