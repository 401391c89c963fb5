"""The knowledge graph: what it can be made of, what it refuses, and that it is the same after save, open and pickle."""

import pickle

import numpy as np
import pytest

from nodeloom import Graph, KnowledgeGraph
from nodeloom.errors import ConfigError, DataError, GraphError, ParameterError
from nodeloom.io.vocabulary import Vocabulary

ROWS = [("Ann", "knows", "Bob"), ("Bob", "knows", "Eve"), ("Eve", "likes", "Ann"), ("Ann", "likes", "Ann")]


def named_rows(graph):
    columns = (
        graph.entity_names.take(graph.heads),
        graph.relation_names.take(graph.relations),
        graph.entity_names.take(graph.tails),
    )
    return list(zip(*columns, strict=True))


def test_rows_of_names():
    graph = KnowledgeGraph.from_triples(ROWS)
    assert named_rows(graph) == ROWS
    assert graph.entity_names.to_list() == ["Ann", "Bob", "Eve"]
    assert graph.relation_names.to_list() == ["knows", "likes"]
    assert (graph.num_entities, graph.num_relations, graph.num_triples, graph.weights) == (3, 2, 4, None)
    assert graph.degrees.tolist() == [4, 2, 2]
    assert graph.relation_counts.tolist() == [2, 2]
    assert "3 entities, 2 relations, 4 triples, named 'Ann'" in repr(graph)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8, "list", "fortran"])
def test_ids(dtype):
    rows = [[0, 1, 2], [2, 0, 0], [3, 1, 1]]
    given = (
        rows
        if dtype == "list"
        else np.array(rows, order="F" if dtype == "fortran" else "C", dtype=None if dtype == "fortran" else dtype)
    )
    graph = KnowledgeGraph.from_triples(given)
    assert graph.triples.tolist() == rows
    assert graph.triples.dtype == graph.heads.dtype == np.int32
    assert (graph.num_entities, graph.num_relations) == (4, 2)
    assert graph.entity_names.is_range
    larger = KnowledgeGraph.from_triples(given, num_entities=9, num_relations=5)
    assert (larger.num_entities, larger.num_relations) == (9, 5)
    assert larger.fingerprint() != graph.fingerprint()


def test_arrays_are_read_only_and_copies_are_not():
    graph = KnowledgeGraph.from_triples(ROWS)
    for array in (graph.heads, graph.relations, graph.tails, graph.degrees, graph.relation_counts):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    graph.triples[0] = 7


def test_names_beside_ids():
    graph = KnowledgeGraph.from_triples(
        [[0, 0, 1]], entity_names=["x", "y"], relation_names=Vocabulary.from_names(["is"])
    )
    assert named_rows(graph) == [("x", "is", "y")]


def test_integer_names_beside_text():
    # Of ids of which one column is text the integers are names; nothing is cut (pykeen 694: 10280 became 1028).
    graph = KnowledgeGraph.from_triples([(10280, "likes", 51), (51, "likes", 10280)])
    assert graph.entity_names.to_list() == [51, 10280]
    assert named_rows(graph) == [(10280, "likes", 51), (51, "likes", 10280)]


@pytest.mark.parametrize("size", [10, 10**6])
def test_numpy_text_and_objects(size):
    rows = [(f"n{i % size}", "r" * (i % 3 + 1), f"n{i * 7 % size}") for i in range(10)]
    expected = KnowledgeGraph.from_triples(rows, duplicates="keep")
    for array in (np.array(rows), np.array(rows, object)):
        graph = KnowledgeGraph.from_triples(array, duplicates="keep")
        assert graph.fingerprint() == expected.fingerprint()
        assert graph.entity_names == expected.entity_names


