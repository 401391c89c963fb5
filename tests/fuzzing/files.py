"""Targets that are binary files: compiled graphs, models, checkpoints, pickles, npz, Parquet and Arrow."""

from __future__ import annotations

import functools
import io
import json
import pickle
import tempfile
import warnings
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from tests.fuzzing.mutations import flip_bit, mutate_arrays, mutate_bytes, mutate_json
from tests.fuzzing.runner import Case, Target, WrongResult
from tests.fuzzing.texts import named

import nodeloom
from nodeloom import Graph
from nodeloom.datasets import compiled
from nodeloom.errors import TrainingInterrupted
from nodeloom.io.checksum import checksum_of
from nodeloom.io.graphvite_pickle import read_graphvite
from nodeloom.io.model_file import read_model
from nodeloom.io.tensors import read_tensors, with_checksums
from nodeloom.kernels.reference.adjacency import check_rows


def graph_of(number: int) -> Graph:
    """Return one of a few small graphs."""
    edges = np.random.default_rng(number).integers(0, 12, (30, 2))
    weights = np.arange(1, 31) / 4 if number % 4 < 2 else None
    names = (
        None if number % 3 == 0 else [f"n{i}" for i in range(12)] if number % 3 == 1 else [3 * i + 1 for i in range(12)]
    )
    return Graph.from_edges(edges, weights, num_nodes=12, names=names, directed=number % 2 == 1)


