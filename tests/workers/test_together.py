"""Several workers train what one trains: the same pairs, each once, and no row in two places."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from worker_runs import (
    accuracy,
    check_rounds,
    one_training,
    pairs_by_block,
    pairs_of_one_process,
    run_of,
    settings_of,
    stopped_and_resumed,
    whole_and_in_two,
)

from local_transport import together
from nodeloom import Graph
from nodeloom.datasets import planted_partition
from nodeloom.engine import make_plan
from nodeloom.engine.cpu import ring_blocks as blocks
from nodeloom.engine.cpu.ring_blocks import RingBlocks
from nodeloom.engine.modes import allocate
from nodeloom.engine.workers import placement
from nodeloom.errors import ConfigError, MemoryLimitError, TrainingError
from nodeloom.plan import planner, ring
from nodeloom.plan.machine import Machine, Worker
from nodeloom.schedule import Train

NODES = 1501  # no multiple of any number of parts


@pytest.fixture(scope="module")
def communities():
    edges, community = planted_partition(NODES, 12_000, 6, mixing=0.3, seed=3)
    return Graph.from_edges(edges, num_nodes=NODES), community


@pytest.fixture(params=[True, False], ids=["whole walks", "pair by pair"])
def way(request, monkeypatch):
    monkeypatch.setattr(ring, "_ROWS_OF_A_PAIR", np.inf if request.param else 0.0)
    return request.param


@pytest.mark.parametrize(
    ("num_worker", "values"),
    [
        (2, {}),
        (2, {"num_partition": 2}),
        (3, {"num_partition": 9}),
        (4, {"optimizer": "Adam"}),
        (2, {"positive_reuse": 2, "num_thread": 2}),
        (2, {"model": "LINE", "order": 2}),
        (2, {"model": "node2vec", "p": 0.25, "q": 4.0}),
    ],
    ids=str,
)
def test_workers_learn_what_one_learns(monkeypatch, communities, way, num_worker, values):
    graph, community = communities
    settings = settings_of(**values)
    whole = settings_of(**{key: value for key, value in values.items() if key != "num_partition"})
    expected = accuracy(one_training(graph, whole).vertex, community)
    found = together(num_worker, lambda transport: one_training(graph, settings, transport=transport))
    assert [result.vertex is None for result in found] == [False] + [True] * (num_worker - 1)
    assert {result.report.num_pair for result in found} == {found[0].report.num_pair}
    assert found[0].report.num_pair >= 100 * graph.num_edges
    assert found[0].vertex.shape == found[0].context.shape == (NODES, 32)
    assert np.isfinite(found[0].vertex).all() and np.isfinite(found[0].context).all()
    reached = accuracy(found[0].vertex, community)
    assert expected > 80
    assert reached > expected - 2.5, f"{reached:.1f} % of the communities against {expected:.1f} %"
    assert accuracy(found[0].vertex, np.random.default_rng(1).permutation(community)) < 45  # control


def test_what_workers_leave_out_is_noticed(monkeypatch, communities):
    # The judge above must not be content with the pairs within the parts of a worker.
    graph, community = communities
    real = RingBlocks.run
    monkeypatch.setattr(placement, "MAX_PART", 0)

    def run(self, operation, lr):
        left_out = isinstance(operation, Train) and operation.block.vertex != operation.block.context
        return 0 if left_out else real(self, operation, lr)

    monkeypatch.setattr(RingBlocks, "run", run)
    settings = settings_of(num_epoch=25)  # as many pairs of each node with its own part as in 100 epochs of all
    found = together(4, lambda transport: one_training(graph, settings, transport=transport))
    monkeypatch.undo()
    assert accuracy(found[0].vertex, community) < accuracy(one_training(graph, settings_of()).vertex, community) - 2.5


@pytest.mark.parametrize(("num_worker", "num_part"), [(2, 2), (2, 4), (3, 6), (4, 8)])
def test_every_block_once_and_no_row_in_two_places(monkeypatch, communities, way, num_worker, num_part):
    graph, _ = communities
    settings = settings_of(num_epoch=8, num_partition=num_part)
    runs, trained = run_of(monkeypatch, graph, num_worker, settings)
    stores = [run.store for run in runs]
    episodes = check_rounds(stores, trained, num_worker, num_part)
    # What travels is one part a round.
    part_bytes = stores[0].placement.rows("context") * 32 * 4
    share = num_part // num_worker
    for run in runs:
        assert run.engine.sent == [part_bytes] * ((num_part - share) * episodes)


def test_blocks_have_the_pairs_of_one_process(monkeypatch, communities, way):
    graph, _ = communities
    monkeypatch.setattr(placement, "MAX_PART", 0)  # one process deals its nodes by strength
    settings = settings_of(num_epoch=6, num_partition=4)
    _, trained = run_of(monkeypatch, graph, 2, settings)
    # The engine of one process in the same grid, whose walks are the same.
    expected, _ = pairs_of_one_process(graph, settings, num_vertex_part=2, num_context_part=4)
    assert pairs_by_block(trained) == expected


def test_both_ways_train_the_same_pairs(monkeypatch, communities):
    graph, _ = communities
    settings = settings_of(num_epoch=6, num_partition=4)
    monkeypatch.setattr(placement, "MAX_PART", 0)
    _, whole = run_of(monkeypatch, graph, 2, settings, whole_walks=True)
    monkeypatch.setattr(placement, "MAX_PART", 0)
    _, sorted_pairs = run_of(monkeypatch, graph, 2, settings, whole_walks=False)
    assert sorted(whole) == sorted(sorted_pairs)


def test_negatives_have_the_noise_of_the_whole_graph(monkeypatch, communities):
    graph, _ = communities
    real = blocks.train_block_walks
    weights, drawn = {}, Counter()

    def train_block_walks(*arguments):
        negatives, first_head, first_context, weight = arguments[8], arguments[9], arguments[10], float(arguments[14])
        weights[first_head, first_context] = weight
        for slot in first_context + negatives.ravel():
            drawn[int(slot)] += weight / negatives.size
        return real(*arguments)

    monkeypatch.setattr(blocks, "train_block_walks", train_block_walks)
    settings = settings_of(num_epoch=160, num_partition=4, num_negative=3)
    runs, _ = run_of(monkeypatch, graph, 2, settings, whole_walks=True)
    heads = {head for head, _ in weights}
    assert len(weights) == 8 and len(heads) == 2
    for head in heads:  # over all context parts: what a positive pair has in all
        assert sum(weight for (of, _), weight in weights.items() if of == head) == pytest.approx(15.0, rel=1e-5)
    found = np.array([drawn[int(slot)] for slot in runs[0].store.placement.slot])
    expected = graph.strengths**0.75
    found, expected = found / found.sum(), expected / expected.sum()
    assert np.abs(found - expected).sum() < 0.15
    assert np.abs(found - 1 / len(found)).sum() > 0.25  # even negatives would be noticed


def test_workers_start_from_the_values_of_one(monkeypatch, communities):
    graph, _ = communities
    settings = settings_of()

    def work(transport):
        plan = make_plan(graph, settings, transport)
        store = allocate(plan, plan.stages[0], graph, transport)
        store.initialize()
        return store.read("vertex"), store.read("context")

    vertex, context = together(3, work)[0]
    monkeypatch.undo()
    plan = make_plan(graph, settings)
    one = allocate(plan, plan.stages[0], graph)
    one.initialize()
    np.testing.assert_array_equal(vertex, one.read("vertex"))
    np.testing.assert_array_equal(context, one.read("context"))


@pytest.mark.parametrize(("before", "after"), [(2, 2), (2, 4), (3, 2), (2, 1), (1, 2)])
@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_a_checkpoint_goes_on_with_another_number_of_workers(
    tmp_path, monkeypatch, communities, optimizer, before, after
):
    graph, community = communities
    settings = settings_of(optimizer=optimizer)
    found = stopped_and_resumed(monkeypatch, graph, tmp_path / "c.safetensors", before, after, settings, settings)
    assert found.report.num_pair < 101 * graph.num_edges * 1.1
    assert accuracy(found.vertex, community) > accuracy(one_training(graph, settings).vertex, community) - 2.5


def test_the_same_workers_go_on_exactly(tmp_path, monkeypatch, communities, way):
    graph, _ = communities
    settings = settings_of(num_epoch=20)
    whole, again = whole_and_in_two(monkeypatch, graph, tmp_path / "c.safetensors", settings, 6)
    np.testing.assert_array_equal(whole.vertex, again.vertex)
    np.testing.assert_array_equal(whole.context, again.context)


def test_a_divergence_ends_all(monkeypatch, communities):
    graph, _ = communities
    settings = settings_of(lr=1e39)
    with pytest.raises(TrainingError, match="diverged"):
        together(2, lambda transport: one_training(graph, settings, transport=transport))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"model": "LINE", "order": 1, "parallelism": "model"},
            "order: expected 2 with several workers that have parts",
        ),
        (
            {"model": "LINE", "order": "both", "num_partition": 4},
            "order: expected 2 with several workers that have parts",
        ),
        ({"num_partition": 6}, "num_partition: expected a multiple of the 4 workers, or auto, got 6"),
    ],
    ids=str,
)
def test_what_workers_cannot_do_is_refused(monkeypatch, communities, values, message):
    graph, _ = communities
    with pytest.raises(ConfigError, match=message):
        together(4, lambda transport: make_plan(graph, settings_of(**values), transport))


def test_more_parts_than_nodes_are_refused(monkeypatch):
    graph = Graph.from_edges(np.array([[0, 1], [1, 2]]))
    with pytest.raises(ConfigError, match="a graph of at least 4 nodes"):
        together(4, lambda transport: make_plan(graph, settings_of(), transport))


def test_the_worker_with_the_least_memory_decides(communities):
    graph, _ = communities
    limits = [10**9, 474_000, 10**9]

    def planned():
        workers = tuple(Worker(1, limit) for limit in limits)
        return [planner.make_plan(graph, settings_of(), Machine(workers, rank)) for rank in range(3)]

    plans = planned()
    assert [p.grid.episode_pairs for p in plans] == [plans[0].grid.episode_pairs] * 3
    limits[1] = 10**9
    more = planned()
    assert more[0].grid.episode_pairs > plans[0].grid.episode_pairs  # memory decides how long episodes are
    limits[1] = 300_000
    with pytest.raises(MemoryLimitError, match="plan, worker 1: expected at most 300 kB of memory"):
        planned()
    limits[1] = 10**9
    limits[0] = 600_000  # enough for its share, but not for the result
    with pytest.raises(MemoryLimitError, match=r"plan, worker 0.*to put the result together"):
        planned()


def test_a_tile_has_about_as_many_heads_and_negatives_in_any_grid(monkeypatch, communities):
    graph, _ = communities
    for num_worker in (2, 4):
        plan = together(num_worker, lambda transport: make_plan(graph, settings_of(augmentation_step=5), transport))[0]
        walks, negatives = blocks.tile_shape(plan)
        assert plan.mode.whole_walks
        assert 40 < walks * plan.positives.nodes_per_walk / num_worker < 100
        assert negatives == max(2, round(plan.negatives.count / num_worker))


def test_walks_stay_in_their_part(monkeypatch, communities):
    # Where whole walks are trained parts are communities: far more of the pairs than their share lie on the diagonal.
    graph, _ = communities
    _, trained = run_of(monkeypatch, graph, 2, settings_of(num_epoch=6))
    inside = sum(pairs for _, _, block, pairs in trained if block.vertex == block.context)
    assert inside > 0.65 * sum(pairs for _, _, _, pairs in trained)
    _, trained = run_of(monkeypatch, graph, 2, settings_of(num_epoch=6, num_partition=2), whole_walks=False)
    inside = sum(pairs for _, _, block, pairs in trained if block.vertex == block.context)
    assert inside < 0.6 * sum(pairs for _, _, _, pairs in trained)


def test_long_trainings_have_more_episodes_and_large_tables_fewer(monkeypatch, communities):
    graph, _ = communities

    def episodes(**values):
        plan = together(2, lambda transport: make_plan(graph, settings_of(**values), transport))[0]
        return plan.total_pair / plan.grid.episode_pairs

    assert episodes(num_epoch=100) == pytest.approx(100, rel=0.01)  # of a small table
    monkeypatch.setattr(ring, "_BYTES_PER_SECOND", 1e6)
    assert episodes(num_epoch=100) == pytest.approx(10, rel=0.01)
    assert 10 < episodes(num_epoch=2000) < 100