def test_repeated_triples(caplog):
    rows = [("a", "r", "b"), ("b", "r", "a"), ("a", "r", "b"), ("a", "s", "b"), ("a", "r", "b")]
    graph = KnowledgeGraph.from_triples(rows)
    assert named_rows(graph) == [rows[0], rows[1], rows[3]]
    assert graph.weights is None
    assert "2 of 5 triples are given again and are merged. To keep them, give duplicates='keep'" in caplog.text
    caplog.clear()
    assert KnowledgeGraph.from_triples(rows, duplicates="keep").num_triples == 5
    assert KnowledgeGraph.from_triples(rows, duplicates="sum").weights.tolist() == [3, 1, 1]
    assert KnowledgeGraph.from_triples(rows, duplicates="first").weights is None
    weights = [1, 2, 5, 0, 3]
    for how, expected in (("sum", [9, 2, 0]), ("first", [1, 2, 0]), ("max", [5, 2, 0])):
        assert KnowledgeGraph.from_triples(rows, weights, duplicates=how).weights.tolist() == expected
    assert not caplog.text
    assert KnowledgeGraph.from_triples(rows, weights).weights.tolist() == [9, 2, 0]
    assert "their weights are added" in caplog.text
    with pytest.raises(ConfigError, match="duplicates: expected one of auto, sum"):
        KnowledgeGraph.from_triples(rows, duplicates="drop")


def test_repeated_triples_against_a_set():
    random = np.random.default_rng(3)
    rows = random.integers(0, [20, 4, 20], (1000, 3))
    graph = KnowledgeGraph.from_triples(rows, num_entities=20, num_relations=4, duplicates="sum")
    counts = {}
    for row in rows.tolist():
        counts[tuple(row)] = counts.get(tuple(row), 0) + 1
    assert list(map(tuple, graph.triples.tolist())) == list(counts)
    assert graph.weights.tolist() == list(counts.values())
    # Where 64 bits hold no number for each triple they are sorted by column.
    wide = KnowledgeGraph.from_triples(rows, num_entities=2**31 - 2, num_relations=4, duplicates="sum")
    assert (wide.triples == graph.triples).all()
    assert (wide.weights == graph.weights).all()


def test_names_of_another(caplog):
    train = KnowledgeGraph.from_triples(ROWS)
    test = KnowledgeGraph.from_triples([("Eve", "hates", "Tom"), ("Bob", "likes", "Ann")], like=train)
    assert test.heads.tolist() == [2, 1]
    assert test.tails.tolist() == [3, 0]
    assert test.relations.tolist() == [2, 1]
    assert test.entity_names.to_list() == ["Ann", "Bob", "Eve", "Tom"]
    assert "1 entities and 1 relations are not in the other knowledge graph" in caplog.text
    caplog.clear()
    again = KnowledgeGraph.from_triples([("Bob", "likes", "Ann")]).with_names_of(train)
    assert again.entity_names is train.entity_names
    assert again.triples.tolist() == [[1, 1, 0]]
    assert KnowledgeGraph.from_triples([[1, 1, 0]], like=train).entity_names is train.entity_names
    assert not caplog.text
    with pytest.raises(DataError, match="heads: expected entity ids from 0 to 2, got 7 in row 0"):
        KnowledgeGraph.from_triples([[7, 0, 0]], like=train)
    with pytest.raises(DataError, match="num_entities: expected nothing beside like"):
        KnowledgeGraph.from_triples([[1, 1, 0]], like=train, num_entities=9)


def test_names_of_another_with_integers():
    train = KnowledgeGraph.from_triples([(0, "r", 1), (1, "r", 2)])
    assert train.entity_names.is_range
    test = KnowledgeGraph.from_triples([("2", "r", "x")], like=train)
    assert test.entity_names.to_list() == ["0", "1", "2", "x"]
    assert test.triples.tolist() == [[2, 0, 3]]


def test_selection():
    graph = KnowledgeGraph.from_triples(ROWS, weights=[1, 2, 3, 4])
    for rows in ([3, 0], np.array([3, 0]), []):
        part = graph.select(rows)
        assert named_rows(part) == [ROWS[i] for i in rows]
        assert part.weights.tolist() == [i + 1 for i in rows]
        assert part.entity_names is graph.entity_names
    assert named_rows(graph.select(np.array([True, False, False, True]))) == [ROWS[0], ROWS[3]]
    with pytest.raises(DataError, match=r"triples: expected bool \[4\]"):
        graph.select(np.array([True]))


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("weights", [None, [1, 2, 0.5, 4]])
def test_save_open_and_pickle(tmp_path, named, weights):
    graph = KnowledgeGraph.from_triples(ROWS if named else [[0, 0, 1], [1, 0, 2], [2, 1, 0], [3, 1, 3]], weights)
    path = tmp_path / "kg"
    graph.save(path)
    for again in (KnowledgeGraph.open(path), pickle.loads(pickle.dumps(graph))):
        assert again.fingerprint() == graph.fingerprint()
        assert again.entity_names == graph.entity_names
        assert again.relation_names == graph.relation_names
        assert (again.triples == graph.triples).all()
        assert (again.weights is None) == (weights is None)
        assert not again.heads.flags.writeable
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"damaged"):
        KnowledgeGraph.open(path)


