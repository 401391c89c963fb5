"""Where things go in a picture: the frame around the points, the densest cell of a class, the projection of three dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from nodeloom.figures.points import MapPoints
    from nodeloom.typing import FloatArray

_CELLS = 64


def frame(places: FloatArray) -> tuple[FloatArray, float]:
    """Return the centre and half of the side of the square that holds all points, with a margin.

    A few points far away do not make the others a dot: beyond ten times the span of the middle 99 % they are clipped to the border.
    """
    if not len(places):
        return np.zeros(places.shape[1], np.float32), 1.0
    low, high = places.min(axis=0), places.max(axis=0)
    inner_low, inner_high = np.quantile(places, (0.005, 0.995), axis=0)
    span = np.maximum((inner_high - inner_low).max(), 1e-12)
    low, high = np.maximum(low, inner_low - 10 * span), np.minimum(high, inner_high + 10 * span)
    half = float((high - low).max()) / 2
    return ((low + high) / 2).astype(np.float32), 1.04 * half if half > 0 else 1.0


def in_frame(places: FloatArray) -> tuple[FloatArray, int]:
    """Return coordinates from -1 to 1 in the square of :func:`frame`, and the number of points clipped to its border."""
    center, half = frame(places)
    result = (places - center) / np.float32(half)
    clipped = int((np.abs(result) > 1).any(axis=1).sum())
    return np.clip(result, -1, 1), clipped


def densest(points: MapPoints, places: FloatArray, most: int) -> list[tuple[int, int]]:
    """Return for the largest classes that have points the class and the point nearest to the middle of its densest cell.

    Parameters
    ----------
    points : MapPoints
        Their classes.
    places : float32 [N, 2]
        Where they are, from -1 to 1.
    most : int
        Classes at most.
    """
    from scipy.ndimage import gaussian_filter

    if points.classes is None:
        return []
    counts = points.counts()
    order = np.argsort(points.classes, kind="stable")
    begin = np.searchsorted(points.classes[order], np.arange(len(counts) + 1))
    cells = np.clip(((places + 1) / 2 * _CELLS).astype(np.int64), 0, _CELLS - 1)
    found = []
    for number in np.argsort(-counts, kind="stable")[:most].tolist():
        members = order[begin[number] : begin[number + 1]]
        if not len(members):
            continue
        grid = np.zeros((_CELLS, _CELLS))
        np.add.at(grid, (cells[members, 0], cells[members, 1]), 1.0)
        top = np.unravel_index(int(gaussian_filter(grid, 1.5, mode="constant").argmax()), grid.shape)
        middle = (np.array(top) + 0.5) / _CELLS * 2 - 1
        found.append((number, int(members[((places[members] - middle) ** 2).sum(axis=1).argmin()])))
    return found


def drawing_order(count: int) -> npt.NDArray[np.int64]:
    """Return the points in an order by chance, the same each time: in file order the last class would hide the others."""
    return np.random.default_rng(0).permutation(count)


def turned(places: FloatArray, azimuth: float, elevation: float) -> tuple[FloatArray, FloatArray]:
    """Look at points of three dimensions from a side.

    Parameters
    ----------
    places : float32 [N, 3]
        Points.
    azimuth, elevation : float
        Degrees around the third axis, and above the plane of the first two.

    Returns
    -------
    seen : float32 [N, 2]
        Right and up.
    depth : float32 [N]
        Larger is nearer.
    """
    a, e = np.deg2rad(azimuth), np.deg2rad(elevation)
    right = np.array([-np.sin(a), np.cos(a), 0.0])
    toward = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    up = np.cross(toward, right)
    seen = places @ np.stack([right, up], axis=1).astype(np.float32)
    return seen.astype(np.float32), (places @ toward.astype(np.float32)).astype(np.float32)
