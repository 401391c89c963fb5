"""``verbose``: one bar where somebody looks, nothing where nobody does; it changes nothing else."""

from __future__ import annotations

import contextlib
import io
import pickle
import re
import sys
import threading
import types

import numpy as np
import pytest
from sklearn.base import clone

from nodeloom import DeepWalk, ProNE, Propagation
from nodeloom.errors import ConfigError, TrainingInterrupted
from nodeloom.estimators import progress


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")


def on_screen():
    return contextlib.redirect_stderr(Screen())  # a fixture would come too early: pytest captures each phase anew


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BEFORE", 0.0)


def models(**parameters):
    return [DeepWalk(dim=8, num_epoch=20, **parameters), Propagation(dim=8, **parameters), ProNE(dim=8, **parameters)]


@pytest.mark.parametrize("index", range(3))
def test_a_bar_in_a_terminal(graph, at_once, index):
    with on_screen() as screen:
        models()[index].fit(graph)
    text = screen.getvalue()
    assert type(models()[index]).__name__ in text
    assert "100%" in text
    assert text.count("\n") == 1


def test_what_is_quick_shows_nothing(graph):
    with on_screen() as screen:
        for model in models():
            model.fit(graph)
    assert screen.getvalue() == ""


def test_nobody_looks(graph, capsys, at_once):
    for model in [*models(), *models(verbose=False)]:
        model.fit(graph)
    assert capsys.readouterr() == ("", "")


def test_false_is_silent_in_a_terminal(graph, at_once):
    with on_screen() as screen:
        for model in models(verbose=False):
            model.fit(graph)
    assert screen.getvalue() == ""


def test_true_is_a_line_where_there_is_no_terminal(graph, capsys):
    for model in models(verbose=True):
        model.fit(graph)
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(":")[0] for line in err.splitlines()] == ["DeepWalk", "Propagation", "ProNE"]


def test_a_line_in_a_notebook(graph, monkeypatch):
    shown, updates = [], []

    class Handle:
        def update(self, item):
            updates.append(repr(item))

    module = types.ModuleType("IPython")
    module.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    module.display = types.ModuleType("IPython.display")
    module.display.display = lambda item, display_id: shown.append(item) or Handle()
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setitem(sys.modules, "IPython.display", module.display)
    DeepWalk(dim=8, num_epoch=20).fit(graph)
    assert shown == []
    DeepWalk(dim=8, num_epoch=20, verbose=True).fit(graph)
    assert len(shown) == 1
    assert updates[-1].startswith("DeepWalk: 100%  ")
    assert "<progress value='1.0000'" in shown[0]._repr_html_()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_narrow_terminals(monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    with on_screen() as screen:
        bar = progress.TerminalBar("DeepWalk")
        bar.update(0.5, "epoch 1,000/2,000  17.9 M pairs/s  loss 0.3404  1:15 left", last=False)
        bar.close()
    text = re.split(r"\r\x1b\[2K|\n", re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue()))[-2]
    assert len(text) <= width
    assert "50% epoch 1,000/2,000 " in text and text.endswith("  1:15 left")
    assert ("loss" in text) == (width > 60)


def test_the_bar_ends_with_an_error(graph, at_once):
    class Stop:
        def on_pool_end(self, progress):
            raise TrainingInterrupted("enough")

    with on_screen() as screen:
        with pytest.raises(TrainingInterrupted):
            DeepWalk(dim=8, num_epoch=50).fit(graph, callbacks=[Stop()])
        assert sys.stderr is screen
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    assert screen.getvalue().count("\x1b[?25l") == screen.getvalue().count("\x1b[?25h")  # the cursor is back


def test_one_bar_of_many_threads(graph, at_once):
    threads = [threading.Thread(target=DeepWalk(dim=8, num_epoch=200).fit, args=(graph,)) for _ in range(3)]
    with on_screen() as screen:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert 1 <= screen.getvalue().count("\n") <= 3
    assert not progress._only_one.locked()


@pytest.mark.parametrize("stderr", [None, "closed"])
@pytest.mark.parametrize("verbose", [True, "auto"])
def test_without_a_standard_error(graph, stderr, verbose):
    closed = io.StringIO()
    closed.close()
    with contextlib.redirect_stderr(None if stderr is None else closed):
        assert len(DeepWalk(dim=8, num_epoch=2, verbose=verbose).fit(graph)) == 300


def test_it_is_a_parameter_like_others(graph):
    model = DeepWalk(dim=8, num_epoch=20, verbose=False, deterministic=True).fit(graph)
    assert clone(model).verbose is False
    assert pickle.loads(pickle.dumps(model)).verbose is False
    assert "verbose" not in repr(DeepWalk())
    other = DeepWalk(dim=8, num_epoch=20, verbose=np.True_, deterministic=True).fit(graph)
    assert (other.vectors_ == model.vectors_).all()
    for use in (DeepWalk(verbose="yes").fit, DeepWalk(verbose=2).plan, Propagation(verbose=None).fit):
        with pytest.raises(ConfigError, match="verbose: expected True, False or 'auto', got"):
            use(graph)
