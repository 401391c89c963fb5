"""The plan: every "auto" as a number, memory as it will be, refusals before anything runs."""

from __future__ import annotations

import gc
import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom import Graph
from nodeloom.engine import make_plan, modes
from nodeloom.engine.modes import allocate
from nodeloom.errors import ConfigError, GraphError, MemoryLimitError
from nodeloom.kernels.cpu.parallel import available_threads
from nodeloom.kernels.cpu.simd import ROW_ALIGNMENT
from nodeloom.kernels.reference.skipgram import positive_pairs
from nodeloom.plan import defaults
from nodeloom.plan.pools import TILES_PER_POOL
from nodeloom.sampling import NegativeSampler, WalkSampler
from nodeloom.schedule import Position

SHORT = settings(deadline=None, max_examples=40)


def test_auto_becomes_what_the_rules_say(engine, graph):
    plan = make_plan(graph, engine.settings(num_epoch=300, num_thread="auto"))
    connected = int((graph.degrees > 0).sum())
    assert plan.positives.augmentation_step == defaults.AUGMENTATION_STEP
    assert plan.positives.random_walk_length == defaults.random_walk_length(defaults.AUGMENTATION_STEP)
    assert plan.negatives.count == defaults.num_shared_negative(defaults.AUGMENTATION_STEP, 300)
    assert plan.lr == defaults.learning_rate("SGD", 300)
    assert plan.weight_decay == defaults.weight_decay("SGD", connected, graph.num_edges)
    assert plan.num_thread == available_threads()
    assert plan.device == "cpu"


def test_isolated_nodes_do_not_count_for_the_density(engine):
    edges = [[i, (i + 1) % 20] for i in range(20)]
    few, many = (make_plan(Graph.from_edges(edges, num_nodes=n), engine.settings()) for n in (20, 20_000))
    assert few.weight_decay == many.weight_decay


def test_what_is_given_stays(engine, graph):
    given_values = {
        "augmentation_step": 3, "random_walk_length": 9, "num_shared_negative": 5,
        "positive_reuse": 3, "lr": 0.5, "weight_decay": 0.25, "num_epoch": 7, "seed": 99, "dim": 24,
        "negative_sample_exponent": 0.5, "schedule": "constant", "num_thread": 3,
    }  # fmt: skip
    plan = make_plan(graph, engine.settings(**given_values, num_negative=4, negative_weight=2.5))
    assert {key: plan.to_dict()[key] for key in given_values} == given_values
    assert plan.negatives.weight == 10.0


@pytest.mark.parametrize(
    ("model", "expected"), [("node2vec", (0.5, 4.0)), ("DeepWalk", (1.0, 1.0)), ("LINE", (1.0, 1.0))]
)
def test_p_and_q_are_for_node2vec(engine, graph, model, expected):
    plan = make_plan(graph, engine.settings(model=model, p=0.5, q=4.0))
    assert (plan.positives.p, plan.positives.q) == expected


@pytest.mark.parametrize(
    ("asked", "threads"),
    [
        ({"deterministic": True}, 1),
        ({"num_thread": 3}, 3),
        ({"cpu_per_gpu": 2, "deterministic": False}, 2),
        ({"num_thread": 3, "cpu_per_gpu": 2}, 3),
    ],
)
def test_threads(engine, graph, asked, threads):
    assert make_plan(graph, engine.settings(**asked)).num_thread == threads


@pytest.mark.parametrize(
    ("step", "length", "directed", "expected"),
    [
        ("auto", "auto", False, (defaults.AUGMENTATION_STEP, 63)),
        ("auto", 2, False, (2, 2)),
        ("auto", 1, False, (1, 1)),
        (100, "auto", False, (100, 100)),
        (1, "auto", True, (1, 1)),
        (2, "auto", True, (2, 63)),
        (1, "auto", False, (1, 63)),
        (1, 5, True, (1, 5)),
        (7, 7, False, (7, 7)),
    ],
)
def test_walk_shape(engine, step, length, directed, expected):
    graph = Graph.from_edges([[0, 1], [1, 2], [2, 0]], directed=directed)
    plan = make_plan(graph, engine.settings(augmentation_step=step, random_walk_length=length))
    assert (plan.positives.augmentation_step, plan.positives.random_walk_length) == expected
    assert plan.positives.two_sided is not directed


@pytest.mark.parametrize(
    ("values", "share"),
    [({}, 1), ({"dim": 512}, 4), ({"positive_reuse": 8}, 8), ({"random_walk_length": 639}, 10), ({"dim": 16}, 1)],
)
def test_pools_take_no_longer_for_wide_rows_long_walks_and_reuse(engine, graph, values, share):
    plan = make_plan(graph, engine.settings(**{"dim": 128, "num_epoch": 10**9, **values}))
    assert plan.tiles_per_pool == TILES_PER_POOL // share


