"""What callbacks are told about a spectral method."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class SpectralProgress:
    """Where the work is, after a step.

    Attributes
    ----------
    step, num_step : int
        Steps done, and at most to do.
    change : float or None
        How much the last step of propagation changed; None for ProNE.
    seconds, seconds_left : float
        Time spent, and what is left at most at this rate.
    """

    step: int
    num_step: int
    change: float | None
    seconds: float
    seconds_left: float


@dataclasses.dataclass(frozen=True)
class SpectralReport:
    """What the work came to.

    Attributes
    ----------
    seconds : float
        Time spent.
    num_step : int
        Steps made.
    change : float or None
        How much the last step of propagation changed; None for ProNE.
    converged : bool
        Whether propagation ended because it changed less than its tolerance.
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
    change: float | None
    converged: bool
    peak_memory: int
    num_thread: int
    device: str = "cpu"
    peak_device_memory: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return all as JSON types."""
        return dataclasses.asdict(self)
