"""Engines: from a graph and settings to trained tables.

:mod:`~nodeloom.engine.planning` turns every "auto" into a number before anything runs; :mod:`~nodeloom.engine.tables` owns the tables;
:mod:`~nodeloom.engine.loop` has a device carry out a schedule; :mod:`~nodeloom.engine.training` runs the parts of a model one after the
other, with callbacks, checkpoints and orderly interruption.
"""

from nodeloom.engine.planning import make_plan
from nodeloom.engine.progress import Callback, Progress, Report
from nodeloom.engine.training import TrainedTables, train
from nodeloom.plan import Plan, Settings

__all__ = ["Callback", "Plan", "Progress", "Report", "Settings", "TrainedTables", "make_plan", "train"]
