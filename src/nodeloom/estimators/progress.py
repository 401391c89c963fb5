"""Progress of ``fit`` for people: one bar in a terminal, one line that moves in a notebook, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import html
import multiprocessing
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nodeloom.errors import ConfigError, describe
from nodeloom.units import duration, rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console
    from rich.progress import Progress as Bar

    from nodeloom.typing import Auto

SECONDS_BEFORE = 1.0
"""What takes less than about twice this shows nothing, unless it is asked to."""

SECONDS_BETWEEN_LINES = 5.0

_only_one = threading.Lock()  # two bars in one terminal would draw over each other


def checked_verbose(where: str, verbose: object) -> bool | Auto:
    """Return `verbose` as True, False or "auto".

    Raises
    ------
    ConfigError
        If it is something else.
    """
    if isinstance(verbose, str) and verbose == "auto":
        return "auto"
    if isinstance(verbose, np.bool_) or (isinstance(verbose, int) and verbose in (0, 1)):
        return bool(verbose)
    raise ConfigError(describe(f"{where}.verbose", expected="True, False or 'auto'", got=verbose))


@contextlib.contextmanager
def shown_progress(title: str, verbose: bool | Auto) -> Iterator[tuple[FitProgress, ...]]:
    """Give the callback that shows how far a training is, if it is to be shown, and end the bar however training ends.

    Parameters
    ----------
    title : str
        What is trained.
    verbose : bool or "auto"
        auto: in a terminal or a notebook, if it takes longer than a second or two. There is one bar at a time.
    """
    surface = surface_of(verbose)
    if surface is None or not _only_one.acquire(blocking=False):
        yield ()
        return
    progress = FitProgress(title, surface, 0.0 if verbose is True else SECONDS_BEFORE)
    try:
        yield (progress,)
    finally:
        progress.close()
        _only_one.release()


def surface_of(verbose: bool | Auto) -> Callable[[str], Surface] | None:
    """Return what to show progress on here, or None for nothing."""
    from nodeloom.transport.torchrun import worker_rank

    if verbose is False or worker_rank().rank > 0:
        return None
    if verbose == "auto" and multiprocessing.parent_process() is not None:
        return None
    if _in_notebook():
        return NotebookLine
    with contextlib.suppress(AttributeError, ValueError):  # there is none, or it is closed
        if sys.stderr.isatty():
            return TerminalBar
    return None if verbose == "auto" else Lines


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return getattr(ipython.get_ipython(), "kernel", None) is not None if ipython is not None else False


class FitProgress:
    """The callback: waits a moment, then shows where training is.

    Parameters
    ----------
    title : str
        What is trained.
    surface : callable
        Makes what it is shown on.
    delay : float
        Seconds to wait.
    """

    def __init__(self, title: str, surface: Callable[[str], Surface], delay: float) -> None:
        self._title, self._make, self._delay = title, surface, delay
        self._surface: Surface | None = None
        self._broken = False
        self._begin = 0.0
        self._lock = threading.Lock()
        self._timer = threading.Timer(delay, self._show, (0.0, "starting"))
        self._timer.daemon = True

    def on_train_begin(self, plan: Any) -> None:
        """Show that work is being done before the first pool ends: kernels are compiled, tables filled."""
        self._begin = time.monotonic()
        self._timer.start()

    def on_pool_end(self, progress: Any) -> None:
        """Show where it is, if it is worth it."""
        late = time.monotonic() - self._begin >= self._delay and progress.seconds_left >= self._delay
        if late or self._surface is not None:
            self._show(done_of(progress), state_of(progress))
        else:
            self._timer.cancel()

    def on_train_end(self, report: Any) -> None:
        """Leave a line that says what it came to."""
        if self._surface is not None:
            self._show(1.0, summary_of(report), last=True)

    def close(self) -> None:
        """End the display."""
        self._timer.cancel()
        with self._lock:
            surface, self._surface, self._broken = self._surface, None, True
        if surface is not None:
            with contextlib.suppress(OSError, ValueError):
                surface.close()
        if self._timer.is_alive():
            self._timer.join()

    def _show(self, done: float, state: str, *, last: bool = False) -> None:
        with self._lock:
            if self._broken:
                return
            try:
                if self._surface is None:
                    self._surface = self._make(self._title)
                self._surface.update(done, state, last)
            except (OSError, ValueError):  # nobody listens any more: no reason to end a training
                self._broken = True


class Surface(Protocol):
    """What progress is shown on."""

    def update(self, done: float, state: str, last: bool) -> None:
        """Show which share is done, and the state in words."""

    def close(self) -> None:
        """End it."""


class TerminalBar:
    """A bar on the standard error, redrawn in place. What callbacks print goes above it."""

    def __init__(self, title: str) -> None:
        from rich.console import Console

        self.bar = bar_on(Console(stderr=True, highlight=False), title)
        self.bar.start()
        self.task = self.bar.add_task("training", total=1.0, state="")

    def update(self, done: float, state: str, last: bool) -> None:
        """Move it."""
        self.bar.update(self.task, completed=done, state=state)

    def close(self) -> None:
        """Leave it as it is."""
        self.bar.stop()


class NotebookLine:
    """A bar and a line in the output of a cell, replaced in place."""

    def __init__(self, title: str) -> None:
        from IPython.display import display  # type: ignore[import-not-found, unused-ignore]

        self.title, self.done, self.state = title, 0.0, ""
        self.shown, self.last = time.monotonic(), ""
        self.handle = display(self, display_id=True)

    def update(self, done: float, state: str, last: bool) -> None:
        """Replace it, a few times a second."""
        self.done, self.state = done, state
        if last or time.monotonic() - self.shown >= 0.2:
            self.close()

    def close(self) -> None:
        """Show the last state."""
        self.shown = time.monotonic()
        if self.state != self.last:
            self.last = self.state
            self.handle.update(self)

    def __repr__(self) -> str:
        return f"{self.title}: {self.done:.0%}  {self.state}"

    def _repr_html_(self) -> str:
        title, state = html.escape(self.title), html.escape(self.state)
        return (
            f"<div>{title} <progress value='{self.done:.4f}' max='1'></progress> {self.done:.0%} &nbsp; {state}</div>"
        )


class Lines:
    """A line on the standard error every few seconds, and one at the end."""

    def __init__(self, title: str) -> None:
        self.title, self.last = title, time.monotonic()

    def update(self, done: float, state: str, last: bool) -> None:
        """Write a line if it is time for one."""
        if last or time.monotonic() - self.last >= SECONDS_BETWEEN_LINES:
            self.last = time.monotonic()
            if sys.stderr is not None:
                sys.stderr.write(f"{self.title}: {state}\n")
                sys.stderr.flush()

    def close(self) -> None:
        """Do nothing: lines stay."""


def bar_on(console: Console, title: str = "", *, transient: bool = False) -> Bar:
    """Return a bar with room for the state of a training, not started yet; its task has a field ``state``.

    Parameters
    ----------
    console : Console
        Where to draw it.
    title : str
        What stands before it.
    transient : bool
        Whether nothing is left of it at the end.
    """
    from rich.progress import BarColumn, Progress, ProgressColumn, TaskProgressColumn, TextColumn
    from rich.text import Text

    named = [TextColumn(title)] if title else []
    bar = max(5, min(40, console.width - 68 - len(title)))
    room = console.width - bar - len(title) - 10  # the share, blanks, and the ^C of a terminal

    class State(ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text(fitted(task.fields["state"], room), no_wrap=True, overflow="ellipsis")

    return Progress(
        *named,
        BarColumn(bar_width=bar),
        TaskProgressColumn(),
        State(),
        console=console,
        transient=transient,
    )


def fitted(state: str, room: int) -> str:
    """Return as much of what :func:`state_of` says as there is room for: the time left first, then the epoch, the rate, the loss."""
    parts = state.split("  ")
    for dropped in ("loss", "/s", "epoch"):
        if len("  ".join(parts)) > room:
            parts = [part for part in parts if dropped not in part] or parts
    return "  ".join(parts)


def done_of(progress: Any) -> float:
    """Return the share of a training that is done."""
    steps = getattr(progress, "num_step", 0)
    return progress.step / steps if steps else progress.num_pair / max(progress.total_pair, 1)


def state_of(progress: Any) -> str:
    """Say where training is: epoch, rate, loss and time left; of a model that is computed: step and time left."""
    if hasattr(progress, "num_step"):
        return f"step {progress.step}/{progress.num_step}  {duration(progress.seconds_left)} left"
    loss = f"  loss {progress.loss:.4f}" if progress.loss is not None and progress.loss == progress.loss else ""
    left = f"  {duration(progress.seconds_left)} left" if progress.seconds_left is not None else ""
    digits = 0 if progress.num_epoch >= 100 else 1
    return (
        f"epoch {progress.epoch:,.{digits}f}/{progress.num_epoch:,}  {rate(progress.rate, progress.unit)}{loss}{left}"
    )


def summary_of(report: Any) -> str:
    """Say what a training came to."""
    if hasattr(report, "num_step"):
        return f"{report.num_step} steps in {duration(report.seconds)}"
    speed = rate(report.rate, report.unit)
    return f"{report.num_pair:,} {report.unit} in {duration(report.seconds)}  {speed}  loss {report.loss:.4f}"
