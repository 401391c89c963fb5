"""Exact filtered ranks: those that scores of all triples give, in every setting."""

from __future__ import annotations

import numpy as np
import pytest

from nodeloom.errors import ConfigError, DataError
from nodeloom.kernels.reference import relational as formulas
from nodeloom.model.relational import RELATIONAL
from nodeloom.tasks.ranking import Candidates, Queries, metrics, rank

N, R = 60, 4


def tables(name, dim=8, num_entity=N, seed=0):
    rng = np.random.default_rng(seed)
    width = RELATIONAL[name].relation_dim(dim)
    entity = rng.normal(size=(num_entity, dim)).astype(np.float32)
    return RELATIONAL[name], entity, rng.normal(size=(R, 2 * width)).astype(np.float32)


def triples(count, seed, num_entity=N):
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(high, size=count) for high in (num_entity, R, num_entity)], 1).astype(np.int32)


def slow(relational, entity, relation, asked, known, allowed=None):
    """Return ranks from all scores, in float64: optimistic, pessimistic, candidates."""
    directions = relation.reshape(2 * len(relation), -1)
    true = {tuple(map(int, t)) for some in known for t in some}
    found = np.zeros((3, len(asked), 2), np.int64)
    for i, (h, r, t) in enumerate(asked.tolist()):
        for side, (e, row, answer) in enumerate(((h, 2 * r, t), (t, 2 * r + 1, h))):
            query = formulas.queries(relational.operator, entity[e : e + 1], directions[row : row + 1])
            scores = formulas.scores(relational.comparator, query.astype(float), entity.astype(float))[0]
            scores = np.where(np.isnan(scores), -np.inf, scores)
            kept = [
                c
                for c in range(len(entity))
                if c == answer
                or (((h, r, c) if side == 0 else (c, r, t)) not in true and (allowed is None or c in allowed(r, side)))
            ]
            others = np.array([c for c in kept if c != answer])
            found[0, i, side] = 1 + (scores[others] > scores[answer]).sum()
            found[1, i, side] = found[0, i, side] + (scores[others] == scores[answer]).sum()
            found[2, i, side] = len(kept)
    return found


def assert_same(ranks, expected):
    np.testing.assert_array_equal(ranks.optimistic, expected[0])
    np.testing.assert_array_equal(ranks.pessimistic, expected[1])
    np.testing.assert_array_equal(ranks.num_candidates, expected[2])


@pytest.mark.parametrize("name", RELATIONAL)
def test_ranks_are_those_of_all_scores(name):
    model = tables(name)
    train, test = triples(500, 1), triples(80, 2)
    test[5] = test[6]  # ranked twice
    for known in ((), (train,), (train, test)):
        assert_same(rank(*model, test, known), slow(*model, test, known))


def test_queries_made_before_memory_and_threads_change_nothing():
    model, train, test = tables("ComplEx"), triples(500, 1), triples(80, 2)
    expected = rank(*model, test, [train, test])
    queries = Queries.of(test, [train, test], N, R)
    for how in ({"queries": queries}, {"memory": 2000}, {"memory": 1, "num_thread": 3}):
        got = rank(*model, test, [train, test], **how)
        assert_same(got, (expected.optimistic, expected.pessimistic, expected.num_candidates))


def test_other_answers_of_a_query_are_left_out_if_they_are_known():
    """Case 11: five true tails."""
    relational, entity, relation = tables("DistMult", dim=2)
    entity[:] = 0
    entity[:6] = [[1, 0], [5, 0], [4, 0], [3, 0], [2, 0], [1.5, 0]]
    relation[:] = 1
    facts = np.array([[0, 0, t] for t in range(1, 6)], np.int32)
    train, test = facts[:3], facts[3:]
    got = [
        rank(relational, entity, relation, test, known).optimistic[:, 0].tolist()
        for known in ((), [train], [train, test])
    ]
    assert got == [[4, 5], [1, 2], [1, 1]]


def test_a_model_that_knows_nothing_gets_what_chance_gets(caplog):
    """Case 7: all vectors are 0."""
    relational, entity, relation = RELATIONAL["DistMult"], np.zeros((100, 4), np.float32), np.ones((1, 8), np.float32)
    ranks = rank(relational, entity, relation, [[0, 0, 1], [5, 0, 7]])
    assert metrics(ranks)["mrr"] == pytest.approx(1 / 50.5)
    assert metrics(ranks, kind="optimistic")["mrr"] == 1.0
    assert metrics(ranks, kind="pessimistic")["mrr"] == 0.01
    assert metrics(ranks)["amri"] == 0.0 and metrics(ranks)["amr"] == 1.0
    assert "the same as 99.0 other candidates" in caplog.text


@pytest.mark.parametrize("num_entity", [2048, 2049])
@pytest.mark.parametrize("name", RELATIONAL)
def test_an_answer_with_a_double_has_rank_one_and_a_half(name, num_entity):
    """Case 8: at the edge of a tile."""
    relational, entity, relation = tables(name, num_entity=num_entity)
    query = formulas.queries(relational.operator, entity[:1], relation.reshape(2 * R, -1)[:1])[0]
    for answer, double in ((3, num_entity - 1), (2047, 5)):
        entity[[answer, double]] = query * 9 if relational.is_product else query
        ranks = rank(relational, entity, relation, [[0, 0, answer]])
        assert ranks.realistic[0, 0] == 1.5
        entity[[answer, double]] = 0


