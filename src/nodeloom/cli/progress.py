"""Progress of training: a bar on a terminal, a line every few seconds elsewhere. Both are callbacks of ``fit``."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

from nodeloom.estimators.progress import SECONDS_BETWEEN_LINES, bar_on, done_of, state_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from nodeloom.cli.session import Session
    from nodeloom.io.corpus import CorpusReport


def callback(session: Session, pairs_between_lines: int | None = None) -> ProgressBar | ProgressLines | None:
    """Return the callback that fits the session: a bar, lines, or None when it is quiet.

    Parameters
    ----------
    session : Session
        Says whether and where to print.
    pairs_between_lines : int, optional
        Print a line every so many pairs instead of every few seconds.
    """
    if session.quiet or session.silent:
        return None
    if session.err.is_terminal:
        return ProgressBar(session)
    return ProgressLines(session, pairs_between_lines)


class ProgressBar:
    """A bar that is redrawn in place and leaves nothing behind."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.bar: Bar | None = None
        self.task: TaskID | None = None

    def on_train_begin(self, plan: Any) -> None:
        """Draw the empty bar."""
        self.bar = self.session.keep(bar_on(self.session.err, transient=True))
        self.task = self.bar.add_task("training", total=1.0, state="compiling")

    def on_pool_end(self, progress: Any) -> None:
        """Move the bar."""
        if self.bar is not None and self.task is not None:
            self.bar.update(self.task, completed=done_of(progress), state=state_of(progress))

    def on_train_end(self, report: Any) -> None:
        """Take the bar away: the summary follows."""
        self.session.close()


class ProgressLines:
    """A line of log now and then."""

    def __init__(
        self, session: Session, pairs_between_lines: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.session = session
        self.pairs = pairs_between_lines
        self.clock = clock
        self.last_time = clock()
        self.last_pair = 0

    def on_train_begin(self, plan: Any) -> None:
        """Count the time from here."""
        self.last_time = self.clock()

    def on_pool_end(self, progress: Any) -> None:
        """Print a line if it is time for one."""
        pairs = getattr(progress, "num_pair", self.last_pair)
        if self.pairs is not None and hasattr(progress, "num_pair"):
            due = pairs // self.pairs > self.last_pair // self.pairs
        else:
            due = self.clock() - self.last_time >= SECONDS_BETWEEN_LINES
        if due:
            self.last_time, self.last_pair = self.clock(), pairs
            self.session.err.print(f"training: {state_of(progress)}", markup=False, soft_wrap=True)

    def on_train_end(self, report: Any) -> None:
        """Do nothing: the summary follows."""


class DownloadProgress:
    """Tells how much of a data set has arrived."""

    def __init__(self, session: Session, clock: Callable[[], float] = time.monotonic) -> None:
        self.session = session
        self.clock = clock
        self.last = 0.0

    def __call__(self, name: str, received: int, total: int | None) -> None:
        """Print a line if the last one is some seconds ago, or if the file is complete."""
        from nodeloom.units import size

        now = self.clock()
        if self.session.quiet or (received != total and now - self.last < SECONDS_BETWEEN_LINES):
            return
        self.last = now
        whole = f" of {size(total)}" if total else ""
        self.session.err.print(f"fetching {name}: {size(received)}{whole}", markup=False, soft_wrap=True)


class CompileProgress:
    """Tells how far a graph is that is compiled in parts."""

    def __init__(self, session: Session, clock: Callable[[], float] = time.monotonic) -> None:
        self.session = session
        self.clock = clock
        self.last = clock()

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Print a line if the last one is some seconds ago."""
        now = self.clock()
        if self.session.quiet or now - self.last < SECONDS_BETWEEN_LINES:
            return
        self.last = now
        unit = "entries" if what == "building" else "edges"
        far = f"{done:,} {unit}" if total is None else f"{done / max(total, 1):.0%} of {total:,} {unit}"
        self.session.err.print(f"{what}: {far}", markup=False, soft_wrap=True)


class CorpusProgress:
    """Tells how much of a text is read, and at the end what was read."""

    def __init__(self, session: Session, clock: Callable[[], float] = time.monotonic) -> None:
        self.session = session
        self.clock = clock
        self.last = clock()
        self.report: CorpusReport | None = None

    def __call__(self, report: CorpusReport) -> None:
        """Print a line if the last one is some seconds ago."""
        self.report = report
        now = self.clock()
        if self.session.quiet or now - self.last < SECONDS_BETWEEN_LINES:
            return
        self.last = now
        far = f"{report.num_pair:,} pairs" if report.num_kept_word else f"{report.num_token:,} words"
        self.session.err.print(f"reading: {far}", markup=False, soft_wrap=True)

    def show(self) -> None:
        """Print what was read."""
        if self.report is not None:
            self.session.result["corpus"] = dataclasses.asdict(self.report)
            self.session.show(f"[bold]Text[/bold]  {self.report}")
