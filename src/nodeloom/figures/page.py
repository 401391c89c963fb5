"""The interactive page of a map: one file that opens offline, with everything inside.

Coordinates are 16-bit integers, compressed, as base64. Every text of a user is in compressed data and reaches the page as text of a node,
never as HTML; a policy in the page forbids all requests.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.errors import DataError, describe
from nodeloom.figures.colors import class_colors, ramp, scaled, theme
from nodeloom.figures.pictures import chosen_color, shortened
from nodeloom.figures.places import densest, in_frame
from nodeloom.log import logger

if TYPE_CHECKING:
    from nodeloom.figures.points import MapPoints

MOST_EDGES = 2_000_000
"""Edges that a page holds; a map with more is written without them."""

_STEPS = 2**16 - 1
_MOST_LABELS = 60
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; "
    "worker-src blob:; base-uri 'none'; form-action 'none'"
)


def map_page(points: MapPoints, *, color: str = "auto", dark: bool = False) -> str:
    """Return a map as a page: zoom, names under the pointer, search, legend as filter, lasso to CSV, edges of the point at the pointer.

    Parameters
    ----------
    points : MapPoints
        A map of two dimensions.
    color : str
        What points are coloured by at first, as in :func:`~nodeloom.figures.map_figure`; the page lets choose.
    dark : bool
        Light on dark.

    Returns
    -------
    str
        HTML; about 6 MB for a million points without names.

    Raises
    ------
    ConfigError
        `color` names nothing that the map has.
    DataError
        The map has three dimensions.
    """
    if points.dim != 2:
        hint = "Draw a picture, or make a map of 2 dimensions."
        raise DataError(describe("page", expected="coordinates of 2 dimensions", got=points.dim, hint=hint))
    chosen = chosen_color(points, color)
    colors = theme(dark)
    places, clipped = in_frame(points.coordinates)
    if clipped:
        logger.warning("%s points lie far outside and are drawn at the border of the map.", f"{clipped:,}")
    quantised = np.round((places + 1) / 2 * _STEPS).astype("<u2")
    facts: dict[str, Any] = {
        "count": len(points),
        "title": points.title,
        "dark": dark,
        "theme": {"background": colors.background, "text": colors.text, "faint": colors.faint},
        "color": chosen,
        "plain": class_colors(np.ones(1, np.int64), dark)[0],
        "unknown": colors.unknown,
        "ramp": ramp(64, dark),
        "numbers": [],
        "classes": None,
    }
    data = {"places": _packed(np.concatenate([quantised[:, 0], quantised[:, 1]]))}
    if points.names is not None:
        data["names"] = _packed(
            json.dumps(points.names, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        )
    if points.classes is not None:
        counts = points.counts()
        facts["classes"] = {
            "names": list(points.class_names),
            "colors": class_colors(counts, dark),
            "counts": counts.tolist(),
            "labels": [
                [shortened(points.class_names[number], 24), point]
                for number, point in densest(points, places, _MOST_LABELS)
            ],
        }
        wide = "<u2" if len(counts) < _STEPS else "<u4"
        facts["classes"]["bytes"] = int(wide[2])
        data["classes"] = _packed((points.classes + 1).astype(wide))  # 0 is unknown
    for place, (name, values) in enumerate(points.numbers.items()):
        unit, is_log, low, high = scaled(values)
        facts["numbers"].append({"name": name, "log": is_log, "low": low, "high": high})
        data[f"number{place}"] = _packed(np.round(unit * _STEPS).astype("<u2"))
    if points.edges is not None and len(points.edges):
        if len(points.edges) > MOST_EDGES:
            logger.warning(
                "The page shows no edges: %s are more than the %s that it holds.",
                f"{len(points.edges):,}",
                f"{MOST_EDGES:,}",
            )
        else:
            data["edges"] = _packed(points.edges.astype("<u4"))
    data["facts"] = _packed(json.dumps(facts, ensure_ascii=False).encode("utf-8", "replace"))
    return _filled(points.title, data, colors.background)


def notebook_page(points: MapPoints, *, height: int = 520) -> str:
    """Return a map for a notebook: the page in a frame of its own, which reaches nothing outside of it."""
    page = html.escape(map_page(points), quote=True)
    style = f"width:100%;height:{height}px;border:1px solid #8888"
    return f'<iframe sandbox="allow-scripts allow-downloads" style="{style}" srcdoc="{page}"></iframe>'


def _packed(data: Any) -> str:
    raw = data if isinstance(data, bytes) else np.ascontiguousarray(data).tobytes()
    return base64.b64encode(gzip.compress(raw, 6, mtime=0)).decode("ascii")


def _filled(title: str, data: dict[str, str], background: str) -> str:
    """Put the parts of the page together."""
    folder = resources.files("nodeloom.figures")
    web, library = folder / "web", folder / "vendor" / "regl-scatterplot.min.js"
    parts = {
        "policy": _POLICY,
        "title": html.escape(" ".join(title.split()) or "Map"),
        "background": background,
        "style": (web / "page.css").read_text(encoding="utf-8"),
        "library": library.read_text(encoding="utf-8"),
        "script": (web / "page.js").read_text(encoding="utf-8"),
        "data": "\n".join(f'<script type="text/plain" id="data-{key}">{value}</script>' for key, value in data.items()),
    }
    pieces = (web / "page.html").read_text(encoding="utf-8").split("@@")  # every second piece is the name of a part
    return "".join(parts[piece] if place % 2 else piece for place, piece in enumerate(pieces))
