"""Answers by name: the best of all scores, in one order, without known ones; probabilities; nothing of inverse relations shows."""

from __future__ import annotations

import numpy as np
import pytest

from nodeloom.errors import ConfigError, DataError, UnknownNodeError
from nodeloom.estimators.answers import TripleAnswers
from nodeloom.graph import KnowledgeGraph
from nodeloom.kernels.reference import relational as formulas
from nodeloom.model.relational import RELATIONAL
from nodeloom.tasks.true_triples import best_threshold, triple_classification

N, R = 30, 3


class Fitted(TripleAnswers):
    """A model with vectors drawn by chance; entities are e0, e1, ..., relations r0, r1, ..."""

    def __init__(self, name="ComplEx", dim=8):
        rng = np.random.default_rng(11)
        self._relational = RELATIONAL[name]
        width = self._relational.relation_dim(dim)
        self.entity_vectors_ = rng.normal(size=(N, dim)).astype(np.float32)
        self.relation_vectors_, self.inverse_relation_vectors_ = rng.normal(size=(2, R, width)).astype(np.float32)
        everything = [(f"e{i}", f"r{i % R}", f"e{i}") for i in range(N)]
        graph = KnowledgeGraph.from_triples(everything)
        self.entity_names_, self.relation_names_ = graph.entity_names, graph.relation_names

    def all_scores(self, side=0):
        """Return the scores of every relation, asked entity and answer, float64 [R, N, N]."""
        found = []
        for row in (self.relation_vectors_, self.inverse_relation_vectors_)[side]:
            query = formulas.queries(self._relational.operator, self.entity_vectors_, np.tile(row, (N, 1)))
            entities = self.entity_vectors_.astype(float)
            found.append(formulas.scores(self._relational.comparator, query.astype(float), entities))
        return np.array(found)


def ids(names):
    return [int(name[1:]) for name in names]


@pytest.mark.parametrize("name", RELATIONAL)
def test_the_best_of_all_scores(name):
    """Case 13: heads are asked for with the inverse relation."""
    model = Fitted(name)
    tails, heads = model.all_scores(), model.all_scores(1)
    got = model.predict_tails("e4", "r1", 6)
    assert ids(n for n, _ in got) == np.argsort(-tails[1, 4])[:6].tolist()
    np.testing.assert_allclose([s for _, s in got], np.sort(tails[1, 4])[::-1][:6], rtol=1e-5)
    got = model.predict_heads("r2", "e7", 6)
    assert ids(n for n, _ in got) == np.argsort(-heads[2, 7])[:6].tolist()
    got = model.predict_relations("e3", "e9")
    assert ids(n for n, _ in got) == np.argsort(-tails[:, 3, 9]).tolist()
    scores = model.score(["e4", "e3"], ["r1", "r0"], "e9")
    np.testing.assert_allclose(scores, [tails[1, 4, 9], tails[0, 3, 9]], rtol=1e-5)


def test_scores_of_answers_are_those_of_score_to_the_last_bit():
    model = Fitted()
    names, scores = zip(*model.predict_tails("e4", "r1", N), strict=True)
    assert model.score("e4", "r1", names).tolist() == list(scores)


@pytest.mark.parametrize("name", ["ComplEx", "TransE"])
def test_the_first_of_more_triples_are_those_of_fewer(name):
    """Case 12."""
    model = Fitted(name)
    model.entity_vectors_[20:25] = model.entity_vectors_[3]  # ties
    best = model.predict_triples(2000)
    assert best[:15] == model.predict_triples(15)
    values = model.all_scores().transpose(1, 0, 2).ravel()
    np.testing.assert_allclose([row[3] for row in best], np.sort(values)[::-1][:2000], rtol=1e-4, atol=1e-5)
    keys = [(-s, int(h[1:]), int(r[1:]), int(t[1:])) for h, r, t, s in best]
    assert keys == sorted(keys)
    known = [row[:3] for row in best[:10]]
    assert model.predict_triples(5, known=known) == best[10:15]
    assert model.predict_triples(3, relation="r2") == [row for row in best if row[1] == "r2"][:3]


