"""Training on knowledge graphs: it repeats itself, goes on where it stopped, ends when it gets no better, and takes small inputs."""

from __future__ import annotations

import numpy as np
import pytest

import nodeloom
from nodeloom import ComplEx, DistMult, KnowledgeGraph, RotatE, TransE
from nodeloom.errors import ConfigError, DataError, GraphError, ModelError
from nodeloom.estimators.saved import TRIPLE_MODELS

QUICK = {"dim": 8, "num_epoch": 6, "device": "cpu", "num_thread": 1}


def random_triples(num_entities=40, num_relations=3, count=300, seed=0):
    rng = np.random.default_rng(seed)
    return np.unique(rng.integers((num_entities, num_relations, num_entities), size=(count, 3)), axis=0)


@pytest.fixture(scope="module")
def split():
    triples = np.random.default_rng(1).permutation(random_triples())
    return tuple(
        KnowledgeGraph.from_triples(part, num_entities=40, num_relations=3) for part in (triples[40:], triples[:40])
    )


def same(one, other):
    return np.array_equal(one.entity_vectors_, other.entity_vectors_) and np.array_equal(
        one._relation_table, other._relation_table
    )


@pytest.mark.parametrize("model", TRIPLE_MODELS.values())
def test_a_seed_gives_the_same_with_any_number_of_threads(model, split):
    one = model(**QUICK, num_shared_negative=10).fit(split[0])
    many = model(**QUICK | {"num_thread": 3}, num_shared_negative=10).fit(split[0])
    assert same(one, many)
    assert not same(one, model(**QUICK, num_shared_negative=10, seed=1).fit(split[0]))


