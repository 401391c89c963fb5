"""Several workers: processes on one or several hosts that train one model together, over torch.distributed."""

from __future__ import annotations

from nodeloom.engine.workers.engine import WorkerEngine
from nodeloom.engine.workers.group import Pending, Workers, join, launched, leave
from nodeloom.engine.workers.parts import shared_tables
from nodeloom.engine.workers.placement import placement_of_workers

__all__ = ["Pending", "WorkerEngine", "Workers", "join", "launched", "leave", "placement_of_workers", "shared_tables"]
