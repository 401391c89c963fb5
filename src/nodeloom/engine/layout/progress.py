"""What callbacks are told about a layout."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from nodeloom.engine.progress import Outcome
from nodeloom.typing import FloatArray


@dataclasses.dataclass(frozen=True)
class LayoutProgress:
    """Where the work is, after some steps.

    Attributes
    ----------
    step, num_step : int
        Steps done, and to do.
    loss : float
        What is minimised: the exaggerated cross entropy of affinities and map; smaller is better at the same exaggeration.
    exaggeration : float
        What attraction was multiplied by in the last step.
    seconds, seconds_left : float
        Time spent, and what is left at this rate.
    snapshot : callable
        Returns a copy of the coordinates as they are now, float32 [N, dim].
    """

    step: int
    num_step: int
    loss: float
    exaggeration: float
    seconds: float
    seconds_left: float
    snapshot: Callable[[], FloatArray] = dataclasses.field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as JSON types."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "snapshot"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayoutReport(Outcome):
    """What the work came to; further attributes are those of :class:`nodeloom.engine.progress.Outcome`.

    Attributes
    ----------
    num_step : int
        Steps made.
    loss : float
        The last one, see :class:`LayoutProgress`.
    """

    num_step: int
    loss: float
