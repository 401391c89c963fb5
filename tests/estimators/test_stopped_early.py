"""A training that is stopped keeps what it learned, says so, and callbacks that could not work are refused before it."""

from __future__ import annotations

import functools
import signal

import numpy as np
import pytest

from nodeloom import LINE, DeepWalk, ProNE, Propagation, load
from nodeloom.cli.entry import run
from nodeloom.errors import ParameterError, TrainingInterrupted


class After:
    """Does something after some pools."""

    def __init__(self, action, pools=3):
        self.action, self.pools, self.ended = action, pools, False

    def on_pool_end(self, progress):
        self.pools -= 1
        return self.action() if self.pools == 0 else None

    def on_train_end(self, report):
        self.ended = True


def failing(error):
    def fail():
        raise error

    return fail


@pytest.fixture(autouse=True)
def small_pools(monkeypatch):
    monkeypatch.setattr("nodeloom.plan.planner.TILES_PER_POOL", 2)


@pytest.mark.parametrize(
    ("action", "error"),
    [
        (lambda: signal.raise_signal(signal.SIGINT), TrainingInterrupted),
        (lambda: signal.raise_signal(signal.SIGTERM), TrainingInterrupted),
        (failing(TrainingInterrupted("enough")), TrainingInterrupted),
        (failing(KeyboardInterrupt()), KeyboardInterrupt),
        (failing(ZeroDivisionError()), ZeroDivisionError),
    ],
)
def test_interrupted(graph, tmp_path, action, error):
    model, after = DeepWalk(dim=8, num_epoch=100, deterministic=True), After(action)
    with pytest.raises(error) as raised:
        model.fit(graph, callbacks=[after])
    assert isinstance(raised.value, KeyboardInterrupt | ZeroDivisionError)
    assert raised.value.__notes__ == ["The model keeps the vectors learned so far: partial_ is True."]
    assert not after.ended
    assert model.partial_ is True
    assert 0 < model.num_epoch_ < 100
    assert model.report_["num_pair"] == pytest.approx(model.num_epoch_ * graph.num_edges)
    assert np.isfinite(model.vectors_).all() and model.context_vectors_.any()
    assert len(model.nearest("n7", 3)) == 3
    again = load(model.save(tmp_path / "m"))
    assert (again.partial_, again.num_epoch_) == (True, model.num_epoch_)
    assert (again.vectors_ == model.vectors_).all()


def test_a_second_interrupt_ends_at_once(graph):
    def twice():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    model = DeepWalk(dim=8, num_epoch=100)
    with pytest.raises(KeyboardInterrupt) as raised:
        model.fit(graph, callbacks=[After(twice)])
    assert not isinstance(raised.value, TrainingInterrupted)
    assert not hasattr(model, "vectors_")


def test_a_callback_ends_it_in_good_order(graph, tmp_path):
    for answer in (True, np.True_):
        after = After(lambda answer=answer: answer)
        model = DeepWalk(dim=8, num_epoch=100).fit(graph, callbacks=[after], checkpoint=tmp_path / "c.safetensors")
        assert after.ended
        assert model.partial_ and 0 < model.num_epoch_ < 100
    checkpoint = load(tmp_path / "c.safetensors")
    assert checkpoint.partial_
    assert checkpoint.num_epoch_ == pytest.approx(model.num_epoch_)
    resumed = model.fit(graph, resume=tmp_path / "c.safetensors")
    assert (resumed.partial_, resumed.num_epoch_) == (False, 100)
    for answer in (None, 1, "yes", [1], False):  # only True means it
        model.fit(graph, callbacks=[After(lambda answer=answer: answer)])
        assert (model.partial_, model.num_epoch_) == (False, 100)


def test_in_the_first_of_two_parts(graph):
    model = LINE(dim=8, order="both", num_epoch=100).fit(graph, callbacks=[After(lambda: True)])
    assert model.partial_ and 0 < model.num_epoch_ < 50
    assert model.vectors_[:, :4].any() and not model.vectors_[:, 4:].any()


