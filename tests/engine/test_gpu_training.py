"""The engine of the GPU trains what the engine of the CPU trains: the same walks, the same negatives, the same vectors."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_runs import Trained, snapshots
from nodeloom import Graph
from nodeloom.datasets import planted_partition
from nodeloom.engine import modes
from nodeloom.schedule import Position

OPTIMIZERS = ["SGD", "Momentum", "AdaGrad", "RMSprop", "Adam"]
EDGES = planted_partition(100, 300, 4, seed=3)[0]


def near():
    return Graph.from_edges(EDGES)


def with_sinks():
    """Return a directed graph; walks end at its nodes 0 to 9."""
    pairs = np.random.default_rng(1).integers(0, 100, (600, 2))
    return Graph.from_edges(pairs[pairs[:, 0] >= 10], num_nodes=100, directed=True)


def weighted(**options):
    return Graph.from_edges(EDGES, weights=np.random.default_rng(2).gamma(0.5, size=len(EDGES)) + 1e-3, **options)


def of_wide_numbers():
    graph = near()
    return Graph(graph.indptr, graph.indices.astype(np.int64))


CASES = {
    "undirected": {},
    "sinks": {"graph": with_sinks},
    "directed, weighted": {"graph": lambda: weighted(directed=True)},
    "weighted": {"graph": weighted},
    "64-bit numbers of nodes": {"graph": of_wide_numbers},
    "node2vec": {"model": "node2vec", "p": 0.25, "q": 4},
    "node2vec, weighted": {"graph": weighted, "model": "node2vec", "p": 4, "q": 0.5},
    "node2vec, sinks": {"graph": with_sinks, "model": "node2vec", "p": 0.5},
    "order 1": {"model": "LINE", "order": 1},
    "order 2": {"model": "LINE", "order": 2, "augmentation_step": 2},
    "both orders": {"model": "LINE", "order": "both", "dim": 24},
    "reuse": {"positive_reuse": 3},
    "negatives": {"num_shared_negative": 5, "num_negative": 3, "negative_sample_exponent": 0.5},
    "padded rows": {"dim": 10},
    "long walks": {"random_walk_length": 100},
    "edges": {"random_walk_length": 1, "augmentation_step": 1, "num_epoch": 10},
    "a wide step": {"augmentation_step": 12},
    "a rate that is not clipped": {"lr": 0.02},
    **{name: {"optimizer": name, "dim": 24} for name in OPTIMIZERS[1:]},
}


@pytest.fixture(params=CASES)
def case(request):
    """Return a graph and settings."""
    values = {"num_epoch": 60, "schedule": "constant", **CASES[request.param]}
    return values.pop("graph", near)(), values


def test_walks_negatives_and_numbers_are_those_of_the_cpu(quick, case):
    graph, values = case
    on_gpu, on_cpu = quick.record(), quick.record(device="cpu")
    report = quick.train(graph, **values).report
    expected = quick.train(graph, device="cpu", **values).report
    assert report.device == "cuda:0"
    assert report.num_pair == pytest.approx(expected.num_pair, rel=0.05)
    assert report.loss == pytest.approx(expected.loss, rel=0.3)  # of a few tiles
    num_reuse = values.get("positive_reuse", 1)
    for tied in sorted({call.tied for call in on_cpu}):
        of_part = [[call for call in calls if call.tied == tied] for calls in (on_gpu, on_cpu)]
        for reuse in range(num_reuse):
            same_tiles(*(Trained.of(calls[reuse::num_reuse]) for calls in of_part))
    for name in ("step", "two_sided", "negative_weight", "weight_decay", "optimizer"):
        assert {np.float32(getattr(call, name)) for call in on_gpu} == {np.float32(getattr(on_cpu[0], name))}
    largest = 0.0 if values.get("lr") == 0.02 else float(on_cpu[0].settings[0])
    assert {call.settings for call in on_gpu} == {(largest, *map(float, on_cpu[0].settings[1:]))}


def same_tiles(a, b):
    """Tell whether two trainings had the same tiles, one perhaps a few more."""
    tiles = min(len(a.lr), len(b.lr))
    assert tiles > 0.9 * max(len(a.lr), len(b.lr))
    rows = tiles * (len(b.walks) // len(b.lr))
    np.testing.assert_array_equal(a.walks[:rows], b.walks[:rows])
    np.testing.assert_array_equal(a.negatives[:tiles], b.negatives[:tiles])
    np.testing.assert_array_equal(a.lr[:tiles], b.lr[:tiles])


def test_vectors_are_those_of_the_cpu_after_every_pool(quick, case):
    if not quick.exact:
        pytest.skip("on a card the order of changes is open")
    graph, values = case
    quick.pools(tiles=3 * values.get("positive_reuse", 1))
    found, expected = (snapshots(graph, quick.plan(graph, device=device, **values)) for device in ("cuda", "cpu"))
    common = [tile for tile in expected if tile in found]
    assert len(common) >= 3 * (2 if values.get("order") == "both" else 1)
    for tile in common:
        assert found[tile].num_pair == expected[tile].num_pair
        assert list(found[tile].tables) == list(expected[tile].tables)
        for name, table in expected[tile].tables.items():
            np.testing.assert_array_equal(found[tile].tables[name], table, err_msg=f"{name} at {tile}")


# ----------------------------------------------------------------------------------- with the kernels of the GPU itself


def wide():
    """Return a directed graph in which walks do not return soon: few rows are changed twice by one tile."""
    tails = np.random.default_rng(5).integers(0, 800, 2400)
    return Graph.from_edges(np.column_stack([np.repeat(np.arange(800), 3), tails]), directed=True)


SMALL = {"random_walk_length": 7, "augmentation_step": 3, "num_epoch": 1, "weight_decay": 0.01, "schedule": "constant"}
KERNELS = {
    "SGD": ({}, 0.02),
    "SGD, clipped": ({"lr": 0.3}, 0.03),
    "Momentum": ({"optimizer": "Momentum", "dim": 10, "lr": 1e-3}, 0.25),
    "AdaGrad": ({"optimizer": "AdaGrad", "dim": 24, "lr": 1e-3}, 0.25),
    "RMSprop": ({"optimizer": "RMSprop", "dim": 24, "lr": 1e-4}, 0.25),
    "Adam": ({"optimizer": "Adam", "dim": 10, "lr": 1e-4}, 0.25),
    "sinks": ({"graph": with_sinks, "num_epoch": 4}, 0.1),
    "node2vec, weighted": ({"graph": weighted, "model": "node2vec", "p": 4, "q": 0.5, "num_epoch": 3}, 0.1),
    "both orders": ({"graph": near, "model": "LINE", "order": "both", "dim": 24, "num_epoch": 4}, 0.1),
    "reuse": ({"graph": near, "positive_reuse": 2, "num_epoch": 12}, 0.1),
    "a longer walk than a tile": ({"random_walk_length": 70, "augmentation_step": 3}, 0.1),
    "edges": ({"graph": near, "random_walk_length": 1, "augmentation_step": 1, "num_epoch": 3}, 0.1),
}
INTERPRETED = (
    "SGD, clipped",
    "Adam",
    "sinks",
    "node2vec, weighted",
    "both orders",
    "reuse",
)  # the others on a card


def change(tables, start, name):
    return getattr(tables, name).astype(np.float64) - getattr(start, name)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in INTERPRETED else pytest.mark.gpu) for name in KERNELS]
)
def test_rows_move_like_those_of_the_cpu(on_gpu, name):
    # Kernels differ in what a tile with a node in several places does: to second order in the rate with SGD, to first with the
    # others, which take the changes of a node together. So steps are short, and most graphs here are wide.
    values, tolerance = {"graph": wide, **SMALL, **KERNELS[name][0]}, KERNELS[name][1]
    graph = values.pop("graph")()
    on_gpu.pools(at_least=2)
    on_gpu.one_tile_at_a_time()
    start = on_gpu.train(graph, device="cpu", **{**values, "schedule": lambda done, total: 0.0})
    expected = on_gpu.train(graph, device="cpu", **values)
    tables = on_gpu.train(graph, **values)
    assert tables.report.num_pair == pytest.approx(expected.report.num_pair, rel=0.02)
    assert tables.report.loss == pytest.approx(expected.report.loss, rel=0.01)
    for table in ("vertex", "context"):
        assert np.isfinite(getattr(tables, table)).all()
        wanted = change(expected, start, table)
        error = np.linalg.norm(change(tables, start, table) - wanted) / np.linalg.norm(wanted)
        assert error < tolerance + (0.0 if on_gpu.exact else 0.05)  # products in bf16


def test_rows_move_otherwise_with_other_walks(on_gpu):
    on_gpu.pools(at_least=2)
    graph = wide()
    start = on_gpu.train(graph, device="cpu", **{**SMALL, "schedule": lambda done, total: 0.0})
    expected = on_gpu.train(graph, device="cpu", **SMALL, seed=1)
    tables = on_gpu.train(graph, **SMALL)
    wanted = change(expected, start, "context")
    assert np.linalg.norm(change(tables, start, "context") - wanted) > 0.5 * np.linalg.norm(wanted)


@pytest.mark.parametrize("values", [{}, {"dim": 10}, {"model": "LINE", "order": "both", "dim": 41}], ids=str)
def test_first_values_are_those_of_the_cpu(on_gpu, values):
    on_gpu.pools(at_least=1)
    values = {"num_epoch": 1, "random_walk_length": 5, "schedule": lambda done, total: 0.0, **values}
    tables, expected = (on_gpu.train(near(), device=device, **values) for device in ("cuda", "cpu"))
    np.testing.assert_array_equal(tables.vertex, expected.vertex)
    np.testing.assert_array_equal(tables.context, expected.context)
    assert tables.vertex.std() > 0.05
    rounded = on_gpu.train(near(), table_dtype="bf16", **values)
    np.testing.assert_allclose(rounded.vertex, expected.vertex, rtol=2**-7)  # to the nearest on a card
    assert not np.array_equal(rounded.vertex, expected.vertex)
    np.testing.assert_array_equal(rounded.vertex.view(np.uint32) & 0xFFFF, 0)


@pytest.mark.parametrize("values", [{}, {"optimizer": "Adam"}, {"table_dtype": "bf16"}], ids=str)
def test_padding_stays_zero(on_gpu, values):
    on_gpu.pools(at_least=2)
    plan = on_gpu.plan(near(), dim=10, num_epoch=8, random_walk_length=7, **values)
    tables = list(snapshots(near(), plan).values())[-1].tables
    assert {"vertex", "context"} <= set(tables)
    for table in tables.values():
        assert table.shape == (100, 16)
        assert table[:, :10].any()
        assert not table[:, 10:].any()


@pytest.mark.parametrize("table_dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_compiling_changes_nothing(on_gpu, optimizer, table_dtype):
    plan = on_gpu.plan(near(), optimizer=optimizer, table_dtype=table_dtype, weight_decay=0.5, random_walk_length=5)
    part, random = plan.stages[0], np.random.default_rng(0)
    store = modes.allocate(plan, part, near())
    for name in store.names():
        store.write(name, random.random((100, part.row), dtype=np.float32))
    before = {name: store.read(name) for name in store.names()}
    for _ in modes.loop_of(near(), plan, part, store).run(Position(num_pair=10**9)):  # there is nothing left to do
        raise AssertionError
    for name in store.names():
        np.testing.assert_array_equal(store.read(name), before[name], err_msg=name)


@pytest.mark.parametrize("table_dtype", ["fp32", "bf16"])
def test_communities_come_apart(on_gpu, table_dtype):
    edges, community = planted_partition(60, 300, 3, mixing=0.05, seed=2)
    on_gpu.pools(at_least=3)
    values = {"random_walk_length": 15, "lr": 0.05, "weight_decay": 0.002, "table_dtype": table_dtype}
    tables = on_gpu.train(Graph.from_edges(edges), num_epoch=80, **values)

    def apart(community):
        x = tables.vertex / np.linalg.norm(tables.vertex, axis=1, keepdims=True)
        score, same = x @ x.T, community[:, None] == community[None, :]
        others = ~np.eye(len(x), dtype=bool)
        return score[same & others].mean() - score[~same].mean()

    assert apart(community) > 0.5
    assert abs(apart(np.random.default_rng(0).permutation(community))) < 0.1
