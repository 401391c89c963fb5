"""Computations in steps that keep no checkpoint: callbacks are told after each, and it is where they can be stopped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from nodeloom.engine.progress import tell
from nodeloom.errors import TrainingInterrupted
from nodeloom.log import logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodeloom.interrupt import StopRequest


class Result(Protocol):
    """What a computation gives."""

    @property
    def report(self) -> Any:
        """What it came to."""


R = TypeVar("R", bound=Result)


class Steps:
    """The steps of one computation.

    Parameters
    ----------
    model : str
        Name of the model, for messages.
    callbacks : tuple
        Checked callbacks.
    advice : str
        What to do after an interruption; goes behind the step.

    Attributes
    ----------
    history : list of dict
        Progress after every step, as JSON types.
    is_partial : bool
        Whether it ends before its last step.
    ended : BaseException or None
        What is to be raised at the end: an interruption, or what a callback raised.
    """

    def __init__(self, model: str, callbacks: tuple[Any, ...], advice: str = "") -> None:
        self._model, self._callbacks, self._advice = model, callbacks, advice
        self._begin = time.perf_counter()
        self.history: list[dict[str, Any]] = []
        self.is_partial = False
        self.ended: BaseException | None = None

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self._begin

    def clock(self, step: int, num_step: int) -> tuple[float, float]:
        """Return the seconds spent, and those that are left at this rate."""
        seconds = self.seconds
        return seconds, seconds * max(0, num_step - step) / step

    def end_after(self, progress: object, record: dict[str, Any], step: int, num_step: int, stop: StopRequest) -> bool:
        """Tell the callbacks of a step, and keep `record` of it; return whether to end here."""
        self.history.append(record)
        try:
            self.is_partial = tell(self._callbacks, "on_pool_end", progress) and step < num_step
        except (Exception, KeyboardInterrupt) as error:
            is_interrupt = isinstance(error, KeyboardInterrupt) and not isinstance(error, TrainingInterrupted)
            if is_interrupt and stop.requested:  # the second Ctrl-C
                raise
            self.ended = error
        if stop.requested and step < num_step and self.ended is None:
            self.ended = TrainingInterrupted(f"{self._model} stopped after step {step} of {num_step}{self._advice}.")
        self.is_partial = self.is_partial or self.ended is not None
        return self.is_partial

    def mention(self, stop: StopRequest) -> None:
        """Say so if Ctrl-C came too late to end anything."""
        if stop.requested and self.ended is None:
            logger.warning("Ctrl-C came in the last step: %s is complete, and kept.", self._model)

    def given_back(self, result: R, keep: Callable[[R], object] | None) -> R:
        """Return the result, once callbacks are told of its end; where it ended by an error `keep` is given it, and the error is raised."""
        if self.ended is None:
            tell(self._callbacks, "on_train_end", result.report)
            return result
        if keep is not None:
            keep(result)
        try:
            raise self.ended
        finally:
            self.ended = None  # else it would keep this frame, and with it the memory of the device