@pytest.mark.parametrize("num_scale", [1, 2])
def test_propagation(graph, num_scale):
    whole = Propagation(dim=8, num_iteration=3).fit(graph)
    assert whole.partial_ is False
    model = Propagation(dim=8, num_iteration=30, num_scale=num_scale, degree_exponent=0.0)
    with pytest.raises(TrainingInterrupted, match="stopped after step 3 of 30"):
        model.fit(graph, callbacks=[After(lambda: signal.raise_signal(signal.SIGINT))])
    assert model.partial_ and model.report_["num_step"] == 3
    assert np.isfinite(model.vectors_).all() and model.vectors_.any(axis=1).all()
    stopped = model.fit(graph, callbacks=[After(lambda: True)])
    assert stopped.partial_ and (stopped.vectors_.shape == whole.vectors_.shape)


def test_prone_has_nothing_before_its_end(graph):
    for action in (lambda: True, lambda: signal.raise_signal(signal.SIGINT)):
        model = ProNE(dim=8)
        with pytest.raises(TrainingInterrupted):
            model.fit(graph, callbacks=[After(action)])
        assert not hasattr(model, "vectors_")


def test_info_says_so(graph, tmp_path, capsys):
    model = DeepWalk(dim=8, num_epoch=100).fit(graph, callbacks=[After(lambda: True)])
    assert run(["info", str(model.save(tmp_path / "m"))]) == 0
    assert f"after {model.num_epoch_:.1f} of 100 epochs" in capsys.readouterr().out


# ------------------------------------------------------------------------------------- callbacks that cannot work


class Misspelt:
    def on_epoch_end(self, progress):
        pass


class Other:
    def on_pool_end(self, progress):
        pass

    def on_batch_begin(self):
        pass


class Camel:
    def onPoolEnd(self, progress):  # noqa: N802  the mistake
        pass


class TooMany:
    def on_pool_end(self, epoch, loss):
        pass


class Later:
    async def on_pool_end(self, progress):
        pass


def function(progress):
    pass


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        ([Misspelt()], r"callbacks\[0\]: .* got 'Misspelt'. Did you mean on_pool_end, and not on_epoch_end\?"),
        ([After(None), Other()], r"callbacks\[1\]: expected methods among them only, got 'Other'. .*on_train_begin\(plan\)"),
        ([Camel()], "Did you mean on_pool_end, and not onPoolEnd"),
        ([TooMany()], r"expected the method on_pool_end\(self, progress\), got on_pool_end\(epoch, loss\)"),
        ([After], r"expected an object, got the class After\. Make one: After\(\)"),
        ([function], "expected an object with such a method, got the function function"),
        ([functools.partial(function)], "got 'partial'"),
        ([Later()], "expected a plain method on_pool_end, got one with async or yield"),
        ([None], "got 'NoneType'"),
        (["on_pool_end"], "got 'str'"),
        (After(None), "callbacks: expected a list of objects, got 'After'"),
        (function, "callbacks: expected a list of objects, got the function function"),
        (5, "callbacks: expected a list of objects, got 'int'"),
    ],
)  # fmt: skip
def test_callbacks_that_cannot_work(graph, callbacks, message):
    for model in (DeepWalk(dim=8), Propagation(dim=8)):
        with pytest.raises(ParameterError, match=message) as raised:
            model.fit(graph, callbacks=callbacks)
        assert isinstance(raised.value, TypeError)
        assert not hasattr(model, "vectors_")


def test_callbacks_that_can(graph):
    class Quiet:
        on_air = False  # no method

        def on_train_begin(self, plan, extra=None):
            pass

        def helper(self):
            pass

    for callbacks in (None, (), [], iter([Quiet()]), [Quiet(), After(None, pools=-1)]):
        assert len(DeepWalk(dim=8, num_epoch=1).fit(graph, callbacks=callbacks)) == 300