def test_known_answers_are_left_out_whatever_form_they_have():
    model = Fitted()
    best = [name for name, _ in model.predict_tails("e0", "r0", 8)]
    rows = [("e0", "r0", best[0]), ("e0", "r0", best[2]), ("e0", "r1", best[1]), ("somebody", "r0", "e1")]
    expected = [best[1], *best[3:6]]
    graph = KnowledgeGraph.from_triples(rows)
    for known in (rows, graph, [graph], [rows[:2], rows[2:]], np.array(rows)):
        assert [name for name, _ in model.predict_tails("e0", "r0", 4, known=known)] == expected
    heads = [name for name, _ in model.predict_heads("r0", "e0", 8)]
    left = model.predict_heads("r0", "e0", 1, known=[(heads[0], "r0", "e0")])
    assert [name for name, _ in left] == [heads[1]]
    relations = [name for name, _ in model.predict_relations("e0", "e1")]
    left = model.predict_relations("e0", "e1", known=[("e0", relations[0], "e1")])
    assert [name for name, _ in left] == relations[1:]


def test_many_questions_and_tables():
    pandas = pytest.importorskip("pandas")
    model = Fitted()
    several = model.predict_tails(["e0", "e1"], "r2", 3)
    assert several == [model.predict_tails(name, "r2", 3) for name in ("e0", "e1")]
    frame = model.predict_tails(pandas.Series(["e0", "e1"]), "r2", 3, output="pandas")
    assert list(frame) == ["head", "relation", "tail", "score", "answer_rank"]
    assert frame["head"].tolist() == ["e0"] * 3 + ["e1"] * 3 and frame["answer_rank"].tolist() == [1, 2, 3] * 2
    assert list(zip(frame["tail"], frame["score"], strict=True)) == several[0] + several[1]
    assert list(model.predict_heads("r0", "e1", 2, output="pandas")) == [
        "head", "relation", "tail", "score", "answer_rank",
    ]  # fmt: skip
    assert list(model.predict_relations("e0", "e1", 2, output="pandas")["relation"]) == [
        name for name, _ in model.predict_relations("e0", "e1", 2)
    ]
    assert list(model.predict_triples(2, output="pandas")) == ["head", "relation", "tail", "score"]


def test_mistakes_are_told():
    model = Fitted()
    with pytest.raises(UnknownNodeError, match="head: expected names of entities of the knowledge graph"):
        model.predict_tails("e99", "r0")
    with pytest.raises(UnknownNodeError, match="relation: expected names of relations of the knowledge graph"):
        model.predict_tails("e0", "r0_inverse")
    with pytest.raises(ConfigError, match="k: expected an integer >= 1, got 0"):
        model.predict_tails("e0", "r0", 0)
    with pytest.raises(ConfigError, match="output: expected 'list' or 'pandas'"):
        model.predict_tails("e0", "r0", output="numpy")
    with pytest.raises(DataError, match="relation: expected 3 names"):
        model.predict_tails(["e0", "e1", "e2"], ["r0", "r1"])
    with pytest.raises(DataError, match="tails: expected 3 names"):
        model.score(["e0", "e1", "e2"], "r0", ["e1", "e2"])
    with pytest.raises(ConfigError, match="expected a calibrated model, got 'none'"):
        model.probability("e0", "r0", "e1")


