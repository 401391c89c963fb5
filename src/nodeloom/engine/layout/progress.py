"""What callbacks are told about a layout."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

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


@dataclasses.dataclass(frozen=True)
class LayoutReport:
    """What the work came to.

    Attributes
    ----------
    seconds : float
        Time spent on the layout alone.
    num_step : int
        Steps made.
    loss : float
        The last one, see :class:`LayoutProgress`.
    peak_memory : int
        Largest resident size of this process so far, in bytes.
    num_thread : int
        Threads.
    device : str
        Where it was computed.
    peak_device_memory : int
        Most bytes in use on the GPU so far; 0 on the CPU.
    """

    seconds: float
    num_step: int
    loss: float
    peak_memory: int
    num_thread: int
    device: str = "cpu"
    peak_device_memory: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return all as JSON types."""
        return dataclasses.asdict(self)
