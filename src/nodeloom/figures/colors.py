"""Colours that people with colour blindness tell apart, on dark and on light."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from nodeloom.typing import FloatArray

_LIGHT = (
    "#4477AA", "#EE6677", "#228833", "#EEBB00", "#6611BB", "#772255", "#00CCFF", "#9977FF", "#CC0011", "#444499",
)  # fmt: skip
_DARK = (
    "#5588DD", "#EE6677", "#33BB55", "#FFBBFF", "#AAEE44", "#EE3300", "#8866FF", "#DDDD99", "#44EECC", "#CC66AA",
)  # fmt: skip
"""Ten hues for a light and for a dark background, the most different first.

Three are of Paul Tol's scheme "bright"; the others were searched for so that the nearest two, and the nearest to background and grey, are
as far apart as can be for people who see all colours and as Machado et al. (2009) simulate those who lack a kind of cones.
"""

MANY = 3 * len(_LIGHT)
"""Classes with a colour of their own: ten hues in three degrees of lightness. The smallest classes above that share grey."""

_VIRIDIS = (
    "#440154",
    "#482878",
    "#3E4A89",
    "#31688E",
    "#26828E",
    "#1F9E89",
    "#35B779",
    "#6DCD59",
    "#B4DE2C",
    "#FDE725",
)


@dataclass(frozen=True)
class Theme:
    """Colours of everything that is no point."""

    background: str
    text: str
    faint: str
    unknown: str


LIGHT = Theme("#FFFFFF", "#1A1A1A", "#BBBBBB", "#C4C4C4")
DARK = Theme("#14161A", "#ECECEC", "#4A4E57", "#565B66")


def theme(dark: bool) -> Theme:
    """Return the theme."""
    return DARK if dark else LIGHT


def class_colors(counts: npt.NDArray[np.int64], dark: bool) -> list[str]:
    """Return a colour for each class as #RRGGBB.

    Up to ten classes have a hue each. Up to :data:`MANY` have a hue in one of three degrees of lightness. Of more, the largest have
    these colours and the others the grey of unknown points.
    """
    count = len(counts)
    shades = [_shade(color, step, dark) for step in (0, 1, 2) for color in (_DARK if dark else _LIGHT)]
    if count <= MANY:
        return shades[:count]
    result = [theme(dark).unknown] * count
    for color, number in zip(shades, np.argsort(-counts, kind="stable")[:MANY].tolist(), strict=True):
        result[number] = color
    return result


def _shade(color: str, step: int, dark: bool) -> str:
    red, green, blue = rgb(color)
    hue, light, saturation = colorsys.rgb_to_hls(red, green, blue)
    light = (light, light + 0.55 * (0.92 - light), light * 0.6 if not dark else light * 0.7)[step]
    return _hex(colorsys.hls_to_rgb(hue, light, saturation))


def rgb(color: str) -> tuple[float, float, float]:
    """Return #RRGGBB as three numbers from 0 to 1."""
    return int(color[1:3], 16) / 255, int(color[3:5], 16) / 255, int(color[5:7], 16) / 255


def _hex(parts: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * part):02X}" for part in parts)


def ramp(steps: int, dark: bool) -> list[str]:
    """Return `steps` colours for numbers from small to large: viridis, without its end that is lost in the background."""
    first, last = (0.12, 1.0) if dark else (0.0, 0.92)
    places = np.linspace(first, last, steps) * (len(_VIRIDIS) - 1)
    table = np.array([rgb(color) for color in _VIRIDIS])
    columns = [np.interp(places, np.arange(len(table)), table[:, part]) for part in range(3)]
    return [_hex((float(r), float(g), float(b))) for r, g, b in zip(*columns, strict=True)]


def scaled(values: npt.NDArray[np.floating[Any]]) -> tuple[FloatArray, bool, float, float]:
    """Scale numbers to 0 to 1 for colours: by logarithm if all are positive and most are small, as degrees are.

    Returns
    -------
    scaled : float32 [N]
        NaN becomes 0.
    is_log : bool
        Whether logarithms were taken.
    low, high : float
        The ends.
    """
    values = np.asarray(values, np.float64)
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.zeros(len(values), np.float32), False, 0.0, 0.0
    low, high = float(finite.min()), float(finite.max())
    is_log = low >= 0 and high > 20 * max(float(np.median(finite)), 1e-9)
    place = np.log1p(np.nan_to_num(values, nan=low, posinf=high, neginf=low)) if is_log else values
    ends = (np.log1p(low), np.log1p(high)) if is_log else (low, high)
    result = (np.nan_to_num(place, nan=ends[0], posinf=ends[1], neginf=ends[0]) - ends[0]) / max(
        ends[1] - ends[0], 1e-30
    )
    return np.clip(result, 0, 1).astype(np.float32), is_log, low, high
