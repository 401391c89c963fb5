"""The compiled graph: written, opened, and refused when it is not one."""

from __future__ import annotations

import contextlib
import mmap
import time

import numpy as np
import pytest
from safetensors.numpy import save_file

from nodeloom.errors import DataError, OutputError
from nodeloom.graph import Graph
from nodeloom.io.tensors import read_tensors, write_tensors


@pytest.fixture(
    params=[
        {"edges": [[0, 1], [1, 2]]},
        {"edges": [["b", "a"], ["a", "é"]], "weights": [1, 2]},
        {"edges": [[0, 1], [2, 2]], "directed": True, "names": [7, 5, 3]},
        {"edges": [], "num_nodes": 3},
    ],
    ids=["plain", "text and weights", "directed with integers", "no edges"],
)
def graph(request):
    return Graph.from_edges(**request.param)


def test_round_trip(graph, tmp_path):
    graph.save(tmp_path / "graph")
    again = Graph.open(tmp_path / "graph")
    assert again.names == graph.names
    assert again.directed == graph.directed
    assert (again.num_edges, again.num_loops) == (graph.num_edges, graph.num_loops)
    for name in ("indptr", "indices", "weights"):
        ours, theirs = getattr(graph, name), getattr(again, name)
        assert (ours is None) == (theirs is None)
        if ours is not None:
            np.testing.assert_array_equal(ours, theirs)
            assert ours.dtype == theirs.dtype
            assert not theirs.flags.writeable
    assert again.fingerprint() == graph.fingerprint()
    # What the file says of itself is what its arrays give.
    assert (
        Graph(again.indptr, again.indices, again.weights, directed=again.directed).fingerprint() == again.fingerprint()
    )


def test_it_is_a_safetensors_file(tmp_path):
    from safetensors.numpy import load_file

    graph = Graph.from_edges([["b", "a"], ["a", "é"]], weights=[1, 2])
    graph.save(tmp_path / "graph")
    arrays = load_file(tmp_path / "graph")
    assert set(arrays) == {"indptr", "indices", "weights", "names"}
    np.testing.assert_array_equal(arrays["indices"], graph.indices)


def test_opening_maps_the_arrays_and_looks_at_them_once(tmp_path):
    edges = np.random.default_rng(0).integers(0, 200_000, (1_000_000, 2))
    Graph.from_edges(edges).save(tmp_path / "graph")
    Graph.open(tmp_path / "graph")
    start = time.process_time()
    graph = Graph.open(tmp_path / "graph")
    assert repr(graph).startswith("Graph(200,000 nodes, ")
    assert time.process_time() - start < 0.5
    base = graph.indices
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(getattr(base, "obj", base), mmap.mmap)


def test_saving_over_the_file_it_was_opened_from(tmp_path):
    graph = Graph.from_edges([["b", "a"], ["a", "c"]], weights=[1, 2])
    graph.save(tmp_path / "graph")
    opened = Graph.open(tmp_path / "graph")
    opened.save(tmp_path / "graph")
    assert Graph.open(tmp_path / "graph").fingerprint() == graph.fingerprint() == opened.fingerprint()


def test_no_rest_is_left_where_it_cannot_be_written(tmp_path):
    graph = Graph.from_edges([[0, 1]])
    with pytest.raises(OutputError):
        graph.save(tmp_path / "nowhere" / "graph")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError):
        graph.save(tmp_path / "folder")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder"]


@pytest.mark.parametrize("keep", [0, 4, 8, 60, 250, -60, -9, -1])
def test_truncated(tmp_path, keep):
    path = tmp_path / "graph"
    Graph.from_edges([["b", "a"], ["a", "c"]], weights=[1, 2]).save(path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match="expected a compiled graph, got"):
        Graph.open(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"a b\nb c\n", b"\x00" * 100, (20).to_bytes(8, "little") + b'{"a": 1}            ', b"\xff" * 64],
    ids=["empty", "text", "zeros", "other safetensors", "junk"],
)
def test_foreign(tmp_path, content):
    (tmp_path / "graph").write_bytes(content)
    with pytest.raises(DataError, match=r"graph: expected a compiled graph, got .*Graph\.from_file"):
        Graph.open(tmp_path / "graph")