@pytest.mark.parametrize(
    ("step", "length", "expected"),
    [("auto", "auto", (1, 1)), (3, "auto", (3, 3)), ("auto", 4, (4, 4)), (1, "auto", (1, 1))],
)
def test_walks_of_users_and_items_are_edges(engine, step, length, expected):
    graph = Graph.from_edges([[0, 2], [0, 3], [1, 2], [1, 4]], directed=True)
    plan = make_plan(graph, engine.settings(augmentation_step=step, random_walk_length=length))
    assert plan.sink_share == 1.0
    assert (plan.positives.augmentation_step, plan.positives.random_walk_length) == expected


def test_walks_that_end_at_sinks_are_short_and_have_the_pairs_that_were_planned(engine):
    rng = np.random.default_rng(3)
    edges = rng.integers(0, 400, (6000, 2))
    edges = edges[edges[:, 0] >= 60]  # nodes below 60 are sinks
    graph = Graph.from_edges(edges, num_nodes=400, directed=True)
    plan = make_plan(graph, engine.settings(num_epoch=200))
    assert 0.1 < plan.sink_share < 0.2
    assert plan.positives.augmentation_step == 5
    assert plan.positives.random_walk_length == int(np.ceil(2 / plan.sink_share)) < 20
    position = Position()
    for _ in modes.loop_of(graph, plan, plan.stages[0], allocate(plan, plan.stages[0], graph)).run(position):
        pass
    assert plan.pairs_per_tile == pytest.approx(position.num_pair / position.num_tile, rel=0.1)
    assert plan.pairs_per_tile < 0.6 * plan.full_pairs_per_tile


def test_a_step_longer_than_the_walk_is_refused(engine, graph):
    with pytest.raises(ConfigError, match=r"augmentation_step: expected at most random_walk_length \(4\), got 5"):
        make_plan(graph, engine.settings(augmentation_step=5, random_walk_length=4))


@given(epochs=st.integers(1, 10**6), order=st.sampled_from([1, 2, "both"]))
@SHORT
def test_total_is_epochs_times_edges_for_every_part(engine, graph, epochs, order):
    plan = make_plan(graph, engine.settings(model="LINE", order=order, num_epoch=epochs))
    assert plan.total_pair == epochs * graph.num_edges * (2 if order == "both" else 1)
    assert 1 <= plan.tiles_per_pool <= TILES_PER_POOL


@given(dim=st.integers(2, 300), order=st.sampled_from([1, 2, "both"]), seed=st.integers(0, 2**63 - 1))
@SHORT
def test_parts_share_the_columns(engine, graph, dim, order, seed):
    plan = make_plan(graph, engine.settings(model="LINE", order=order, dim=dim, seed=seed))
    assert [part.first for part in plan.stages] == [0, *np.cumsum([part.dim for part in plan.stages])[:-1]]
    assert sum(part.dim for part in plan.stages) == dim
    assert [stage.tied for stage in plan.stages] == ([True, False] if order == "both" else [order == 1])
    assert len({part.seed for part in plan.stages}) == len(plan.stages)
    assert plan.stages[0].seed == seed
    for part in plan.stages:
        assert part.dim <= part.row < part.dim + ROW_ALIGNMENT
        assert part.row % ROW_ALIGNMENT == 0


def test_both_orders_need_two_columns(engine, graph):
    with pytest.raises(ConfigError, match="dim: expected at least 2"):
        make_plan(graph, engine.settings(model="LINE", order="both", dim=1))


@given(length=st.integers(1, 140), step=st.integers(1, 20), directed=st.booleans())
@SHORT
def test_pairs_per_tile_by_counting(engine, length, step, directed):
    graph = Graph.from_edges([[0, 1], [1, 0]], directed=directed)  # no sinks
    plan = make_plan(graph, engine.settings(random_walk_length=length, augmentation_step=min(step, length)))
    nodes = np.arange(plan.walks_per_tile * plan.positives.nodes_per_walk)
    pairs = positive_pairs(
        nodes, plan.positives.nodes_per_walk, plan.positives.augmentation_step, plan.positives.two_sided
    )
    assert plan.pairs_per_tile == plan.full_pairs_per_tile == len(pairs)
    assert (plan.chunks - 1) * 64 < len(nodes) <= plan.chunks * 64


# ------------------------------------------------------------------------------------------------------ memory