@functools.cache
def graph_file(number: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        graph_of(number).save(Path(folder) / "g")
        return _repacked(Path(folder) / "g")


def packed(arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> bytes:
    """Return a safetensors file, the same for the same arrays: the package writes them in an order of its own every time."""
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    content = b""
    for name in sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name)):
        array = np.ascontiguousarray(arrays[name])
        code = {
            "b": "BOOL",
            "i": f"I{8 * array.itemsize}",
            "u": f"U{8 * array.itemsize}",
            "f": f"F{8 * array.itemsize}",
        }[array.dtype.kind]
        header[name] = {
            "dtype": code,
            "shape": list(array.shape),
            "data_offsets": [len(content), len(content) + array.nbytes],
        }
        content += array.tobytes()
    text = json.dumps(header).encode()
    text = text.ljust(-(-len(text) // 8) * 8)
    return len(text).to_bytes(8, "little") + text + content


def _checked(arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> dict[str, str]:
    return with_checksums(metadata, {name: checksum_of(np.ascontiguousarray(array)) for name, array in arrays.items()})


def _repacked(path: Path) -> bytes:
    file = read_tensors(path, mmap=False)
    return packed(file.tensors, _checked(file.tensors, file.metadata))


def forged(content: bytes, change: Any, random: Random) -> bytes:
    """Return a safetensors file whose arrays and metadata are changed, with checksums that are right, mostly."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "g").write_bytes(content)
        file = read_tensors(Path(folder) / "g", mmap=False)
    arrays, metadata = change(dict(file.tensors), dict(file.metadata))
    metadata = {key: str(value) for key, value in metadata.items()}
    if random.random() < 0.2:
        metadata["format_version"] = "1"
    elif random.random() < 0.95:
        metadata = _checked(arrays, metadata)
    return packed(arrays, metadata)


def _make_graph(random: Random) -> Case:
    number = random.randrange(12)
    content = graph_file(number)
    if random.random() < 0.05:
        return Case(content, {"base": number, "flipped": True}, "g.graph", sound=True)
    if random.random() < 0.4:
        flipped = random.random() < 0.7
        content = flip_bit(content, random) if flipped else mutate_bytes(content, random, most=3)
        return Case(content, {"base": number, "flipped": True}, "g.graph")

    def change(arrays: dict[str, Any], metadata: dict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
        if random.random() < 0.8:
            arrays = mutate_arrays(arrays, random)
        if "names" in arrays and random.random() < 0.3:
            arrays["names"] = np.frombuffer(mutate_bytes(arrays["names"].tobytes(), random, most=2), np.uint8)
        if random.random() < 0.3:
            metadata = dict(mutate_json(metadata, random) or {})
        return arrays, metadata

    return Case(forged(content, change, random), {"base": number, "train": random.random() < 0.2}, "g.graph")


def _same_graph(one: Graph, other: Graph) -> bool:
    pairs = [(one.indptr, other.indptr), (one.indices, other.indices)]
    if (one.weights is None) != (other.weights is None):
        return False
    if one.weights is not None and other.weights is not None:
        pairs.append((one.weights, other.weights))
    same = all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)
    return same and one.names == other.names and one.directed == other.directed and one.num_loops == other.num_loops


def _run_graph(case: Case, path: Path) -> None:
    graph = named(path, lambda: Graph.open(path))
    if case.options.get("flipped"):
        if not _same_graph(graph, graph_of(case.options["base"])):
            raise WrongResult("another graph than was written")
        return
    fault, where, num_loops, symmetric = check_rows(graph.indptr, graph.indices, graph.weights, graph.num_nodes)
    if fault or num_loops != graph.num_loops or not (symmetric or graph.directed):
        raise WrongResult(f"a graph with a fault: {fault} {where} {num_loops} {symmetric}")
    list(graph.names)
    graph.has_edges([0], [graph.num_nodes - 1])
    if case.options.get("train"):
        model = nodeloom.DeepWalk(dim=4, num_epoch=1, num_thread=1, device="cpu").fit(graph)
        if not np.isfinite(model.vectors_).all():
            raise WrongResult("vectors that are not finite")


def _model(number: int) -> Any:
    kinds = [
        nodeloom.DeepWalk(dim=4, num_epoch=3, num_thread=1, device="cpu"),
        nodeloom.LINE(dim=4, num_epoch=40, order="both", num_thread=1, device="cpu", optimizer="Adam", lr=0.01),
        nodeloom.DeepWalk(
            dim=4, num_epoch=40, num_thread=1, device="cpu", optimizer={"type": "Momentum", "momentum": 0.5}
        ),
    ]
    return kinds[number % len(kinds)]


@functools.cache
def model_file(number: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return _repacked(_model(number).fit(graph_of(number)).save(Path(folder) / "m.safetensors"))


class _Stop:
    def on_pool_end(self, progress: object) -> None:
        raise TrainingInterrupted("enough")


@functools.cache
def checkpoint_file(number: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.safetensors"
        try:
            _model(number).fit(graph_of(number), checkpoint=path, callbacks=[_Stop()])
        except TrainingInterrupted:
            return _repacked(path)
        raise AssertionError("the training was over before it could be stopped")


def _changed_sections(random: Random) -> Any:
    def change(arrays: dict[str, Any], metadata: dict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
        if random.random() < 0.4:
            arrays = mutate_arrays(arrays, random)
        if random.random() < 0.8:
            key = random.choice(["config", "state", "graph", "rows"])
            text = json.dumps(mutate_json(json.loads(metadata.get(key, "{}")), random))
            metadata[key] = (
                mutate_bytes(text.encode(), random, most=1).decode("utf-8", "replace")
                if random.random() < 0.1
                else text
            )
        return arrays, metadata

    return change


def _make_model(random: Random) -> Case:
    number = random.randrange(6)
    content = model_file(number)
    if random.random() < 0.05:
        return Case(content, {"base": number, "flipped": True}, "m.safetensors", sound=True)
    if random.random() < 0.4:
        content = flip_bit(content, random) if random.random() < 0.7 else mutate_bytes(content, random, most=3)
        return Case(content, {"base": number, "flipped": True}, "m.safetensors")
    return Case(forged(content, _changed_sections(random), random), {}, "m.safetensors")


def _run_model(case: Case, path: Path) -> None:
    data = named(path, lambda: read_model(path))
    if not all(np.isfinite(tensor).all() for tensor in data.tensors.values() if tensor.dtype.kind == "f"):
        raise WrongResult("a model that is not finite")
    if case.options.get("flipped"):
        (path.parent / "base").write_bytes(model_file(case.options["base"]))
        base = read_model(path.parent / "base")
        same = data.tensors.keys() == base.tensors.keys() and all(
            np.array_equal(data.tensors[k], base.tensors[k]) for k in base.tensors
        )
        if (
            not same
            or data.names != base.names
            or (data.config, data.state, data.graph) != (base.config, base.state, base.graph)
        ):
            raise WrongResult("another model than was written")
    model = named(path, lambda: nodeloom.load(path))
    repr(model)
    list(model.graph_names_)
    if len(model.vectors_) > 1:
        model.nearest(model.graph_names_[0], 1)


def _make_checkpoint(random: Random) -> Case:
    number = random.randrange(6)
    content = checkpoint_file(number)
    if random.random() < 0.05:
        return Case(content, {"base": number}, "c.safetensors", sound=True)
    content = flip_bit(content, random) if random.random() < 0.2 else forged(content, _changed_sections(random), random)
    return Case(content, {"base": number}, "c.safetensors")


def _run_checkpoint(case: Case, path: Path) -> None:
    number = case.options["base"]
    model = named(path, lambda: _model(number).fit(graph_of(number), resume=path))
    if not np.isfinite(model.vectors_).all():
        raise WrongResult("vectors that are not finite")


@functools.cache
def pickle_files() -> list[bytes]:
    found = []
    table = np.arange(12, dtype=np.float32).reshape(4, 3)
    for names in (["a", "b", "c", "d"], [1, 2, 3, 4]):
        graph = {"id2name": names, "name2id": {name: i for i, name in enumerate(names)}, "type": "Graph"}
        for solver in (
            {"vertex_embeddings": table, "context_embeddings": -table, "model": "DeepWalk"},
            {"vertex_embeddings": table.astype(">f8").T.copy().T},
        ):
            for protocol in (0, 1, 2, 3, 4, 5):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    found.append(pickle.dumps({"graph": graph, "solver": solver}, protocol))
    return found


_OPCODES = [bytes([code]) for code in pickle._Unpickler.dispatch]


def _make_pickle(random: Random) -> Case:
    content = random.choice(pickle_files())
    if random.random() < 0.05:
        return Case(content, {}, "m.pkl", sound=True)
    if random.random() < 0.5:
        place = random.randrange(len(content))
        made = b"".join(
            random.choice(_OPCODES)
            + (random.randbytes(random.choice([0, 1, 2, 4, 8])) if random.random() < 0.5 else b"")
            for _ in range(random.randint(1, 6))
        )
        content = content[:place] + made + content[place + random.choice([0, len(made)]) :]
    if random.random() < 0.6:
        content = mutate_bytes(content, random, most=3, other=random.choice(pickle_files()))
    return Case(content, {}, "m.pkl")


def _run_pickle(case: Case, path: Path) -> None:
    data = named(path, lambda: read_graphvite(path))
    list(data.names)
    if not np.isfinite(data.vertex).all():
        raise WrongResult("a model that is not finite")


@functools.cache
def npz_files() -> list[bytes]:
    found = []
    edges, labels = np.array([[0, 1], [1, 2], [2, 0]]), np.array([[0, 0], [1, 1], [2, 0]])
    for arrays in (
        {"edges": edges, "labels": labels},
        {"edges": edges.astype(np.int32), "labels": labels, "label_names": np.array(["x y", "z"])},
    ):
        for save in (np.savez, np.savez_compressed):
            sink = io.BytesIO()
            save(sink, **arrays)
            found.append(sink.getvalue())
    return found


def _make_npz(random: Random) -> Case:
    if random.random() < 0.5:
        return Case(
            mutate_bytes(random.choice(npz_files()), random, most=3),
            {"split": random.choice(["graph", "label"])},
            "graph.npz",
        )
    with np.load(io.BytesIO(random.choice(npz_files()))) as file:
        arrays = {key: file[key] for key in file.files}
    sink = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        texts = {key: arrays.pop(key) for key in list(arrays) if arrays[key].dtype.kind == "U"}
        np.savez(sink, **mutate_arrays(arrays, random), **texts)
    return Case(sink.getvalue(), {"split": random.choice(["graph", "label"])}, "graph.npz")


def _run_npz(case: Case, path: Path) -> None:
    text = named(path, lambda: compiled.text_of(path, "mine", case.options["split"]))
    for line in text.read_text().splitlines():
        if len(line.split("\t")) != 2 or not line.split("\t")[0].lstrip("-").isdigit():
            raise WrongResult(f"the line {line!r}")


@functools.cache
def table_files() -> list[tuple[str, bytes]]:
    import pyarrow as pa
    from pyarrow import feather, parquet

    found = []
    tables = [
        pa.table({"source": ["a", "b", "c"], "target": ["b", "c", "a"]}),
        pa.table({"source": [1, 2, 3], "target": [2, 3, 1], "weight": [1.0, 0.5, 2.0]}),
        pa.table(
            {
                "source": pa.array(["a", "b", "c"]).dictionary_encode(),
                "target": pa.array(["b", "c", "c"]).dictionary_encode(),
            }
        ),
        pa.table({"source": pa.array(["a", "b"], pa.string_view()), "target": pa.array(["b", "c"], pa.large_string())}),
    ]
    for table in tables:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        found.append(("t.arrow", sink.getvalue().to_pybytes()))
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        found.append(("t.arrows", sink.getvalue().to_pybytes()))
        if table.schema.types[0] != pa.string_view():
            sink = pa.BufferOutputStream()
            parquet.write_table(table, sink, compression=random_compression(len(found)))
            found.append(("t.parquet", sink.getvalue().to_pybytes()))
            sink = pa.BufferOutputStream()
            feather.write_feather(table, sink, compression="lz4")
            found.append(("t.feather", sink.getvalue().to_pybytes()))
    return found


def random_compression(number: int) -> str:
    return ["none", "snappy", "zstd", "gzip"][number % 4]


def _make_table(random: Random) -> Case:
    name, content = random.choice(table_files())
    content = (
        flip_bit(content, random)
        if random.random() < 0.3
        else mutate_bytes(content, random, most=3, other=random.choice(table_files())[1])
    )
    options = {"columns": random.choice([("source", "target"), (0, 1), ("x", "y")])} if random.random() < 0.3 else {}
    return Case(content, options, name)


def _run_table(case: Case, path: Path) -> None:
    graph = named(path, lambda: Graph.from_file(path, num_thread=1, **case.options))
    Graph(graph.indptr, graph.indices, graph.weights, graph.names, graph.directed)
    list(graph.names)


TARGETS = [
    Target("tables", _make_table, _run_table),
    Target("graphs", _make_graph, _run_graph),
    Target("models", _make_model, _run_model),
    Target("checkpoints", _make_checkpoint, _run_checkpoint),
    Target("pickles", _make_pickle, _run_pickle),
    Target("npz", _make_npz, _run_npz),
]
