"""The still picture of a map: points or shaded density, labels of classes, a legend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.errors import ConfigError, describe
from nodeloom.figures.canvas import canvas_of, new_figure
from nodeloom.figures.colors import MANY, class_colors, ramp, rgb, scaled, theme
from nodeloom.figures.places import densest, drawing_order, in_frame, turned
from nodeloom.log import logger

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from nodeloom.figures.colors import Theme
    from nodeloom.figures.points import MapPoints
    from nodeloom.typing import FloatArray

SHADED = 200_000
"""Maps of more points are drawn as shaded density."""

_CELLS = 900
_LONGEST = 28
_MOST_LABELS = 60


def map_figure(
    points: MapPoints,
    *,
    color: str = "auto",
    dark: bool = False,
    size: float = 8.0,
    legend: bool = True,
    names: bool = True,
    azimuth: float = -60.0,
    elevation: float = 25.0,
) -> Figure:
    """Draw a map.

    Parameters
    ----------
    points : MapPoints
        The map. Above 200,000 points their density is shaded instead of a dot drawn for each.
    color : str
        "class", or what one of the numbers is called. auto: class if there are classes, else the first number, else one colour.
    dark : bool
        Light on dark.
    size : float
        Side of the map in inches; a legend stands beside it.
    legend : bool
        Whether to draw a legend.
    names : bool
        Whether to write the names of classes into the map.
    azimuth, elevation : float
        The side that a map of three dimensions is seen from, in degrees.

    Returns
    -------
    matplotlib.figure.Figure
        A figure of its own: the state of pyplot does not change.

    Raises
    ------
    ConfigError
        Matplotlib is missing; `color` names nothing that the map has.
    """
    chosen = chosen_color(points, color)
    colors = theme(dark)
    figure, axes = new_figure(size, size, colors)
    places, depth, clipped = seen_from(points, azimuth, elevation)
    if clipped:
        logger.warning("%s points lie far outside and are drawn at the border of the map.", f"{clipped:,}")
    paint(axes, places, depth, point_colors(points, chosen, dark), size)
    if points.dim == 3:
        draw_cube(axes, azimuth, elevation, colors)
    if points.title:
        axes.set_title(shortened(points.title, 80), color=colors.text, fontsize=13, parse_math=False)
    if chosen == "class":
        if legend:
            _class_legend(figure, points, dark, size)
        if names:
            figure.canvas.draw()  # the place of the map is known from here on
            figure.set_layout_engine("none")
            _class_labels(figure, axes, points, places, colors)
    elif chosen and legend:
        _number_legend(figure, axes, points.numbers[chosen], chosen, dark)
    return figure


def chosen_color(points: MapPoints, color: str) -> str:
    """Return what points are coloured by: "class", the name of a number, or "" for nothing."""
    there = (["class"] if points.classes is not None else []) + list(points.numbers)
    if color == "auto":
        return there[0] if there else ""
    if color not in there:
        raise ConfigError(describe("color", expected=f"one of {', '.join(['auto', *there])}", got=color))
    return color


def seen_from(points: MapPoints, azimuth: float, elevation: float) -> tuple[FloatArray, FloatArray | None, int]:
    """Return where points are seen, float32 [N, 2] from -1 to 1, their depths in three dimensions, and how many are clipped."""
    places, clipped = in_frame(points.coordinates)
    if points.dim == 2:
        return places, None, clipped
    seen, depth = turned(places, azimuth, elevation)
    return seen / np.float32(1.5), depth, clipped


def point_colors(points: MapPoints, chosen: str, dark: bool) -> FloatArray:
    """Return red, green, blue of each point, float32 [N, 3]."""
    if chosen == "class":
        assert points.classes is not None
        table = [*class_colors(points.counts(), dark), theme(dark).unknown]
        return np.array([rgb(color) for color in table], np.float32)[points.classes]
    if chosen:
        table = ramp(256, dark)
        return np.array([rgb(c) for c in table], np.float32)[(scaled(points.numbers[chosen])[0] * 255).astype(np.int64)]
    return np.tile(np.array(rgb(class_colors(np.ones(1, np.int64), dark)[0]), np.float32), (len(points), 1))


def paint(axes: Axes, places: FloatArray, depth: FloatArray | None, colors: FloatArray, size: float) -> None:
    """Draw points, or their density if there are many."""
    if len(places) > SHADED:
        axes.imshow(shaded(places, colors, _CELLS), extent=(-1, 1, -1, 1), origin="lower", interpolation="bilinear")
    else:
        order = drawing_order(len(places)) if depth is None else np.argsort(depth, kind="stable")
        area = float(np.clip(60_000 * (size / 8) ** 2 / max(len(places), 1), 1.2, 45 * (size / 8) ** 2))
        opaque = float(np.clip(1.15 - 0.13 * np.log10(max(len(places), 1)), 0.5, 0.95))
        alpha: Any = opaque
        if depth is not None and len(places):  # far points fade
            near = (depth - depth.min()) / max(float(np.ptp(depth)), 1e-12)
            alpha = (opaque * (0.3 + 0.7 * near))[order]
        axes.scatter(
            places[order, 0], places[order, 1], s=area, c=colors[order], alpha=alpha, linewidths=0, rasterized=True
        )
    axes.set_xlim(-1, 1)
    axes.set_ylim(-1, 1)


def shaded(places: FloatArray, colors: FloatArray, cells: int) -> FloatArray:
    """Return a picture of density, float32 [cells, cells, 4]: the mean colour of a cell, the more opaque the more points it has."""
    column = np.clip(((places + 1) / 2 * cells).astype(np.int64), 0, cells - 1)
    cell = column[:, 1] * cells + column[:, 0]
    counts = np.bincount(cell, minlength=cells * cells).astype(np.float32)
    picture = np.zeros((cells * cells, 4), np.float32)
    for part in range(3):
        picture[:, part] = np.bincount(cell, weights=colors[:, part], minlength=cells * cells)
    full = counts > 0
    picture[full, :3] /= counts[full, None]
    most = np.log1p(np.quantile(counts[full], 0.99)) if full.any() else 1.0
    picture[full, 3] = np.clip(0.25 + 0.75 * np.log1p(counts[full]) / most, 0, 1)
    return picture.reshape(cells, cells, 4)


def draw_cube(axes: Axes, azimuth: float, elevation: float, colors: Theme) -> None:
    """Draw the edges of the cube around a map of three dimensions."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32)
    seen = turned(corners, azimuth, elevation)[0] / 1.5
    for i in range(8):
        for j in range(i):
            if np.abs(corners[i] - corners[j]).sum() == 2:
                axes.plot(*seen[[i, j]].T, color=colors.faint, linewidth=0.6, zorder=0, alpha=0.7)
    axes.set_xlim(-1.2, 1.2)
    axes.set_ylim(-1.2, 1.2)


