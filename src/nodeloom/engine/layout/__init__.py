"""Layouts: from affinities to a map in two or three dimensions."""

from nodeloom.engine.layout.affinities import Affinities, Held
from nodeloom.engine.layout.plan import LayoutPlan, Task, make_layout_plan
from nodeloom.engine.layout.run import LayoutResult, run_layout

__all__ = ["Affinities", "Held", "LayoutPlan", "LayoutResult", "Task", "make_layout_plan", "run_layout"]
