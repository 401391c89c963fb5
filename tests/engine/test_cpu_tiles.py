"""The engine: how many pairs, at which rate, in which threads."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from nodeloom import Graph
from nodeloom.engine import make_plan
from nodeloom.engine.modes import allocate, loop_of
from nodeloom.errors import GraphError
from nodeloom.kernels.cpu import skipgram
from nodeloom.sampling import NegativeSampler, WalkSampler
from nodeloom.schedule import Position


def loop_for(engine, graph, **values):
    plan = make_plan(graph, engine.settings(**values))
    store = allocate(plan, plan.stages[0], graph)
    store.initialize()
    return plan, store, loop_of(graph, plan, plan.stages[0], store)


@pytest.mark.parametrize("values", [{}, {"random_walk_length": 1, "augmentation_step": 1}, {"positive_reuse": 7}])
@pytest.mark.parametrize("epochs", [1, 10, 1000])
def test_pairs_meet_the_total_within_tiles(engine, graph, values, epochs):
    plan, _, loop = loop_for(engine, graph, num_epoch=epochs, **values)
    position, before = Position(), 0
    for seen in loop.run(position):
        assert seen is position
        assert position.num_pair > before
        before = position.num_pair
    assert position.num_pair >= loop.total_pair == epochs * graph.num_edges
    # The estimate of pairs in a tile is exact but for returning walks.
    assert position.num_pair < 1.02 * loop.total_pair + 2 * plan.pairs_per_tile * plan.positives.reuse
    assert position.num_tile * plan.pairs_per_tile * plan.positives.reuse >= position.num_pair
    assert position.seconds > 0


def test_dead_ends_are_made_up_for(engine):
    graph = Graph.from_edges([[i, 100 + i % 7] for i in range(100)], directed=True)
    _, _, loop = loop_for(engine, graph, num_epoch=50)
    position = Position()
    pools = sum(1 for _ in loop.run(position))
    assert 5000 <= position.num_pair < 5500  # every walk is one edge
    assert pools > 16  # the first estimate was 64 times too high


@pytest.mark.parametrize("schedule", ["linear", "constant", lambda done, total: 1.0 if done < total / 2 else 0.5])
def test_learning_rate_follows_the_schedule(engine, graph, schedule):
    _, _, loop = loop_for(engine, graph, lr=0.02, schedule=schedule, num_epoch=400)
    position, total = Position(), loop.total_pair
    rates = [(position.num_pair / total, position.lr) for _ in loop.run(position)]
    for done, lr in rates[:-1]:
        expected = {"linear": 1 - done, "constant": 1.0}.get(schedule) if isinstance(schedule, str) else None
        if expected is None:
            expected = 1.0 if done <= 0.5 else 0.5
        assert lr == pytest.approx(0.02 * expected, rel=0.1)
    if schedule == "linear":
        assert rates[-1][1] < 0.02 * 0.01


def test_loss_falls(engine, graph):
    _, _, loop = loop_for(engine, graph, num_epoch=1000)
    position = Position()
    losses = [position.loss for _ in loop.run(position)]
    # Zero context vectors score one half: (1 + 5) log 2 over 6.
    assert losses[0] < np.log(2) + 1e-6
    assert losses[-1] < 0.4 < 0.5 < losses[0]
    assert np.isfinite(losses).all()


@pytest.mark.parametrize("dim", [1, 20, 33])
def test_padding_stays_zero(engine, graph, dim):
    for optimizer in ("SGD", "Adam", "RMSprop", "AdaGrad", "Momentum"):
        _, store, loop = loop_for(engine, graph, dim=dim, optimizer=optimizer)
        for _ in loop.run(Position()):
            pass
        assert store.is_sound()
        for name in store.names():
            table = store.read(name)
            assert not table[:, dim:].any(), name
            assert table[:, :dim].any(), name


def recorded(engine, graph, monkeypatch, **values):
    """Train, and return all walks and all negatives in the order of their numbers."""
    walks, negatives = {}, {}
    lock = threading.Lock()

    def record(cls, seen):
        real = cls.sample

        def sample(self, first, out, **options):
            real(self, first, out, **options)
            with lock:
                for number, row in enumerate(out.copy(), first):
                    seen[number, options.get("reuse", 0)] = row

        monkeypatch.setattr(cls, "sample", sample)

    with monkeypatch.context() as monkeypatch:
        record(WalkSampler, walks)
        record(NegativeSampler, negatives)
        engine.train(graph, **values)
    return tuple(np.array([seen[key] for key in sorted(seen)]) for seen in (walks, negatives))


@pytest.mark.parametrize(
    "values", [{}, {"model": "node2vec", "p": 0.25, "q": 4}, {"random_walk_length": 7, "positive_reuse": 2}]
)
def test_walks_and_negatives_do_not_depend_on_threads(engine, graph, monkeypatch, values):
    expected = recorded(engine, graph, monkeypatch, num_thread=1, **values)
    assert len(expected[0]) > 100
    for num_thread in (2, 3, 5):
        found = recorded(engine, graph, monkeypatch, num_thread=num_thread, **values)
        assert (found[0] == expected[0]).all()
        assert (found[1] == expected[1]).all()


def test_every_tile_and_every_reuse_has_negatives_of_its_own(engine, graph, monkeypatch):
    values = {"random_walk_length": 127, "positive_reuse": 3, "num_epoch": 300}  # two chunks a tile
    _, negatives = recorded(engine, graph, monkeypatch, **values)
    plan = make_plan(graph, engine.settings(**values))
    assert plan.chunks == 2
    num_item = len(negatives) // 3
    assert num_item > 16 * plan.chunks  # several pools
    sampler = NegativeSampler.of(graph, exponent=0.75, seed=0)
    for reuse in range(3):
        expected = np.empty((num_item, plan.negatives.count), negatives.dtype)
        sampler.sample(0, expected, reuse=reuse)
        assert (negatives[reuse::3] == expected).all()


def test_threads_share_the_work(engine, graph, monkeypatch):
    names = set()
    barrier = threading.Barrier(3)
    real = skipgram.train_walks

    def train_walks(*arguments):
        # The call without walks only compiles the kernel.
        if len(arguments[6]) and threading.current_thread().name not in names:
            names.add(threading.current_thread().name)
            barrier.wait(20)  # all three are in here at once
        return real(*arguments)

    monkeypatch.setattr(skipgram, "train_walks", train_walks)
    engine.train(graph, num_thread=3, num_epoch=1000)
    assert names == {"nodeloom_0", "nodeloom_1", "nodeloom_2"}


@pytest.mark.parametrize("num_thread", [1, 3])
def test_errors_of_threads_reach_the_caller(engine, graph, monkeypatch, num_thread):
    calls = []

    def train_walks(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise ZeroDivisionError("in a thread")
        return 1000

    monkeypatch.setattr(skipgram, "train_walks", train_walks)
    with pytest.raises(ZeroDivisionError, match="in a thread"):
        engine.train(graph, num_thread=num_thread, num_epoch=1000)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("nodeloom")]


def test_walks_without_pairs_are_an_error_not_a_loop(engine, graph, monkeypatch):
    monkeypatch.setattr(skipgram, "train_walks", lambda *arguments: 0)
    with pytest.raises(GraphError, match="had not one pair of different nodes"):
        engine.train(graph)


def test_almost_only_loops(engine):
    # Walks stay on the loops nearly always; what pairs there are suffice in the end.
    graph = Graph.from_edges([[0, 0], [1, 1], [0, 1]], weights=[1000.0, 1000.0, 1.0])
    tables = engine.train(graph, num_epoch=20)
    assert tables.report.num_pair >= 60
    assert np.isfinite(tables.vertex).all()
