"""Tables by any name, with names for each kind of row: whole in a file, or refused in one sentence."""

import json

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from nodeloom.errors import ModelError
from nodeloom.io.model_data import ModelData
from nodeloom.io.model_file import read_model, write_model
from nodeloom.io.tensors import read_tensors, write_tensors
from nodeloom.io.vocabulary import Vocabulary


def table(n, dim, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


def knowledge(**changes):
    """Return a model of three entities and two relations, as somebody may say it is."""
    values = {
        "tensors": {
            "entity": table(3, 4),
            "entity_moment1": table(3, 1, 1),
            "relation": table(2, 6, 2),
            "relation_moment1": table(2, 6, 3),
            "bias": table(3, 1, 4),
        },
        "rows": {"entity": "entity", "relation": "relation", "bias": "entity"},
        "vocabularies": {
            "entity": Vocabulary.from_names(["Paris", "France", "Seine"]),
            "relation": Vocabulary.from_names(["capital of", "flows through"]),
        },
    }
    return ModelData(**values | changes, config={"train": {"model": "ComplEx"}})


@pytest.mark.parametrize("mmap", [True, False])
def test_a_knowledge_graph_model(tmp_path, mmap):
    before = knowledge()
    write_model(tmp_path / "m.safetensors", before)
    after = read_model(tmp_path / "m.safetensors", mmap=mmap)
    assert after.tensors.keys() == before.tensors.keys()
    for name, tensor in before.tensors.items():
        np.testing.assert_array_equal(after.tensors[name], tensor)
    assert (after.rows, after.vocabularies, after.config) == (before.rows, before.vocabularies, before.config)
    assert not after.is_of_nodes
    for ask in ("vertex", "names", "num_nodes", "dim"):
        with pytest.raises(ModelError, match=r"m\.safetensors: expected a model of nodes.*got 'tables bias, entity, "):
            getattr(after, ask)
    with safetensors.safe_open(tmp_path / "m.safetensors", framework="np") as file:
        assert json.loads(file.metadata()["rows"]) == before.rows


def test_rows_without_names_are_numbers(tmp_path):
    points = ModelData({"point": table(9, 2)}, {"point": "point"}, {"point": Vocabulary.range(9)})
    write_model(tmp_path / "m.safetensors", points)
    assert read_tensors(tmp_path / "m.safetensors").tensors.keys() == {"point"}
    assert read_model(tmp_path / "m.safetensors").vocabularies == points.vocabularies


TENSORS, NAMES = knowledge().tensors, knowledge().vocabularies
LIES = {
    "no table": ({"rows": {}, "tensors": {}}, "at least one table"),
    "a table that is not there": ({"rows": {"entity": "entity", "point": "point"}}, "a tensor 'point'"),
    "too few rows": ({"tensors": TENSORS | {"bias": table(2, 1)}}, r"'bias' float32 \[3, D\] like 'entity'"),
    "dtype": ({"tensors": TENSORS | {"relation": table(2, 6).astype(np.float16)}}, "'relation' float32"),
    "no columns": ({"tensors": TENSORS | {"relation": np.empty((2, 0), np.float32)}}, "'relation' float32"),
    "one axis": ({"tensors": TENSORS | {"relation": np.ones(2, np.float32)}}, "'relation' float32"),
    "moment": ({"tensors": TENSORS | {"entity_moment1": table(3, 2)}}, r"float32 \[3, 4\] like 'entity'"),
    "moment of nothing": ({"tensors": TENSORS | {"point_moment1": table(3, 2)}}, "a table 'point' for 'point_moment1'"),
    "names of nothing": ({"vocabularies": NAMES | {"node": Vocabulary.from_names(["a", "b", "c"])}}, "names of .*node"),
    "too few names": ({"vocabularies": NAMES | {"relation": Vocabulary.from_names(["a"])}}, "2 relation names"),
    "a name that is none": (
        {"rows": {"entity": "entity", "relation": "names.entity", "bias": "entity"}},
        "small letters",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_models_that_lie_are_refused(tmp_path, lie, monkeypatch):
    changes, words = LIES[lie]
    with pytest.raises(ModelError, match=words):
        knowledge(**changes)
    with monkeypatch.context() as patch:  # a forger does not check
        patch.setattr(ModelData, "__post_init__", lambda self: None)
        write_model(tmp_path / "m.safetensors", knowledge(**changes))
    with pytest.raises(ModelError, match=words):
        read_model(tmp_path / "m.safetensors")


@pytest.mark.parametrize("rows", [None, "{", "[]", '{"entity": 1}'])
def test_kinds_of_rows_that_are_missing_or_none(tmp_path, rows):
    write_model(tmp_path / "m.safetensors", knowledge())
    file = read_tensors(tmp_path / "m.safetensors")
    metadata = {key: text for key, text in file.metadata.items() if key != "rows"} | (
        {} if rows is None else {"rows": rows}
    )
    write_tensors(tmp_path / "n.safetensors", file.tensors, metadata)
    with pytest.raises(ModelError, match=r"n\.safetensors: expected .*'rows'"):
        read_model(tmp_path / "n.safetensors")


def test_tables_of_nodes_have_one_shape():
    with pytest.raises(ModelError, match=r"'context' float32 \[3, 4\] like 'vertex'"):
        ModelData.of_nodes({"vertex": table(3, 4), "context": table(3, 5)}, Vocabulary.range(3))


def test_the_first_version_has_no_checksums(tmp_path):
    names = Vocabulary.from_names(["ann", "bob", "ünï", "", "e f"])
    tensors = {"vertex": table(5, 3), "context": table(5, 3, 1), "names": np.frombuffer(names.to_bytes(), np.uint8)}
    path = tmp_path / "m.safetensors"
    safetensors.numpy.save_file(tensors, path, {"format": "nodeloom", "format_version": "1"})
    data = read_model(path)
    np.testing.assert_array_equal(data.vertex, tensors["vertex"])
    np.testing.assert_array_equal(data.context, tensors["context"])
    assert list(data.names) == list(names)
    for version in ("2", "3"):
        safetensors.numpy.save_file(tensors, path, {"format": "nodeloom", "format_version": version})
        with pytest.raises(ModelError, match="expected checksums in its metadata, got 'none'"):
            read_model(path)
