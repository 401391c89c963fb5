"""Several workers: processes on one or several hosts that train one model together, over torch.distributed."""

from __future__ import annotations

from nodeloom.engine.workers.group import Pending, Workers, join, launched, leave

__all__ = ["Pending", "Workers", "join", "launched", "leave"]
