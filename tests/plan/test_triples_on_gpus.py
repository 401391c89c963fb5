"""Plans of knowledge graphs on GPUs: defaults by the size of the data, memory, and refusals before anything runs."""

from __future__ import annotations

import numpy as np
import pytest

from nodeloom.config import BuildConfig, OptimizerConfig, ResourceConfig, TripleTrain
from nodeloom.errors import ConfigError, MemoryLimitError
from nodeloom.graph import KnowledgeGraph
from nodeloom.plan.machine import Machine, Worker
from nodeloom.plan.settings import Settings
from nodeloom.plan.triple_planner import make_triple_plan


@pytest.fixture(scope="module")
def graph():
    rng = np.random.default_rng(0)
    triples = rng.integers((300, 4, 300), size=(20_000, 3))
    return KnowledgeGraph.from_triples(triples, num_entities=300, num_relations=4, duplicates="keep")


def plan_on(graph, model="ComplEx", *, device="cuda:0", memory=1 << 30, dim=64, table_dtype="auto", **train):
    kind = "Adam" if model in ("TransE", "RotatE") else "AdaGrad"
    settings = Settings(
        TripleTrain(model=model, **train),
        BuildConfig(optimizer=OptimizerConfig(type=kind)),
        ResourceConfig(dim=dim, table_dtype=table_dtype),
    )
    return make_triple_plan(graph, settings, Machine((Worker(2, 1 << 34, device, memory),)))


def test_products_are_compared_with_all_entities_and_distances_with_some(graph):
    assert plan_on(graph).negatives.count is None
    assert plan_on(graph, "TransE", num_shared_negative="auto").negatives.count is None  # fewer than a batch would draw
    many = KnowledgeGraph.from_triples(np.array([[0, 0, 1]]), num_entities=300_000, num_relations=1)
    assert plan_on(many, memory=1 << 34).negatives.count == 4096
    assert plan_on(many, "RotatE", memory=1 << 34).negatives.count == 1024


def test_batches_are_larger_than_on_the_cpu(graph):
    on_gpu, on_cpu = plan_on(graph, "RotatE"), plan_on(graph, "RotatE", device="cpu")
    assert on_gpu.triples.num_batch < on_cpu.triples.num_batch
    assert on_gpu.num_epoch > on_cpu.num_epoch


def test_memory_of_the_device(graph):
    plan = plan_on(graph)
    values = 300 * 64 + 4 * 2 * 64
    assert plan.device_memory["tables"] == plan.device_memory["moments"] == 4 * values
    assert plan.device_memory["scores"] == 2 * plan.num_query * 300 * 2
    assert not plan_on(graph, device="cpu").device_memory
    assert plan_on(graph, adagrad_state="row").device_memory["moments"] < plan.device_memory["moments"]
    assert "GPU memory" in dict(plan.rows())
    with pytest.raises(MemoryLimitError, match=r"cuda:0: expected at most 1 MB of its memory.*Lower dim"):
        plan_on(graph, memory=10**6, dim=1024)


def test_tables_are_fp32(graph):
    with pytest.raises(ConfigError, match=r"table_dtype.*fp32.*bf16"):
        plan_on(graph, table_dtype="bf16")


def test_few_triples_of_an_entity_are_regularized_by_dura(graph):
    few = KnowledgeGraph.from_triples(np.array([[0, 0, 1], [1, 0, 2]]), num_entities=3, num_relations=1)
    losses = [plan_on(few).loss, plan_on(few, num_shared_negative=2).loss, plan_on(few, l3_regularization=0.1).loss]
    assert [(loss.n3, loss.dura) for loss in losses] == [(0.0, 0.2), (0.1, 0.0), (0.1, 0.0)]
    assert (plan_on(few, dura_regularization=0.3).loss.dura, plan_on(graph).loss.dura) == (0.3, 0.0)
