"""Figures of matplotlib that share nothing with pyplot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodeloom.errors import ConfigError, describe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from nodeloom.figures.colors import Theme


def check_matplotlib() -> None:
    """Refuse to draw without matplotlib.

    Raises
    ------
    ConfigError
        It is not installed.
    """
    import importlib.util

    if importlib.util.find_spec("matplotlib") is None:
        hint = "Install it with: pip install 'nodeloom[plot]'. A page (.html) and files for other programs need no library."
        raise ConfigError(describe("pictures", expected="matplotlib", got="no library of this name", hint=hint))


def new_figure(width: float, height: float, colors: Theme, *, bare: bool = True) -> tuple[Figure, Axes]:
    """Return a figure with one plot; bare: without axes and with equal scales."""
    check_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout="constrained", facecolor=colors.background)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_facecolor(colors.background)
    if bare:
        axes.set_axis_off()
        axes.set_aspect("equal")
    else:
        axes.tick_params(colors=colors.text, which="both")
        for spine in axes.spines.values():
            spine.set_color(colors.faint)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(True, color=colors.faint, alpha=0.35, linewidth=0.6)
        axes.set_axisbelow(True)
    return figure, axes


def canvas_of(figure: Figure) -> Any:
    """Return the canvas of a figure of :func:`new_figure`, which draws pixels."""
    return figure.canvas
