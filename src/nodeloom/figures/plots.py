"""Plots of a training's history and of degrees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, describe
from nodeloom.figures.canvas import new_figure
from nodeloom.figures.colors import class_colors, theme

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure


def history_figure(history: Sequence[Mapping[str, Any]], *, dark: bool = False, size: float = 6.0) -> Figure:
    """Draw the loss of a training over its epochs or steps.

    Parameters
    ----------
    history : sequence of mappings
        ``history_`` of a model or of a map: dicts with ``loss``.
    dark : bool
        Light on dark.
    size : float
        Width in inches.

    Raises
    ------
    ConfigError
        Matplotlib is missing.
    DataError
        No entry has a finite loss.
    """
    rows = [row for row in history if row.get("loss") is not None and np.isfinite(row["loss"])]
    if not rows:
        raise DataError(
            describe("history", expected="entries with a loss", got=f"{len(history)} entries, none with one")
        )
    axis = next((key for key in ("epoch", "num_epoch", "step", "iteration", "seconds") if key in rows[0]), "")
    colors = theme(dark)
    figure, axes = new_figure(size, size * 0.62, colors, bare=False)
    across = [row[axis] for row in rows] if axis else list(range(1, len(rows) + 1))
    axes.plot(across, [row["loss"] for row in rows], color=class_colors(np.ones(1, np.int64), dark)[0], linewidth=1.8)
    axes.set_xlabel(axis.removeprefix("num_") or "report", color=colors.text)
    axes.set_ylabel("loss", color=colors.text)
    return figure


def degree_figure(degrees: npt.ArrayLike, *, dark: bool = False, size: float = 6.0) -> Figure:
    """Draw the share of nodes with at least a degree, both axes by logarithm: a power law is a straight line.

    Parameters
    ----------
    degrees : array_like, int [N]
        Degrees; nodes without edges are told in the legend.
    dark, size
        As in :func:`history_figure`.

    Raises
    ------
    ConfigError
        Matplotlib is missing.
    DataError
        There is no node with an edge.
    """
    values = np.asarray(degrees)
    if not (values > 0).any():
        raise DataError(describe("degrees", expected="a node with an edge", got=f"{len(values)} nodes without"))
    found, counts = np.unique(values[values > 0], return_counts=True)
    share = counts[::-1].cumsum()[::-1] / len(values)
    colors = theme(dark)
    figure, axes = new_figure(size, size * 0.62, colors, bare=False)
    axes.loglog(found, share, ".", markersize=4, color=class_colors(np.ones(1, np.int64), dark)[0])
    axes.set_xlabel("degree", color=colors.text)
    axes.set_ylabel("share of nodes with this degree or more", color=colors.text)
    alone = int((values == 0).sum())
    text = f"{len(values):,} nodes, mean {values.mean():.3g}, most {int(values.max()):,}"
    axes.set_title(text + (f", {alone:,} without edges" if alone else ""), color=colors.text, fontsize=9)
    return figure
