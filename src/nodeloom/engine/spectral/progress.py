"""What callbacks are told about a spectral method."""

from __future__ import annotations

import dataclasses

from nodeloom.engine.progress import Outcome


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpectralReport(Outcome):
    """What the work came to; further attributes are those of :class:`nodeloom.engine.progress.Outcome`.

    Attributes
    ----------
    num_step : int
        Steps made.
    change : float or None
        How much the last step of propagation changed; None for ProNE.
    converged : bool
        Whether propagation ended because it changed less than its tolerance.
    """

    num_step: int
    change: float | None
    converged: bool
