"""Splits of knowledge graphs: what stays to train on, what is hidden, and what gives hidden triples away."""

import numpy as np
import pytest

from nodeloom import KnowledgeGraph
from nodeloom.errors import ConfigError, DataError, GraphError
from nodeloom.tasks import split_triples, triple_leaks


def random_graph(seed=0, size=2000):
    rows = np.random.default_rng(seed).integers(0, [100, 6, 100], (size, 3))
    return KnowledgeGraph.from_triples(rows, num_entities=100, num_relations=6, duplicates="first")


def with_inverses():
    """Return a graph in which relation 1 is the inverse of 0, 3 a duplicate of 2, 4 symmetric, and 5 on its own."""
    random = np.random.default_rng(1)
    rows = []
    for relation, other, turned in ((0, 1, True), (2, 3, False), (4, 4, True)):
        pairs = random.choice(200 * 200, 400, replace=False)
        for head, tail in zip((pairs // 200).tolist(), (pairs % 200).tolist(), strict=True):
            rows += [(head, relation, tail), (tail, other, head) if turned else (head, other, tail)]
    rows += [(int(h), 5, int(t)) for h, t in random.integers(0, 200, (400, 2))]
    return KnowledgeGraph.from_triples(np.array(rows), num_entities=200, duplicates="first")


def rows_of(graph):
    return set(map(tuple, graph.triples.tolist()))


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_split_covers_and_is_whole(together, seed):
    graph = random_graph(seed)
    split = split_triples(graph, valid=100, test=0.1, seed=seed, pairs_together=together)
    parts = [rows_of(part) for part in (split.train, split.valid, split.test)]
    assert set.union(*parts) == rows_of(graph)
    assert sum(map(len, parts)) == graph.num_triples
    assert abs(len(parts[1]) - 100) <= 6 * together
    assert abs(len(parts[2]) - graph.num_triples / 10) <= 6 * together + 1
    assert set(split.train.heads) | set(split.train.tails) == set(graph.heads) | set(graph.tails)
    assert set(split.train.relations) == set(graph.relations)
    assert split.test.entity_names is graph.entity_names
    pairs = [{frozenset((h, t)) for h, _, t in part} for part in parts]
    assert together == (not (pairs[0] & pairs[1] or pairs[0] & pairs[2] or pairs[1] & pairs[2]))
    again = split_triples(graph, valid=100, test=0.1, seed=seed, pairs_together=together)
    other = split_triples(graph, valid=100, test=0.1, seed=seed + 1, pairs_together=together)
    assert again.test.fingerprint() == split.test.fingerprint() != other.test.fingerprint()


def test_weights_go_with_their_triples():
    graph = random_graph()
    weighted = KnowledgeGraph(graph.heads, graph.relations, graph.tails, np.arange(1, graph.num_triples + 1))
    split = split_triples(weighted, valid=5, test=5)
    assert sorted(np.concatenate([split.train.weights, split.valid.weights, split.test.weights])) == sorted(
        weighted.weights
    )


def test_too_few_triples_are_told():
    # pykeen 550: a split failed, without a word why.
    star = KnowledgeGraph.from_triples([(0, 0, i + 1) for i in range(20)] + [(1, 0, 2)])
    with pytest.raises(
        GraphError, match=r"expected 4 triples to hide, got [01]. The other 2[01] are needed to train on every entity"
    ):
        split_triples(star, valid=2, test=2, seed=0)
    assert split_triples(star, valid=0, test=0).train.num_triples == 21
    for wrong in (-1, 1.5, "a", True, float("nan")):
        with pytest.raises(ConfigError, match="valid: expected a share below 1"):
            split_triples(star, valid=wrong)


def test_leaks_are_found_and_named():
    graph = with_inverses()
    split = split_triples(graph, valid=100, test=200, pairs_together=False)
    leaks = triple_leaks(split.train, split.valid, split.test)
    assert {(p.relation, p.other, p.inverse) for p in leaks.pairs} == {(0, 1, True), (2, 3, False), (4, 4, True)}
    # Counted one by one.
    trained = rows_of(split.train)
    partner = {0: (1, True), 1: (0, True), 2: (3, False), 3: (2, False), 4: (4, True)}
    told = linked = 0
    for head, relation, tail in [*split.valid.triples.tolist(), *split.test.triples.tolist()]:
        other, turned = partner.get(relation, (None, False))
        told += ((tail, other, head) if turned else (head, other, tail)) in trained
        linked += any({(head, r, tail), (tail, r, head)} & trained for r in range(6))
    assert (leaks.num_told, leaks.num_linked, leaks.num_triples) == (told, linked, 300)
    assert told > 150
    assert leaks.num_same == leaks.num_unseen == 0
    assert "0 is the inverse of 1" in str(leaks)
    assert "4 is symmetric" in str(leaks)
    together = split_triples(graph, valid=100, test=200)
    leaks = triple_leaks(together.train, together.valid, together.test)
    assert (leaks.num_told, leaks.num_linked) == (0, 0)
    assert len(leaks.pairs) == 3


def test_triples_trained_on_and_unseen_entities():
    train = KnowledgeGraph.from_triples([("a", "r", "b"), ("b", "s", "c")])
    test = KnowledgeGraph.from_triples([("a", "r", "b"), ("a", "r", "x"), ("b", "q", "c")], like=train)
    leaks = triple_leaks(train, test)
    assert (leaks.num_same, leaks.num_unseen, leaks.num_triples, leaks.num_linked) == (1, 2, 3, 2)
    assert triple_leaks(train).num_triples == 0
    with pytest.raises(DataError, match=r"expected the entity ids of train, got .*Read them with like=train"):
        triple_leaks(train, KnowledgeGraph.from_triples([("b", "r", "a")]))
    with pytest.raises(ConfigError, match="threshold: expected a share"):
        triple_leaks(train, threshold=0)


def test_the_packaged_graph_gives_nothing_away():
    train, valid, test = KnowledgeGraph.from_dataset("wordnet-mini")
    assert (train.num_triples, valid.num_triples, test.num_triples) == (15_147, 1_000, 1_000)
    assert (train.num_entities, train.num_relations) == (9_067, 7)
    assert train.entity_names is test.entity_names
    leaks = triple_leaks(train, valid, test)
    assert (leaks.pairs, leaks.num_told, leaks.num_linked, leaks.num_same, leaks.num_unseen) == ([], 0, 0, 0, 0)