def planted(num=400):
    """Return a model and triples whose scores are above those of others, by relation: of the last there are few."""
    model = Fitted("DistMult", dim=4)
    scores = model.all_scores()
    rng = np.random.default_rng(0)
    rows = []
    for relation, count in ((0, num), (1, num // 2), (2, 5)):
        best = np.argsort(-scores[relation].ravel())[:count]
        rows += [(f"e{i // N}", f"r{relation}", f"e{i % N}") for i in rng.permutation(best).tolist()]
    return model, rows


def test_probabilities_rise_with_scores_and_fit_what_is_true():
    model, rows = planted()
    model.calibrate(rows[::2], known=rows[1::2], num_negative=2)
    assert model.calibration_.own.tolist() == [True, True, False]
    true = model.probability(*zip(*rows[1:400:2], strict=True))
    by_score = model.predict_tails("e1", "r0", N)
    by_chance = model.predict_tails("e1", "r0", N, probability=True)
    assert [name for name, _ in by_score] == [name for name, _ in by_chance]
    assert all(0 <= p <= 1 for _, p in by_chance) and true.mean() > 0.7
    model.calibrate(rows[::2], known=rows[1::2], num_negative=2, positive_rate=0.01)
    assert model.probability(*zip(*rows[1:400:2], strict=True)).mean() < true.mean()
    with pytest.raises(ConfigError, match="positive_rate"):
        model.calibrate(rows, positive_rate=1.0)


def test_triples_are_told_from_wrong_ones_by_thresholds_of_validation():
    """Case 18: a relation without validation triples has the global threshold."""
    model, rows = planted()
    validation = [row for row in rows[::2] if row[1] != "r2"]
    test = rows[1::2]
    result = triple_classification(model, test, validation, [rows], seed=1)
    assert result.accuracy > 0.9 and result.auc > 0.95 and result.f1 > 0.9
    assert result.num_global == 2 * sum(row[1] == "r2" for row in test)
    assert result.num_positive == len(test)
    assert result == triple_classification(model, test, validation, [rows], seed=1)
    own = triple_classification(model, test, validation, test_negatives=test, validation_negatives=test)
    assert own.accuracy == 0.5 and own.auc == pytest.approx(0.5)


def test_the_lowest_of_the_best_thresholds():
    scores = np.array([0.0, 1.0, 1.0, 2.0, 3.0])
    assert best_threshold(scores, np.array([False, True, False, False, True])) == 3.0
    assert best_threshold(scores, np.array([True, True, True, True, True])) == 0.0
    assert best_threshold(scores, np.zeros(5, bool)) == np.inf
    assert best_threshold(np.array([0.0, 1.0]), np.array([True, False])) == 0.0


def test_neighbours_and_triples_alike():
    model = Fitted()
    near = model.nearest("e3", 2)
    vectors = model.entity_vectors_ / np.linalg.norm(model.entity_vectors_, axis=1, keepdims=True)
    cosines = vectors @ vectors[3]
    assert ids(name for name, _ in near) == np.argsort(-cosines)[1:3].tolist()
    train = [("e3", "r0", "e5"), ("e4", "r0", "e6"), ("e3", "r1", "e5"), (near[0][0], "r0", "e5")]
    found = model.similar_triples("e3", "r0", "e5", train)
    assert found[0][:3] == (near[0][0], "r0", "e5")
    assert found[0][3] == pytest.approx((near[0][1] + 1) / 2, abs=1e-6)
    assert ("e3", "r0", "e5") not in [row[:3] for row in found] and len(found) == 2


def test_a_trained_model_answers():
    from nodeloom import ComplEx

    rows = [(f"a{i}", "next", f"a{(i + 1) % 12}") for i in range(12)]
    rows += [(f"a{i}", "back", f"a{(i - 1) % 12}") for i in range(12)]
    graph = KnowledgeGraph.from_triples(rows)
    model = ComplEx(dim=16, num_epoch=200, device="cpu", verbose=False, num_shared_negative="all").fit(graph)
    assert model.predict_tails("a3", "next", 1)[0][0] == "a4"
    assert model.predict_heads("back", "a3", 1)[0][0] == "a4"
    assert model.predict_relations("a5", "a6", 1)[0][0] == "next"
