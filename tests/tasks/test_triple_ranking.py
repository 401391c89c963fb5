"""Results of ranking: by side, query, relation and category, beside frequencies; relations; sampled candidates; names."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nodeloom.errors import ConfigError, DataError
from nodeloom.graph import KnowledgeGraph
from nodeloom.kernels.reference import relational as formulas
from nodeloom.model.relational import RELATIONAL
from nodeloom.tasks.knowledge import triple_ranking
from nodeloom.tasks.rank_groups import CATEGORIES, categories, frequency_ranks
from nodeloom.tasks.ranking import metrics, rank
from nodeloom.tasks.sampled_ranks import relation_ranks, sampled_ranks

N, R = 40, 3


def tables(name="ComplEx", dim=8):
    rng = np.random.default_rng(4)
    width = RELATIONAL[name].relation_dim(dim)
    entity, relation = rng.normal(size=(N, dim)), rng.normal(size=(R, 2 * width))
    return RELATIONAL[name], entity.astype(np.float32), relation.astype(np.float32)


def triples(count, seed):
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(high, size=count) for high in (N, R, N)], 1).astype(np.int32)


class Fitted:
    """What tasks ask of an estimator."""

    def __init__(self, graph, tables):
        self._relational, self.entity_vectors_, relation = tables
        half = relation.shape[1] // 2
        self.relation_vectors_, self.inverse_relation_vectors_ = relation[:, :half], relation[:, half:]
        self.entity_names_, self.relation_names_ = graph.entity_names, graph.relation_names


def named(ids):
    return [(f"e{h}", f"r{r}", f"e{t}") for h, r, t in ids.tolist()]


def test_frequency_is_the_count_of_the_slot():
    train, test = triples(300, 1), triples(60, 2)
    got = frequency_ranks(test, [train, test], train, N, R)
    true = {tuple(t) for some in (train, test) for t in some.tolist()}
    for i, (h, r, t) in enumerate(test.tolist()):
        of = train[train[:, 1] == r]
        for side, (answer, column) in enumerate(((t, 2), (h, 0))):
            counts = np.bincount(of[:, column], minlength=N)
            others = [c for c in range(N) if c != answer and ((h, r, c) if side == 0 else (c, r, t)) not in true]
            assert got.optimistic[i, side] == 1 + (counts[others] > counts[answer]).sum()
            assert got.pessimistic[i, side] == 1 + (counts[others] >= counts[answer]).sum()
            assert got.num_candidates[i, side] == 1 + len(others)


def test_categories_follow_the_rule_of_one_and_a_half():
    rows = [(h, 0, h) for h in range(4)]
    rows += [(0, 1, t) for t in range(4)] + [(h, 2, 0) for h in range(4)] + [(0, 2, 0)]
    rows += [(h, 3, t) for h in range(3) for t in range(3)]
    kinds = categories(np.array(rows), 5, 5)
    assert [CATEGORIES[k] if k >= 0 else None for k in kinds] == ["1-1", "1-N", "N-1", "N-N", None]


def test_the_result_has_every_metric_and_is_json():
    train, test = triples(300, 1), triples(60, 2)
    result = triple_ranking(tables(), test, [train])
    expected = metrics(rank(*tables(), test, [train, test]))
    assert result.metrics() == {
        "MR": expected["mr"], "MRR": expected["mrr"], "HITS@1": expected["hits@1"], "HITS@3": expected["hits@3"],
        "HITS@10": expected["hits@10"],
    }  # fmt: skip
    answer = json.loads(json.dumps(result.to_dict()))
    assert answer["ranks"]["tail"]["optimistic"]["mrr"] == metrics(result.ranks, "tail", kind="optimistic")["mrr"]
    assert answer["frequency"]["both"]["mrr"] == metrics(frequency_ranks(test, [train, test], train, N, R))["mrr"]
    assert sum(row["num_triples"] for row in answer["by_category"]["both"]) == 60
    rows = result.by_relation("tail")
    assert sum(row["num_triples"] for row in rows) == 60
    assert sum(row["mrr"] * row["num_triples"] for row in rows) / 60 == pytest.approx(
        metrics(result.ranks, "tail")["mrr"]
    )
    counts = np.bincount(train[:, [0, 2]].ravel(), minlength=N)[test[:, [2, 0]]]
    for row in result.by_frequency():
        inside = (counts >= row["from"]) & (counts <= row["to"])
        assert row["num_ranks"] == inside.sum() and row["mrr"] == pytest.approx(
            (1 / result.ranks.realistic)[inside].mean()
        )
    assert sum(row["num_ranks"] for row in result.by_frequency("tail")) == 60
    assert [row[0] for row in result.rows()] == ["both", "tail", "head", "both, by query", "frequency in training"]
    assert all(len(row) == len(result.columns) for row in result.rows())
    assert f"MRR {expected['mrr']:.4f}" in repr(result) and "frequency in training" in repr(result)


def test_by_query_is_the_mean_over_distinct_queries():
    test = np.array([[0, 0, 1], [0, 0, 2], [0, 0, 3], [4, 0, 1]], np.int32)
    result = triple_ranking(tables(), test)
    each = 1 / result.ranks.realistic[:, 0]
    assert result.by_query("tail")["mrr"] == pytest.approx((each[:3].mean() + each[3]) / 2)


def test_raw_ranks_count_known_answers():
    train, test = triples(900, 1), triples(60, 2)
    raw = triple_ranking(tables(), test, [train], filtered=False)
    assert (raw.ranks.num_candidates == N).all()
    assert raw.metrics()["MR"] > triple_ranking(tables(), test, [train]).metrics()["MR"]


def test_a_model_is_asked_by_names_in_any_order():
    """Case 17: other numbers of the same names."""
    train, test = triples(300, 1), triples(30, 2)
    graph = KnowledgeGraph.from_triples(named(train), duplicates="keep")
    model = Fitted(graph, tables())
    by_graph = triple_ranking(model, KnowledgeGraph.from_triples(named(test), duplicates="keep"), [graph])
    by_rows = triple_ranking(model, named(test), [named(train)])
    ids = [[*graph.entity_names.find([h, t]), *graph.relation_names.find([r])] for h, r, t in named(test)]
    own = triple_ranking(model, KnowledgeGraph.from_triples(named(test), like=graph, duplicates="keep"), [graph])
    for other in (by_rows, own):
        np.testing.assert_array_equal(by_graph.ranks.optimistic, other.ranks.optimistic)
    np.testing.assert_array_equal(by_graph.ranks.triples, np.array(ids)[:, [0, 2, 1]])
    assert {row["relation"] for row in by_graph.by_relation()} == {"r0", "r1", "r2"}


def test_names_that_the_model_lacks_score_below_all_others():
    """Case 10: no KeyError, three numbers."""
    train = triples(300, 1)
    graph = KnowledgeGraph.from_triples(named(train), duplicates="keep")
    test = [("e0", "r1", "new"), ("e0", "r1", "e2")]
    found = {
        how: triple_ranking(Fitted(graph, tables()), test, [graph], unseen=how) for how in ("rank", "drop", "worst")
    }
    assert [len(found[how].ranks) for how in found] == [2, 1, 2]
    assert [found[how].num_unseen for how in found] == [1, 1, 1]
    ranks = found["rank"].ranks
    assert ranks.realistic[0, 0] == ranks.num_candidates[0, 0]  # the only one without a score
    assert ranks.realistic[0, 1] == (1 + ranks.num_candidates[0, 1]) / 2  # a query about it: chance
    assert (found["worst"].ranks.realistic[0] == found["worst"].ranks.num_candidates[0]).all()
    assert "1 triples have something that training has not seen: 1 of them left out" in repr(found["drop"])


@pytest.mark.parametrize("memory", [1 << 30, 5000])
def test_relations_are_ranked_among_all(memory):
    relational, entity, relation = tables()
    train, test = triples(900, 1), triples(50, 2)
    ranks = relation_ranks(relational, entity, relation, test, [train, test], memory=memory)
    true = {tuple(t) for some in (train, test) for t in some.tolist()}
    for i, (h, r, t) in enumerate(test.tolist()):
        query = formulas.queries("complex", np.repeat(entity[h : h + 1], R, 0), relation.reshape(2 * R, -1)[::2])
        scores = (query.astype(float) * entity[t].astype(float)).sum(1)
        others = [c for c in range(R) if c != r and (h, c, t) not in true]
        assert ranks.optimistic[i, 0] == 1 + (scores[others] > scores[r]).sum()
        assert ranks.num_candidates[i, 0] == 1 + len(others)
    result = triple_ranking((relational, entity, relation), test, [train], what="relations")
    assert result.rows()[0][0] == "relation" and result.metrics()["MR"] == metrics(ranks)["mr"]
    with pytest.raises(ConfigError, match="side: expected 'both' or 'relation', got 'tail'"):
        result.metrics("tail")


def test_sampled_ranks_say_so_and_given_negatives_are_those_of_ogb():
    train, test = triples(300, 1), triples(50, 2)
    result = triple_ranking(tables(), test, [train], candidates=10, seed=3)
    assert set(result.metrics()) == {"MR@10", "MRR@10", "HITS@1@10", "HITS@3@10", "HITS@10@10"}
    assert result.ranks.num_candidates.max() <= 11
    assert result.metrics()["MRR@10"] > triple_ranking(tables(), test, [train]).metrics()["MRR"]
    again = triple_ranking(tables(), test, [train], candidates=10, seed=3, memory=3000)
    np.testing.assert_array_equal(result.ranks.optimistic, again.ranks.optimistic)
    everything = np.tile(np.arange(N), (50, 1))
    given = sampled_ranks(*tables(), test, (everything, everything))
    raw = rank(*tables(), test)
    np.testing.assert_array_equal(given.optimistic, raw.optimistic)
    np.testing.assert_array_equal(given.pessimistic, raw.pessimistic + 1)  # the answer is among the negatives
    with pytest.raises(DataError, match="negatives of tails and of heads"):
        sampled_ranks(*tables(), test, (everything[:3], everything))


def test_wrong_arguments_are_refused():
    with pytest.raises(ConfigError, match="candidates: expected 'all', 'observed'"):
        triple_ranking(tables(), triples(3, 1), candidates="some")
    with pytest.raises(ConfigError, match="train: expected training triples"):
        triple_ranking(tables(), triples(3, 1), candidates="observed")
    with pytest.raises(DataError, match="model: expected a fitted model of a knowledge graph"):
        triple_ranking(object(), triples(3, 1))
    with pytest.raises(DataError, match="expected rows of head, relation and tail, got 'abc'"):
        triple_ranking(tables(), ["abc"])
