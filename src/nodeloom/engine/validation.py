"""Checks of a model while it is trained: the best state is kept, and a training that gets no better ends."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nodeloom.errors import ConfigError, ModelError, TrainingError, describe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nodeloom.engine.tables import Tables
    from nodeloom.typing import FloatArray

PREFIX = "best_"
"""What the tables of the best state begin with in a checkpoint."""


class _State(BaseModel):
    """What a checkpoint tells of the checks before it."""

    model_config = ConfigDict(strict=True)

    fingerprint: str
    history: list[dict[str, float]]
    best: Annotated[int, Field(ge=-1)]


@dataclass
class Validation:
    """Checks of a training, each a number of metrics of its tables.

    Attributes
    ----------
    judge : callable
        From the tables by name to metrics by name.
    metric : str
        The one that decides.
    ascending : bool
        Whether a larger one is better.
    interval : int
        Epochs between two checks; the last is at the end of the training.
    patience : int
        Checks in a row without a better metric, after which the training ends; 0 never ends it.
    fingerprint : str
        Of what is judged by.
    history : list of dict
        The epoch, the seconds of training and the metrics of each check.
    best : int
        The best of them; -1 before any.
    tables : dict of str to float32 [rows, dim]
        The tables as they were then.
    """

    judge: Callable[[dict[str, FloatArray]], dict[str, float]]
    metric: str
    ascending: bool
    interval: int
    patience: int
    fingerprint: str
    history: list[dict[str, float]] = field(default_factory=list)
    best: int = -1
    tables: dict[str, FloatArray] = field(default_factory=dict)

    def due(self, epoch: float, *, finished: bool) -> bool:
        """Tell whether it is time for a check."""
        last = self.history[-1]["epoch"] if self.history else 0.0
        return (finished and epoch > last) or epoch + 1e-9 >= (
            math.floor(last / self.interval + 1e-9) + 1
        ) * self.interval

    def check(self, epoch: float, seconds: float, store: Tables) -> bool:
        """Judge the tables, and keep them if none were better; return whether patience has run out.

        Raises
        ------
        TrainingError
            If there is no such metric.
        """
        tables = {name: table for name in store.specs if (table := store.read(name)) is not None}
        metrics = {name: float(value) for name, value in self.judge(tables).items()}
        if self.metric not in metrics:
            raise TrainingError(describe("validation_metric", expected=" or ".join(metrics), got=self.metric))
        self.history.append({"epoch": epoch, "seconds": seconds, **metrics})
        if self.best < 0 or self._is_better(metrics[self.metric], self.history[self.best][self.metric]):
            self.best = len(self.history) - 1
            for name, table in tables.items():
                kept = self.tables.setdefault(name, np.empty_like(table))
                kept[:] = table
        return 0 < self.patience <= len(self.history) - 1 - self.best

    def _is_better(self, value: float, than: float) -> bool:
        return (value > than) if self.ascending else (value < than)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint tells of the checks, as JSON types."""
        return {"fingerprint": self.fingerprint, "history": self.history, "best": self.best}

    def restore(self, path: str | Path, state: object, tables: dict[str, FloatArray]) -> None:
        """Go on from the checks of a checkpoint.

        Raises
        ------
        ConfigError
            If its checks were on other triples.
        ModelError
            If the file is damaged.
        """
        try:
            found = _State.model_validate(state)
        except ValidationError as error:
            hint = "The checkpoint is damaged."
            raise ModelError(describe(f"{path}: state.validation", expected="checks", got=state, hint=hint)) from error
        if found.fingerprint != self.fingerprint:
            raise other_validation(path, "of other triples")
        if found.best >= len(found.history) or (found.best >= 0) != bool(tables):
            hint = "The checkpoint is damaged."
            raise ModelError(describe(f"{path}: state.validation", expected="a best check", got=found.best, hint=hint))
        self.history, self.best = found.history, found.best
        self.tables = {name: np.array(table) for name, table in tables.items()}


def other_validation(path: str | Path, got: str) -> ConfigError:
    """Return the error that says that a checkpoint cannot go on with other checks."""
    hint = "Resume with the validation triples of the checkpoint; to train with others, give it as init."
    return ConfigError(
        describe(path, expected="the checks on validation triples of the checkpoint", got=got, hint=hint)
    )
