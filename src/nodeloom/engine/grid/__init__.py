"""The grid engine: tables in host memory or in files, in parts, of which a device has two or a few at a time."""

from nodeloom.engine.grid.engine import GridEngine
from nodeloom.engine.grid.storage import grid_tables

__all__ = ["GridEngine", "grid_tables"]