@pytest.mark.parametrize("optimizer", ["SGD", "Momentum", "Adam"])
@pytest.mark.parametrize(
    ("model", "order", "dim"), [("DeepWalk", 2, 32), ("DeepWalk", 2, 20), ("LINE", 1, 20), ("LINE", "both", 40)]
)
def test_tables_and_moments_to_the_byte(engine, graph, optimizer, model, order, dim):
    plan = make_plan(graph, engine.settings(model=model, order=order, dim=dim, optimizer=optimizer))
    stores = [allocate(plan, part, graph) for part in plan.stages]
    largest = max(sum(store.read(name).nbytes for name in store.names()) for store in stores)
    assert plan.memory["tables"] + plan.memory.get("moments", 0) == largest
    assert plan.num_bytes == sum(plan.memory.values())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("p", [1.0, 0.5])
def test_samplers_to_the_byte(engine, graph, weighted, p):
    if weighted:
        heads, tails, _ = graph.edge_columns()
        graph = Graph.from_edges(np.column_stack([heads, tails]), weights=np.arange(1.0, len(heads) + 1))
    plan = make_plan(graph, engine.settings(model="node2vec", p=p))
    walks, negatives = (
        WalkSampler.of(graph, p=plan.positives.p, q=plan.positives.q),
        NegativeSampler.of(graph, exponent=0.75, seed=0),
    )
    sums = graph.degrees.nbytes + graph.strengths.nbytes
    assert plan.memory["samplers"] == walks.nbytes + negatives.table.nbytes + sums
    assert plan.memory["graph"] == graph.nbytes


@pytest.mark.parametrize(
    "values",
    [
        {"dim": 64},
        {"dim": 40},
        {"dim": 64, "optimizer": "Adam"},
        {"dim": 40, "optimizer": "Adam"},
        {"dim": 64, "model": "LINE", "order": 1},
        {"dim": 64, "model": "LINE", "order": "both"},
        {"dim": 64, "model": "LINE", "order": "both", "optimizer": "Adam"},
        {"dim": 64, "model": "node2vec", "p": 0.5},
    ],
    ids=lambda values: " ".join(map(str, values.values())),
)
def test_peak_of_a_training_is_what_the_plan_says(engine, values):
    graph = Graph.from_edges([[i, (i * 7 + k) % 20_000] for i in range(20_000) for k in (1, 2, 3)])
    values = {"num_epoch": 1, **values}
    plan = make_plan(graph, engine.settings(**values))
    engine.train(graph, **values)  # imports and compilation
    gc.collect()
    tracemalloc.start()
    try:
        engine.train(graph, **values)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Caches of the graph are there already; what is drawn while alias tables are built is the slack.
    expected = plan.num_bytes - plan.memory["graph"] - 16 * graph.num_nodes
    assert 0.85 * expected < peak < 1.1 * expected + 2e6


def test_what_does_not_fit_is_refused(engine, graph, monkeypatch):
    monkeypatch.setattr("nodeloom.engine.machine.total_memory", lambda: 100_000)
    with pytest.raises(
        MemoryLimitError, match=r"at most 100 kB of memory, in parts, got .* beside the tables; .*Lower dim"
    ):
        make_plan(graph, engine.settings(dim=51_200))
    monkeypatch.setattr("nodeloom.engine.machine.total_memory", lambda: None)  # unknown: try
    assert make_plan(graph, engine.settings(dim=51_200)).num_bytes > 100_000


# ---------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "graph",
    [
        Graph.from_edges([[0, 0]]),
        Graph.from_edges([[0, 0], [1, 1]], num_nodes=4),
        Graph.from_edges(np.zeros((0, 2), np.int64), num_nodes=3),
        Graph.from_edges([[2, 2]], directed=True),
    ],
    ids=["loop", "loops", "no edges", "directed loop"],
)
def test_graphs_without_an_edge_between_two_nodes_are_refused(engine, graph):
    with pytest.raises(GraphError, match="expected an edge between two different nodes, got"):
        make_plan(graph, engine.settings())


# -------------------------------------------------------------------------------------------------------- shown


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"model": "LINE", "order": "both"},
        {"model": "node2vec", "p": 0.25},
        {"schedule": lambda done, total: 1.0, "optimizer": "Adam"},
    ],
)
def test_rows_and_dict(engine, graph, values):
    plan = make_plan(graph, engine.settings(**values))
    for name, text in plan.rows():
        assert isinstance(name, str) and isinstance(text, str)
        assert name in str(plan) and text in str(plan)
    assert "time" not in dict(plan.rows())
    plain = json.loads(json.dumps(plan.to_dict(), allow_nan=False))
    assert plain["num_bytes"] == plan.num_bytes
    assert plain["seconds"] is None
    assert plain["total_pair"] == plan.total_pair
    assert len(plain["parts"]) == len(plan.stages)


def test_rows_name_what_is_special(engine, graph):
    text = str(make_plan(graph, engine.settings(model="node2vec", p=0.25, q=4)))
    assert "p 0.25, q 4" in text
    assert "order 1 and order 2" in str(make_plan(graph, engine.settings(model="LINE", order="both")))
