"""How much memory there is; see :mod:`nodeloom.memory`."""

from nodeloom.memory import total_memory

__all__ = ["total_memory"]