def shortened(text: str, longest: int = _LONGEST) -> str:
    """Return a text on one line, with an ellipsis if it is long."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _class_legend(figure: Figure, points: MapPoints, dark: bool, size: float) -> None:
    """Draw the legend beside the map; the figure grows by what it takes, so that nothing is cut."""
    from matplotlib.lines import Line2D

    counts = points.counts()
    table, colors = class_colors(counts, dark), theme(dark)
    shown = np.flatnonzero(counts)
    if len(shown) > MANY:
        shown = np.argsort(-counts, kind="stable")[:MANY]
    entries = [(table[number], shortened(points.class_names[number])) for number in shown.tolist()]
    left = int((counts > 0).sum()) - len(shown)
    if left > 0:
        entries.append((colors.unknown, f"{left:,} other classes"))
    if points.classes is not None and (points.classes < 0).any():
        entries.append((colors.unknown, "none of these"))
    if not entries:
        return
    handles = [Line2D([], [], color=color, marker="o", linestyle="", markersize=6) for color, _ in entries]
    rows = max(1, int(size * 72 / 16) - 2)
    legend = figure.legend(
        handles,
        [text for _, text in entries],
        loc="outside right upper",
        ncols=-(-len(entries) // rows),
        frameon=False,
        labelcolor=colors.text,
        fontsize=9,
        handletextpad=0.2,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    figure.canvas.draw()
    width = legend.get_window_extent().width / figure.dpi
    figure.set_figwidth(size + width + 0.1)


def _number_legend(figure: Figure, axes: Axes, values: FloatArray, name: str, dark: bool) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, LogNorm, Normalize

    colors = theme(dark)
    _, is_log, low, high = scaled(values)
    norm = LogNorm(low + 1, high + 1) if is_log else Normalize(low, high if high > low else low + 1)
    bar = figure.colorbar(ScalarMappable(norm, ListedColormap(ramp(256, dark))), ax=axes, shrink=0.5, pad=0.01)
    text = shortened(name, 40) + (" + 1" if is_log else "")
    bar.set_label(text, color=colors.text)
    bar.ax.yaxis.label.set_parse_math(False)
    bar.ax.tick_params(colors=colors.text, which="both")
    bar.outline.set_edgecolor(colors.faint)
    figure.set_figwidth(figure.get_figheight() + 1.0)


def _class_labels(figure: Figure, axes: Axes, points: MapPoints, places: FloatArray, colors: Theme) -> None:
    """Write each class at its densest cell, the largest first; one that would cover another moves a little or is left out."""
    from matplotlib.patheffects import withStroke

    renderer = canvas_of(figure).get_renderer()
    taken: list[Any] = []
    inside = axes.get_window_extent(renderer)
    for number, point in densest(points, places, _MOST_LABELS):
        text = axes.text(
            float(places[point, 0]),
            float(places[point, 1]),
            shortened(points.class_names[number], 22),
            color=colors.text,
            fontsize=9,
            fontweight="bold",
            ha="center",
            va="center",
            zorder=10,
            path_effects=[withStroke(linewidth=2.5, foreground=colors.background)],
        )
        text.set_parse_math(False)
        box = text.get_window_extent(renderer).expanded(1.04, 1.15)
        for right, up in ((0, 0), (0, 1), (0, -1), (0.6, 0), (-0.6, 0), (0.6, 1), (-0.6, -1), (0, 2), (0, -2)):
            moved = box.translated(right * box.width, up * box.height)
            moved = moved.translated(
                max(0.0, inside.x0 - moved.x0) - max(0.0, moved.x1 - inside.x1),
                max(0.0, inside.y0 - moved.y0) - max(0.0, moved.y1 - inside.y1),
            )
            if not any(moved.overlaps(other) for other in taken):
                middle = ((moved.x0 + moved.x1) / 2, (moved.y0 + moved.y1) / 2)
                text.set_position(tuple(axes.transData.inverted().transform(middle)))
                taken.append(moved)
                break
        else:
            text.remove()
