"""Pictures and pages of maps, of training and of degrees; files of maps for other programs.

Everything here begins with coordinates, float [N, 2] or [N, 3], and with what is known of the points: names, classes, numbers, edges.
Matplotlib (the extra ``plot``) is imported when a picture is drawn, and its global state is left alone; the page needs no library.
"""

from __future__ import annotations

from nodeloom.figures.files import SUFFIXES, save_map
from nodeloom.figures.page import map_page
from nodeloom.figures.pictures import map_figure
from nodeloom.figures.plots import degree_figure, history_figure
from nodeloom.figures.points import MapPoints
from nodeloom.figures.turning import save_hierarchy, save_turning

__all__ = [
    "SUFFIXES",
    "MapPoints",
    "degree_figure",
    "history_figure",
    "map_figure",
    "map_page",
    "save_hierarchy",
    "save_map",
    "save_turning",
]