def test_parts_that_do_not_fit(tmp_path):
    path = tmp_path / "graph"
    graph = Graph.from_edges([[0, 1], [1, 2]])
    graph.save(path)
    content = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(content[:8], "little")
    content[start + 24 : start + 32] = (9).to_bytes(8, "little")  # the last offset
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"tensor 'indptr' with the checksum .* The file is damaged"):
        Graph.open(path)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("indptr", lambda array: array.astype(np.int32), "indptr: expected int64 .*, got int32"),
        ("indices", lambda array: array.astype(np.float32), "indices: expected int32 or int64 .*, got float32"),
        ("indices", lambda array: array.reshape(2, -1), r"indices: .* in one dimension, got int32 \(2, 2\)"),
        ("weights", lambda array: array.astype(np.float64), "weights: expected float32 .*, got float64"),
        ("names", lambda array: array.astype(np.int64), "names: expected uint8 .*, got int64"),
    ],
)
def test_arrays_of_another_kind(tmp_path, name, change, words):
    arrays, metadata = forged(tmp_path)
    write_tensors(tmp_path / "graph", {**arrays, name: change(arrays[name])}, metadata)
    with pytest.raises(DataError, match=f"graph: expected a compiled graph, got .*{words}"):
        Graph.open(tmp_path / "graph")


@pytest.mark.parametrize("offset", [-5, 1 << 30])
def test_names_that_reach_beyond_their_bytes(tmp_path, offset):
    arrays, metadata = forged(tmp_path)
    offsets = np.array([0, 1, 2, 3], np.int32).tobytes()
    content = arrays["names"].tobytes()
    assert content.count(offsets) == 1
    changed = content.replace(offsets, np.array([0, offset, 2, 3], np.int32).tobytes())
    write_tensors(tmp_path / "graph", {**arrays, "names": np.frombuffer(changed, np.uint8)}, metadata)
    with pytest.raises(DataError, match=r"graph: expected a compiled graph, got .*names: "):
        Graph.open(tmp_path / "graph")


def forged(folder):
    """Return copies of the arrays and the metadata of a graph that is saved in a folder."""
    Graph.from_edges([["b", "a"], ["a", "c"]], weights=[1, 2]).save(folder / "graph")
    file = read_tensors(folder / "graph")
    return {name: np.array(array) for name, array in file.tensors.items()}, file.metadata


def test_of_another_version(tmp_path):
    arrays, metadata = forged(tmp_path)
    write_tensors(tmp_path / "graph", arrays, metadata | {"format_version": "9"})
    with pytest.raises(DataError, match="got one of version '9': use a newer nodeloom"):
        Graph.open(tmp_path / "graph")


def test_of_the_first_version_whose_only_checksum_is_the_fingerprint(tmp_path):
    arrays, metadata = forged(tmp_path)
    path = tmp_path / "old"
    save_file(arrays, path, metadata | {"format_version": "1"})
    assert Graph.open(path).fingerprint() == Graph.open(tmp_path / "graph").fingerprint()
    arrays["weights"] *= 2
    save_file(arrays, path, metadata | {"format_version": "1"})
    with pytest.raises(DataError, match=r"fingerprint: .* is told, and that of the arrays is"):
        Graph.open(path)
    save_file(arrays, path, metadata)
    with pytest.raises(DataError, match="got one without checksums"):
        Graph.open(path)


def test_any_flipped_bit_is_noticed(tmp_path):
    path = tmp_path / "graph"
    graph = Graph.from_edges([["b", "a"], ["a", "c"], ["c", "c"]], weights=[1, 2, 3])
    graph.save(path)
    whole = path.read_bytes()
    for bit in range(0, 8 * len(whole), 5):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        with contextlib.suppress(DataError):
            found = Graph.open(path)
            assert found.fingerprint() == graph.fingerprint()
            assert found.names == graph.names
            assert whole[:8] == content[:8]  # such as a blank of the header that became a tab
            assert bit // 8 < 8 + int.from_bytes(whole[:8], "little")


def test_missing_and_folder(tmp_path):
    with pytest.raises(DataError, match="got no file of this name"):
        Graph.open(tmp_path / "nowhere")
    with pytest.raises(DataError, match="got a folder"):
        Graph.open(tmp_path)


def test_an_edge_list_reader_knows_a_compiled_graph(tmp_path):
    Graph.from_edges([[0, 1]]).save(tmp_path / "graph")
    with pytest.raises(DataError, match=r"got a compiled graph\. Open it with Graph\.open"):
        Graph.from_file(tmp_path / "graph")
