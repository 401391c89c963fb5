"""Numbers without sense are refused at once, and what is allowed is planned as it is: fast, with the memory and the steps that it takes."""

from __future__ import annotations

import itertools
import time
import tracemalloc

import pytest

from nodeloom import DeepWalk, Graph
from nodeloom.config import BuildConfig, ResourceConfig, train_config
from nodeloom.datasets import planted_partition
from nodeloom.engine import make_plan
from nodeloom.engine.modes import allocate, loop_of
from nodeloom.errors import ConfigError
from nodeloom.plan.settings import Settings
from nodeloom.schedule import Position


@pytest.fixture(scope="module")
def graph():
    return Graph.from_edges(planted_partition(2000, 8000, 5)[0])


def settings(*, num_partition="auto", dim=8, num_thread=1, **train):
    return Settings(
        train_config(**train),
        BuildConfig(num_partition=num_partition),
        ResourceConfig(dim=dim, num_thread=num_thread, device="cpu"),
    )


@pytest.mark.parametrize(
    ("parameter", "most"),
    [
        ("positive_reuse", 1000), ("num_partition", 4096), ("random_walk_length", 100_000), ("augmentation_step", 1000),
        ("num_epoch", 10**9), ("num_negative", 10_000), ("num_shared_negative", 1024), ("num_thread", 4096), ("num_worker", 4096),
        ("dim", 65536),
    ],
)  # fmt: skip
@pytest.mark.parametrize("times", [2, 10**9, 10**300])
def test_what_is_beyond_sense_is_refused_at_once(graph, parameter, most, times):
    begin = time.process_time()
    with pytest.raises(ConfigError, match=f"{parameter}: expected an integer >= 1 and <= {most}"):
        DeepWalk(**{parameter: most * times}).fit(graph)
    assert time.process_time() - begin < 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"random_walk_length": 100_000, "augmentation_step": 1000, "dim": 128}, "at most 5e\\+09 products in a step"),
        ({"random_walk_length": 10_000, "positive_reuse": 1000, "dim": 65536}, "at most 5e\\+09 products in a step"),
        ({"num_partition": 3000}, "num_partition: expected at most 2,000 for 2,000 nodes"),
        (
            {"num_partition": 300, "num_epoch": 10},
            "num_partition: expected at most 282 for 2,000 nodes and 80,000 pairs",
        ),
    ],
)
def test_what_makes_no_sense_together(graph, values, message):
    with pytest.raises(ConfigError, match=message):
        make_plan(graph, settings(**{"num_epoch": 2000, **values}))


def test_the_largest_values_are_planned_in_no_time(graph):
    begin = time.process_time()
    for values in (
        {"random_walk_length": 100_000},
        {"positive_reuse": 1000},
        {"num_epoch": 10**9},
        {"num_partition": 2000},
    ):
        plan = make_plan(graph, settings(**{"num_epoch": 2000, **values}))
        # Training can stop after each step.
        assert plan.tiles_per_pool * plan.full_pairs_per_tile * plan.positives.reuse < 10_000_000
    assert time.process_time() - begin < 5


def peak_of_two_rows(graph, num_partition):
    """Return the most memory that two rows of a grid take, beside that of its tables, and what is planned."""
    plan = make_plan(graph, settings(num_partition=num_partition, num_epoch=130))
    store = allocate(plan, plan.stages[0], graph)
    store.initialize()
    engine = loop_of(graph, plan, plan.stages[0], store)
    tracemalloc.start()
    try:
        assert len(list(itertools.islice(engine.run(Position()), 2))) == 2
        return tracemalloc.get_traced_memory()[1], plan.num_bytes
    finally:
        tracemalloc.stop()


def test_the_memory_of_many_parts_is_as_planned(graph):
    peak_of_two_rows(graph, 399)  # kernels are compiled, or read
    peak, planned = peak_of_two_rows(graph, 400)
    assert peak < 2 * planned + 3_000_000


@pytest.mark.parametrize("parts", [2, 8])
def test_rows_of_a_grid_are_short_where_nothing_is_moved(graph, parts):
    for num_epoch in (2_000, 1_000_000):
        grid = make_plan(graph, settings(num_partition=parts, num_epoch=num_epoch)).grid
        assert grid.episode_pairs / parts <= 1 << 21  # two tenths of a second: checkpoints and Ctrl-C wait for it
