"""Knowledge graphs on a GPU: the same batches as on the CPU change the tables as they do there, number by number."""

from __future__ import annotations

import numpy as np
import pytest

from nodeloom.graph import KnowledgeGraph
from nodeloom.schedule import TrainTiles
from triple_training import device_of, plan_of

torch = pytest.importorskip("torch", reason="kernels run on a GPU, or in Triton's interpreter")
pytest.importorskip("triton", reason="kernels run on a GPU, or in Triton's interpreter")

CASES = [
    ("ComplEx", {"num_shared_negative": "all"}),
    ("ComplEx", {"num_shared_negative": 6, "negative_sample_exponent": 0.5, "bernoulli": True}),
    ("DistMult", {"num_shared_negative": "all", "dura_regularization": 0.1, "filter_negatives": True}),
    ("SimplE", {"num_shared_negative": "all", "typed_negatives": True}),
    ("QuatE", {"num_shared_negative": 6, "filter_negatives": True, "typed_negatives": True}),
    ("TransE", {"num_shared_negative": 6, "margin": 1.0}),
    ("TransE", {"num_shared_negative": 6, "distance": "L2", "loss": "margin", "margin": 1.0}),
    ("RotatE", {"num_shared_negative": 6, "loss": "cross entropy", "relation_lr_multiplier": 0.5}),
]


def graph_of(weights=False):
    rng = np.random.default_rng(0)
    triples = np.unique(rng.integers((14, 3, 14), size=(24, 3)), axis=0)
    given = rng.uniform(0.5, 2.0, len(triples)) if weights else None
    return KnowledgeGraph.from_triples(triples, weights=given, num_entities=14, num_relations=3, duplicates="keep")


def on_gpu(graph, plan, scale):
    """Return the GPU as a device with the tables of the CPU, and the names of tables."""
    import dataclasses

    from nodeloom.engine.gpu.triples import GpuTriples
    from nodeloom.engine.modes import allocate

    plan = dataclasses.replace(plan, device="cuda:0")
    stage = plan.stages[0]
    tables = allocate(plan, stage, graph)
    tables.initialize()
    enlarge(tables, scale)
    return GpuTriples(graph, plan, stage, tables), tables


def enlarge(tables, scale):
    """Let first values be as large as trained ones, so that slopes are."""
    for name in tables.specs:
        tables.write(name, scale * tables.read(name))


@pytest.mark.parametrize(("model", "train"), CASES, ids=[f"{model}-{n}" for n, (model, _) in enumerate(CASES)])
def test_batches_change_the_tables_as_on_the_cpu(model, train):
    graph = graph_of(weights=model in ("ComplEx", "TransE"))
    plan = plan_of(graph, model, triples_per_batch=5, num_epoch=2, **train)
    scale = 1.0 if model in ("TransE", "RotatE") else 300.0
    rates = np.full(2, 0.05)
    slow, expected = device_of(graph, plan)
    enlarge(expected, scale)
    fast, got = on_gpu(graph, plan, scale)
    with slow.running(), fast.running():
        for device in (slow, fast):
            for first in (0, plan.triples.num_batch - 1):  # into the second epoch
                device.run(TrainTiles(first, 2), rates)
                landed = device.land()
            device.landed = landed
    assert fast.landed.pairs == slow.landed.pairs
    assert fast.landed.loss / fast.landed.weight == pytest.approx(
        slow.landed.loss / slow.landed.weight, rel=2e-2 if _is_card() else 1e-4
    )
    for name in expected.names():
        a, b = got.read(name), expected.read(name)
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=(3e-2 if _is_card() else 2e-4) * np.abs(b).max())


def _is_card():
    return torch.cuda.is_available()


@pytest.mark.gpu
def test_recorded_batches_are_those_that_are_not():
    graph = graph_of()
    plan = plan_of(graph, "RotatE", triples_per_batch=5, num_epoch=8, num_shared_negative=6)
    assert plan.triples.num_batch == plan.tiles_per_pool
    (first, ours), (second, theirs) = (on_gpu(graph, plan, 1.0) for _ in range(2))
    with first.running(), second.running():
        pool = plan.tiles_per_pool
        for number in range(0, 8 * pool, pool):
            first.run(TrainTiles(number, pool), np.full(pool, 0.01))
        for number in range(8 * pool):
            second.run(TrainTiles(number, 1), np.full(1, 0.01))
            second._recorded.clear()
    for name in ours.names():
        np.testing.assert_array_equal(ours.read(name), theirs.read(name))