class Stop:
    """Ends a training by an exception after an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_pool_end(self, progress):
        if progress.epoch >= self.epoch:
            raise RuntimeError("stop")


@pytest.mark.parametrize("given", [{}, {"num_shared_negative": 9}, {"optimizer": "Adam"}, {"adagrad_state": "row"}])
@pytest.mark.parametrize("validated", [False, True])
def test_it_goes_on_exactly(split, tmp_path, given, validated):
    graph, more = split[0], {"validation": split[1]} if validated else {}
    whole = ComplEx(**QUICK, **given).fit(graph, **more)
    path = tmp_path / "checkpoint.safetensors"
    half = ComplEx(**QUICK, **given)
    with pytest.raises(RuntimeError):
        half.fit(graph, checkpoint=path, callbacks=[Stop(3)], **more)
    assert half.partial_ and half.num_epoch_ == pytest.approx(3)
    again = ComplEx(**QUICK, **given).fit(graph, resume=path, **more)
    assert same(whole, again) and again.num_epoch_ == 6
    assert [check["mrr"] for check in whole.validation_] == [check["mrr"] for check in again.validation_]
    with pytest.raises(ConfigError, match=r"checks .*validation triples"):
        ComplEx(**QUICK, **given).fit(graph, resume=path, **({} if validated else {"validation": split[1]}))
    with pytest.raises(ModelError, match=r"expected the knowledge graph .*40 entities.*got"):
        ComplEx(**QUICK, **given).fit(split[1], resume=path)


def test_weights(split):
    """Triples of weight 0 are as good as not there, and only ratios of weights count."""
    graph = split[0]
    rng = np.random.default_rng(2)
    weights = rng.integers(0, 3, graph.num_triples).astype(np.float32)
    kinds = {"num_entities": 40, "num_relations": 3}
    weighted = ComplEx(**QUICK).fit(KnowledgeGraph.from_triples(graph.triples, weights=weights, **kinds))
    double = ComplEx(**QUICK).fit(KnowledgeGraph.from_triples(graph.triples, weights=2 * weights, **kinds))
    assert same(weighted, double)
    chosen = weights > 0
    alone = KnowledgeGraph.from_triples(graph.triples[chosen], weights=weights[chosen], **kinds)
    assert same(weighted, ComplEx(**QUICK).fit(alone))
    ones = KnowledgeGraph.from_triples(graph.triples, weights=(weights > 0).astype(np.float32), **kinds)
    assert same(ComplEx(**QUICK).fit(ones), ComplEx(**QUICK).fit(graph.select(chosen)))
    assert not same(weighted, ComplEx(**QUICK).fit(graph))
    with pytest.raises(GraphError, match="expected triples"):
        ComplEx(**QUICK).fit(KnowledgeGraph.from_triples(graph.triples, weights=np.zeros(graph.num_triples), **kinds))


def test_a_constant_metric_ends_the_training(split):
    """Patience 3: the first check is the best, and three more are no better. All checks are kept."""
    still = {"lr": 1e-12, "relation_lr_multiplier": 0, "validation_side": "tail", "patience": 3}
    model = ComplEx(**QUICK | {"num_epoch": 50}, **still, validation_interval=1).fit(split[0], validation=split[1])
    assert len(model.validation_) == 4 and model.num_epoch_ == 4 and not model.partial_
    assert len({check["mrr"] for check in model.validation_}) == 1


def test_the_best_state_is_kept(split):
    """Random triples: what is learned by heart gets worse on others."""
    given = QUICK | {"num_epoch": 60, "dim": 32}
    model = ComplEx(**given, l3_regularization=0, validation_interval=2, patience=0).fit(split[0], validation=split[1])
    values = [check["mrr"] for check in model.validation_]
    best = int(np.argmax(values))
    assert best < len(values) - 1 and model.num_epoch_ == 60
    from nodeloom.tasks.ranking import metrics, rank

    tables = model.entity_vectors_, model._relation_table
    ranks = rank(model._relational, *tables, split[1].triples, [split[0].triples, split[1].triples])
    assert metrics(ranks)["mrr"] == pytest.approx(values[best])
    side = ComplEx(**given, validation_side="head", validation_metric="mr").fit(split[0], validation=split[1])
    assert [check["mr"] for check in side.validation_] != [check["mr"] for check in model.validation_]
    assert model.history_[-1]["num_pair"] == 60 * split[0].num_triples


def test_validation_of_no_use_is_refused(split):
    with pytest.raises(DataError, match=r"expected a nodeloom\.KnowledgeGraph"):
        ComplEx(**QUICK).fit(split[0], validation=split[1].triples)
    graph = KnowledgeGraph.from_triples([("a", "r", "b"), ("b", "r", "c"), ("c", "s", "a")])
    with pytest.raises(DataError, match="expected a triple of entities and relations of the training graph"):
        ComplEx(**QUICK).fit(graph, validation=KnowledgeGraph.from_triples([("x", "r", "y")]))


def test_validation_has_names_of_its_own(caplog):
    """Ids are those of the training graph; what it does not know is left out, and told."""
    graph = KnowledgeGraph.from_triples([("a", "r", "b"), ("b", "r", "c"), ("c", "s", "a"), ("a", "s", "c")])
    rows = [("c", "r", "a"), ("b", "s", "a")]
    clean = ComplEx(**QUICK).fit(graph, validation=KnowledgeGraph.from_triples(rows, like=graph))
    mixed = ComplEx(**QUICK).fit(graph, validation=KnowledgeGraph.from_triples([("new", "r", "a"), *rows]))
    assert [check["mrr"] for check in clean.validation_] == [check["mrr"] for check in mixed.validation_]
    assert "1 of 3 validation triples" in caplog.text


def test_another_order_of_the_file_gives_another_start_and_the_same_names(tmp_path):
    rows = [(f"e{h}", f"r{r}", f"e{t}") for h, r, t in random_triples()]
    model = ComplEx(**QUICK).fit(KnowledgeGraph.from_triples(rows))
    again = nodeloom.load(model.save(tmp_path / "m"))
    assert np.array_equal(again["e7"], model["e7"]) and np.array_equal(
        again.relation_vector("r1", inverse=True), model.relation_vector("r1", inverse=True)
    )
    warm = ComplEx(**QUICK | {"lr": 1e-12}).fit(KnowledgeGraph.from_triples(rows[::-1]), init=again)
    np.testing.assert_allclose(warm["e7"], model["e7"], atol=1e-6)
    np.testing.assert_allclose(warm.relation_vector("r1"), model.relation_vector("r1"), atol=1e-6)


@pytest.mark.parametrize("model", [ComplEx, TransE, RotatE])
def test_warm_start_of_new_entities_and_relations(model):
    """A new entity begins where its triples put it, a new relation at random."""
    old = model(**QUICK | {"num_epoch": 40}).fit(
        KnowledgeGraph.from_triples([(f"e{h}", f"r{r}", f"e{t}") for h, r, t in random_triples()])
    )
    rows = [("e1", "r0", "new"), ("e1", "fresh", "e2"), ("lonely", "fresh", "other")]
    graph = KnowledgeGraph.from_triples(rows)
    warm = model(**QUICK | {"lr": 1e-12, "num_epoch": 1}).fit(graph, init=old)
    cold = model(**QUICK | {"lr": 1e-12, "num_epoch": 1}).fit(graph)
    np.testing.assert_allclose(warm["e1"], old["e1"], atol=1e-6)
    assert np.linalg.norm(warm["new"]) > 0 and not np.allclose(warm["new"], cold["new"])
    np.testing.assert_allclose(warm["lonely"], cold["lonely"], atol=1e-6)
    np.testing.assert_allclose(warm.relation_vector("fresh"), cold.relation_vector("fresh"), atol=1e-6)
    with pytest.raises(ModelError, match=r"expected .*got"):
        model(**QUICK).fit(KnowledgeGraph.from_triples([("x", "y", "z")]), init=old)
    with pytest.raises(ModelError, match="a model of DistMult"):
        DistMult(**QUICK).fit(graph, init=old)


@pytest.mark.parametrize("model", TRIPLE_MODELS.values())
def test_tiny_graphs(model):
    graph = KnowledgeGraph.from_triples([("a", "r", "b"), ("b", "r", "c")])
    plan = model(num_shared_negative=8192, device="cpu").plan(graph, compiled_only=True)
    assert plan.negatives.count is None  # there are fewer entities
    fitted = model(dim=8, num_epoch=3, num_shared_negative=8192, device="cpu").fit(graph)
    assert np.isfinite(fitted.entity_vectors_).all()
    with pytest.raises(GraphError, match="at least two entities"):
        model(device="cpu").fit(KnowledgeGraph.from_triples([("a", "r", "a")]))


@pytest.mark.parametrize("model", TRIPLE_MODELS.values())
def test_self_loops_and_symmetric_relations(model):
    rows = [("a", "r", "a"), ("a", "r", "b"), ("b", "r", "a"), ("c", "s", "c"), ("c", "r", "b")]
    graph = KnowledgeGraph.from_triples(rows)
    assert graph.num_triples == 5
    fitted = model(dim=8, num_epoch=5, device="cpu", num_shared_negative=1).fit(graph)
    assert np.isfinite(fitted.entity_vectors_).all() and fitted.report_["num_pair"] == 25


def test_what_a_model_needs_is_said():
    graph = KnowledgeGraph.from_triples([("a", "r", "b"), ("b", "r", "c")])
    with pytest.raises(ConfigError, match=r"dim.*a multiple of 4.*got 6.*dim=8"):
        nodeloom.QuatE(dim=6, device="cpu").plan(graph, compiled_only=True)
    with pytest.raises(ConfigError, match="L1, L2 or squared"):
        TransE(distance="modulus", device="cpu").fit(graph)
    with pytest.raises(ConfigError, match="num_shared_negative"):
        ComplEx(num_shared_negative="some").fit(graph)