def test_an_entity_with_nan_comes_last_and_moves_no_other(caplog):
    """Case 9."""
    relational, entity, relation = tables("TransE")
    test = np.array([[1, 0, 2], [3, 1, 4], [5, 2, 40]], np.int32)
    before = rank(relational, entity, relation, test)
    entity[40, 3] = np.nan
    after = rank(relational, entity, relation, test)
    assert "vectors with NaN: 1 of entities and relations" in caplog.text
    assert after.optimistic[2, 0] == after.pessimistic[2, 0] == N
    moved = before.optimistic[:2] - after.optimistic[:2]
    assert set(moved.ravel().tolist()) <= {0, 1}  # at most the place of that entity
    assert after.pessimistic[2, 1] == N  # all scores of this query are NaN


def test_triples_with_something_unseen_three_ways():
    """Case 10."""
    model, train, test = tables("ComplEx"), triples(200, 1), triples(20, 2)
    train = train[(train != 7)[:, [0, 2]].all(1)]
    test[3, 2] = 7
    test[:3, [0, 2]] = test[:3, [0, 2]] % 7
    every = {how: rank(*model, test, [train, test], train=train, unseen=how) for how in ("rank", "drop", "worst")}
    new = every["rank"].unseen
    assert new[3]
    assert len(every["drop"]) == 20 - new.sum() and every["drop"].num_dropped == new.sum()
    np.testing.assert_array_equal(every["drop"].optimistic, every["rank"].optimistic[~new])
    assert (every["worst"].realistic[new] == every["worst"].num_candidates[new]).all()
    assert len({metrics(ranks)["mrr"] for ranks in every.values()}) == 3


def test_candidates_by_list_and_by_observed_slots():
    """Case 20."""
    model, train, test = tables("ComplEx"), triples(300, 1), triples(40, 2)
    slots = {(r, s): set(train[train[:, 1] == r][:, 2 - 2 * s].tolist()) for r in range(R) for s in range(2)}
    observed = Candidates.observed(train, N, R)
    assert_same(
        rank(*model, test, [train, test], candidates=observed),
        slow(*model, test, [train, test], lambda r, s: slots[r, s]),
    )
    drugs = list(range(0, N, 3))
    test = test[test[:, 1] == 0]
    test[:, 2] = 3 * (test[:, 2] // 3)
    lists = Candidates.lists({(0, "tail"): drugs}, N, R)
    ranks = rank(*model, test, [train], candidates=lists)
    assert_same(ranks, slow(*model, test, [train], lambda r, s: drugs if s == 0 else range(N)))
    assert ranks.num_candidates[:, 0].max() <= 20 < ranks.num_candidates[:, 1].min()
    test[0, 2] = 1
    with pytest.raises(DataError, match="candidates of relation 0, tail: expected a list with every answer"):
        rank(*model, test, [train], candidates=lists)
    worst = rank(*model, test, [train], candidates=Candidates.lists({(0, "tail"): drugs}, N, R, outside="worst"))
    assert worst.realistic[0, 0] == worst.num_candidates[0, 0]


def test_ids_out_of_range_and_wrong_options_are_refused():
    model = tables("ComplEx")
    with pytest.raises(DataError, match="tails: expected ids from 0 to 59, got 60"):
        rank(*model, [[0, 0, 60]])
    with pytest.raises(DataError, match="heads: expected ids from 0 to 59, got -1"):
        rank(*model, [[0, 0, 1]], known=[[[-1, 0, 1]]])
    with pytest.raises(DataError, match="at least one triple"):
        rank(*model, np.empty((0, 3), np.int32))
    with pytest.raises(ConfigError, match="unseen: expected 'rank', 'drop' or 'worst'"):
        rank(*model, [[0, 0, 1]], unseen="skip")
    with pytest.raises(DataError, match=r"integers \[n, 3\]"):
        rank(*model, [[0.5, 0, 1]])


def test_metrics_of_hand_made_ranks():
    relational, entity, relation = RELATIONAL["DistMult"], np.zeros((4, 1), np.float32), np.ones((1, 2), np.float32)
    ranks = rank(relational, entity, relation, [[0, 0, 1], [1, 0, 2]])
    ranks.optimistic[:] = [[1, 2], [4, 1]]
    ranks.pessimistic[:] = [[1, 4], [4, 1]]
    ranks.num_candidates[:] = 4
    found = metrics(ranks, hits=(1, 3))
    assert found["mr"] == pytest.approx((1 + 3 + 4 + 1) / 4)
    assert found["mrr"] == pytest.approx((1 + 1 / 3 + 1 / 4 + 1) / 4)
    assert found["hits@1"] == 0.5 and found["hits@3"] == 0.75
    assert found["amr"] == pytest.approx(2.25 / 2.5) and found["amri"] == pytest.approx(1 - 1.25 / 1.5)
    assert found["adjusted_hits@3"] == 0.0
    assert found["mr_se"] == pytest.approx(np.std([2, 2.5], ddof=1) / np.sqrt(2))
    assert metrics(ranks, "tail")["mr"] == 2.5 and metrics(ranks, "head", kind="optimistic")["mr"] == 1.5
    with pytest.raises(ConfigError, match="side"):
        metrics(ranks, "left")


def test_ranks_are_a_table(tmp_path):
    pandas = pytest.importorskip("pandas")
    ranks = rank(*tables("ComplEx"), triples(9, 3))
    frame = pandas.read_parquet(ranks.save(tmp_path / "ranks.parquet"))
    pandas.testing.assert_frame_equal(frame, ranks.to_pandas(), check_dtype=False)
    assert frame["rank"].mean() == pytest.approx(metrics(ranks)["mr"])
