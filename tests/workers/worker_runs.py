"""What several tests of workers do: run engines block by block, and go on from checkpoints."""

from __future__ import annotations

import dataclasses
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from local_transport import together
from nodeloom.config import BuildConfig, OptimizerConfig, ResourceConfig, train_config, train_fields
from nodeloom.engine import Settings, make_plan
from nodeloom.engine.modes import allocate, loop_of
from nodeloom.engine.training import train
from nodeloom.errors import TrainingInterrupted
from nodeloom.schedule import BlocksSchedule, Position, Train
from nodeloom.transport.alone import ALONE


def one_training(graph, settings, transport=ALONE, **options):
    return train(graph, make_plan(graph, settings, transport), settings, transport=transport, **options)


def with_grid(plan, grid, **changes):
    """Return a plan with changes of its grid and of its mode."""
    return dataclasses.replace(
        plan, mode=dataclasses.replace(plan.mode, grid=dataclasses.replace(plan.grid, **grid), **changes)
    )


def run_of(monkeypatch, graph, num_worker, settings, *, grid=None, **changes):
    """Run the engine of every worker; return what each had in the end, and (round, worker, block, pairs) of every training.

    Parameters
    ----------
    grid : dict, optional
        Changes of the grid of the plan; `changes` are those of its mode.
    """
    trained = []

    def work(transport):
        plan = with_grid(make_plan(graph, settings, transport), grid or {}, **changes)
        store = allocate(plan, plan.stages[0], graph, transport)
        store.initialize()
        engine, position = loop_of(graph, plan, plan.stages[0], store, transport), Position()
        rounds, now = iter(range(10**9)), []
        run, land = engine.device.run, engine.device.land

        def run_one(operation, lr):
            known = run(operation, lr)
            if isinstance(operation, Train):
                now[:] = operation.block, known
            return known

        def land_one():
            landed = land()
            block, known = now
            trained.append((next(rounds), transport.rank, block, known + landed.pairs))
            return landed

        engine.device.run, engine.device.land = run_one, land_one
        for _ in engine.run(position):
            pass
        return SimpleNamespace(plan=plan, store=store, position=position, engine=engine, blocks=engine.device)

    return together(num_worker, work), trained


def pairs_by_block(trained):
    """Return the pairs of each block, of what :func:`run_of` found."""
    found = Counter()
    for _, _, block, pairs in trained:
        found[block] += pairs
    return found


def pairs_of_one_process(graph, settings, **grid):
    """Return the pairs of each block that one process on the CPU trains, whose walks are the same, and its position in the end."""
    plan = make_plan(graph, settings)
    plan = with_grid(plan, grid)
    store = allocate(plan, plan.stages[0], graph)
    store.initialize()
    engine, position = loop_of(graph, plan, plan.stages[0], store), Position()
    assert isinstance(engine.schedule, BlocksSchedule)
    found, run = Counter(), engine.device.run

    def run_one(operation, lr):
        pairs = run(operation, lr)
        if isinstance(operation, Train):
            found[operation.block] += pairs
        return pairs

    engine.device.run = run_one
    for _ in engine.run(position):
        pass
    return found, position


def check_rounds(stores, trained, num_worker, num_part):
    """Check that each block is trained once an episode, and no row in two places at a time; return the number of episodes."""
    episodes = len(trained) // (num_worker * num_part)
    assert episodes > 2
    assert Counter(block for _, _, block, _ in trained) == {
        (vertex, context): episodes for vertex in range(num_worker) for context in range(num_part)
    }
    for number in range(num_part * episodes):
        blocks_of_round = [block for at, _, block, _ in trained if at == number]
        assert len({block.vertex for block in blocks_of_round}) == len(blocks_of_round) == num_worker
        assert len({block.context for block in blocks_of_round}) == num_worker
    # Context parts are with one worker each.
    held = Counter(part for store in stores for part in store.storages()["context"]._parts)
    assert held == dict.fromkeys(range(num_part), 1)
    return episodes


class StopAt:
    """A callback that ends the training after so many pools."""

    def __init__(self, pool):
        self.pool, self.seen = pool, 0

    def on_pool_end(self, progress):
        self.seen += 1
        if self.seen == self.pool:
            raise TrainingInterrupted("enough")


def stopped_and_resumed(monkeypatch, graph, file, before, after, settings, alone):
    """Stop a training of some workers and go on with others from the file; one process trains with the settings `alone`."""

    def begin(transport):
        # The callback of one worker stops them all.
        callbacks = (StopAt(5),) if transport.rank == before - 1 else ()
        with pytest.raises(TrainingInterrupted):
            one_training(
                graph, alone if before == 1 else settings, callbacks=callbacks, checkpoint=file, transport=transport
            )

    def go_on(transport):
        return one_training(graph, alone if after == 1 else settings, resume=file, transport=transport)

    begin(ALONE) if before == 1 else together(before, begin)
    assert file.exists()
    return go_on(ALONE) if after == 1 else together(after, go_on)[0]


def whole_and_in_two(monkeypatch, graph, file, settings, stop):
    """Return what two workers come to at once, and with a stop after so many pools and a checkpoint."""

    def begin(transport):
        with pytest.raises(TrainingInterrupted):
            one_training(graph, settings, callbacks=(StopAt(stop),), checkpoint=file, transport=transport)

    whole = together(2, lambda transport: one_training(graph, settings, transport=transport))[0]
    together(2, begin)
    return whole, together(2, lambda transport: one_training(graph, settings, resume=file, transport=transport))[0]


def settings_of(*, optimizer="SGD", **values):
    values = {"dim": 32, "num_epoch": 100, "device": "cpu", "num_thread": 1, **values}
    optimizer = {"type": optimizer, **{key: values.pop(key) for key in ("lr",) if key in values}}
    sections = [
        {key: value for key, value in values.items() if key in known}
        for known in (train_fields(), BuildConfig.model_fields, ResourceConfig.model_fields)
    ]
    return Settings(
        train=train_config(**sections[0]),
        build=BuildConfig(**sections[1], optimizer=OptimizerConfig(**optimizer)),
        resource=ResourceConfig(**sections[2]),
    )


def accuracy(vectors, community):
    half = np.random.default_rng(0).permutation(len(community))
    learned, judged = half[: len(half) // 2], half[len(half) // 2 :]
    model = LogisticRegression(max_iter=300).fit(vectors[learned], community[learned])
    return 100 * model.score(vectors[judged], community[judged])
