"""What all commands share: how much to say, where to say it, and what to return as JSON."""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import json
import logging
import math
import os
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodeloom.errors import NodeloomError, TrainingInterrupted
from nodeloom.log import logger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, RenderableType

FILE_WIDTH = 120  # of text that goes to a file or a pipe, which have no width of their own
LEVELS = {"quiet": logging.ERROR, "normal": logging.WARNING, "verbose": logging.INFO}


def _is_helper() -> bool:
    """Tell whether this is a worker that torchrun has started, and not the first."""
    return "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("RANK", "0") != "0"


@dataclasses.dataclass
class Session:
    """One call of the program.

    Results go to the standard output, as text or (with `json`) as one JSON object at the end; everything else (log,
    plan while training, progress) goes to the standard error.

    Attributes
    ----------
    quiet, json, verbose : bool
        The options of the same names.
    result : dict
        What is printed at the end with ``--json``.
    resume_hint : str
        Command that goes on with an interrupted training.
    interrupted : TrainingInterrupted or None
        What stopped a training: typer knows Ctrl-C only.
    silent : bool
        Another process says everything: true in all workers but the first.
    led : bool
        Another process of nodeloom has started this worker, and says what has become of all.
    """

    quiet: bool = False
    json: bool = False
    verbose: bool = False
    result: dict[str, Any] = dataclasses.field(default_factory=dict)
    resume_hint: str = ""
    interrupted: TrainingInterrupted | None = None
    silent: bool = dataclasses.field(default_factory=_is_helper)
    led: bool = dataclasses.field(default_factory=lambda: os.environ.get("NODELOOM_WORKERS", "") != "")
    _stack: contextlib.ExitStack = dataclasses.field(default_factory=contextlib.ExitStack)

    @cached_property
    def out(self) -> Console:
        """The console on the standard output, for results."""
        from nodeloom.cli.console import console

        result = console(sys.stdout, quiet=self.silent)
        if not result.is_terminal and "COLUMNS" not in os.environ:
            result.width = FILE_WIDTH
        return result

    @cached_property
    def err(self) -> Console:
        """The console on the standard error, for everything that is no result."""
        from nodeloom.cli.console import console

        return console(sys.stderr, quiet=self.silent)

    @property
    def talks(self) -> bool:
        """Whether text for people is wanted on the standard output."""
        return not (self.quiet or self.json or self.silent)

    def show(self, *what: RenderableType) -> None:
        """Print text for people, unless the session is quiet or speaks JSON."""
        if self.talks:
            for item in what:
                self.out.print(item, soft_wrap=isinstance(item, str))

    def tell(self, message: str) -> None:
        """Print a note that nobody should miss, even when quiet: what can no longer be undone."""
        self.err.print(f"note: {message}", markup=False, soft_wrap=True)

    def answer(self, *what: RenderableType, **data: Any) -> None:
        """Give the result that was asked for: text even when quiet, or data for the JSON object."""
        self.result.update(data)
        if not self.json:
            for item in what:
                self.out.print(item, soft_wrap=isinstance(item, str))

    def enter(self, *, quiet: bool, json: bool, verbose: bool) -> None:
        """Take over the options of a command and set up logging."""
        self.quiet, self.json, self.verbose = self.quiet or quiet, self.json or json, self.verbose or verbose
        logger.setLevel(LEVELS["quiet" if self.quiet else "verbose" if self.verbose else "normal"])

    def finish(self) -> None:
        """Print the JSON object if one is wanted."""
        if self.json and not self.silent:
            sys.stdout.write(json.dumps(jsonable(self.result), indent=2, allow_nan=False) + "\n")
            sys.stdout.flush()

    def keep(self, manager: contextlib.AbstractContextManager[Any]) -> Any:
        """Enter a context that is left when the session is closed, however that happens."""
        return self._stack.enter_context(manager)

    def close(self) -> None:
        """Leave all contexts: a progress bar ends before an error is printed below it."""
        self._stack.close()


class WorkersEnded(NodeloomError):  # noqa: N818  an event more than an error
    """Workers that this process started have ended otherwise than well. They have said why, if the message is empty.

    Parameters
    ----------
    message : str
        What there is to say.
    code : int
        The exit code of this process.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def jsonable(value: Any) -> Any:
    """Return `value` as JSON types: NumPy numbers become numbers, paths text, NaN and infinity null."""
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if hasattr(value, "tolist"):
        return jsonable(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    return value


_active: contextvars.ContextVar[Session] = contextvars.ContextVar("session")


def active() -> Session:
    """Return the session of the running command."""
    return _active.get()


@contextlib.contextmanager
def activate(session: Session) -> Iterator[Session]:
    """Make `session` the one that commands see, with the log of nodeloom on its standard error."""
    token = _active.set(session)
    handler = _LogHandler(session)
    level = logger.level
    logger.addHandler(handler)
    try:
        yield session
    finally:
        session.close()
        logger.removeHandler(handler)
        logger.setLevel(level)
        _active.reset(token)


class _LogHandler(logging.Handler):
    """Prints through the console, so that a progress bar stays below the lines."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session

    def emit(self, record: logging.LogRecord) -> None:
        name = "note" if record.levelno <= logging.WARNING else record.levelname.lower()
        self.session.err.print(f"{name}: {record.getMessage()}", markup=False, soft_wrap=True)