def test_open_refuses_other_files(tmp_path):
    path = tmp_path / "graph"
    Graph.from_edges([[0, 1]]).save(path)
    with pytest.raises(DataError, match="expected a saved knowledge graph, got another kind of file"):
        KnowledgeGraph.open(path)
    KnowledgeGraph.from_triples(ROWS).save(path)
    with pytest.raises(DataError, match="expected a compiled graph, got another kind of file"):
        Graph.open(path)
    with pytest.raises(DataError, match="got no file of this name"):
        KnowledgeGraph.open(tmp_path / "none")


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([("a", "b")], {}, "row 0: expected head, relation and tail, got"),
        ([("a", "r", "b"), "abc"], {}, "row 1: expected head, relation and tail, got 'abc'"),
        ([("a", "r", None)], {}, "names: expected text or integers, got None"),
        ([("a", "r", float("nan"))], {}, "names: expected text or integers, got nan"),
        ([("a", "r", 1.5)], {}, "names: expected text or integers, got 1.5"),
        ([(True, "r", "x")], {}, "got True of type bool"),
        ([(1, "r", "1")], {}, "names: expected every entity in one form, got 1 and '1'"),
        (np.zeros((2, 2), int), {}, r"expected an array of shape \[E, 3\], got shape \[2, 2\]"),
        (np.zeros((2, 3)), {}, "heads: expected integer ids or names as text, got values of type float64"),
        ([[0, 0, -1]], {}, "tails: expected entity ids from 0 to 0, got -1"),
        ([[0, 3, 1]], {"num_relations": 2}, "relations: expected relation ids from 0 to 1, got 3 in row 0"),
        ([[0, 0, 1]], {"entity_names": ["a"]}, "heads|tails: expected entity ids from 0 to 0, got 1"),
        ([[0, 0, 1]], {"entity_names": ["a", "a"]}, "expected each name once"),
        ([[0, 0, 1]], {"num_entities": 2.5}, "num_entities: expected a whole number"),
        ([[0, 0, 1]], {"weights": [1, 2]}, "expected one weight for each"),
        ([[0, 0, 1]], {"weights": [-1]}, "weights: expected"),
        ([[0, 0, 1]], {"weights": [np.nan]}, "weights: expected"),
        ([("a", "r", "b")], {"num_entities": 3}, "num_entities: expected triples of ids beside it"),
        ("abc", {}, "expected rows of head, relation and tail, got str"),
        (5, {}, "expected rows of head, relation and tail, got int"),
    ],
)
def test_what_is_refused(rows, options, message):
    with pytest.raises(DataError, match=message):
        KnowledgeGraph.from_triples(rows, **options)


def test_empty_and_far_ids():
    with pytest.raises(GraphError, match="triples: expected at least one, got none"):
        KnowledgeGraph.from_triples([])
    empty = KnowledgeGraph.from_triples([], num_entities=3, num_relations=1)
    assert (empty.num_triples, empty.num_entities) == (0, 3)
    with pytest.raises(GraphError, match="the ids are names"):
        KnowledgeGraph.from_triples([[10**9, 0, 1]])
    with pytest.raises(ParameterError, match="Did you mean"):
        KnowledgeGraph.from_triples([[0, 0, 1]], num_entity=3)


def test_constructor_checks():
    with pytest.raises(DataError, match="expected as many of each, got 1 and 2"):
        KnowledgeGraph([0, 1], [0], [1, 0])
    with pytest.raises(DataError, match="tails: expected entity ids"):
        KnowledgeGraph([0, 1], [0, 0], [1, 5], entity_names=Vocabulary.range(2))
    with pytest.raises(GraphError, match="at least one entity"):
        KnowledgeGraph([], [], [])
