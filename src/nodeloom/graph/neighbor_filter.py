"""Short vectors whose distances are bounds below the distances of long ones: what an exact search looks at first.

Rows are rotated to their principal axes. The first of these coordinates, and the length of all others as one more, are nearer to each
other than the rows are. How many coordinates to take is estimated on a sample.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from nodeloom.typing import DoubleArray, FloatArray

_SAMPLE = 12_500_000  # numbers of the sample that the axes are found from
_ROWS = 4096
_FEW = 48  # columns from which on rotation is worth it
_LONGEST = 256
_SHORT = (16, 24, 32, 48, 64, 96, 128, 192, 256)
_LONGER = (0, 96, 128, 192, 256)
# Nanoseconds of a core: a product of a column for a pair, a pair that passes, a column of the longer vectors, a column that is measured.
_PRODUCT, _PASS, _LONG, _MEASURE = 0.0104, 30.0, 0.15, 0.3
_LEAF = 512  # rows that are sorted together at most


@dataclass(frozen=True)
class Filter:
    """Short vectors of N rows, in an order in which near rows are near to each other.

    Attributes
    ----------
    order : int32 [N]
        The numbers of the rows.
    leaves : list of int
        Bounds of 2^m ranges of rows that are near to each other.
    short, longer : float32 [N, P], float32 [N, Q]
        The vectors; Q may be 0.
    slack : float32 [N]
        What squared distances of the vectors may be wrong by, in two parts; infinity for rows that the filter says nothing of.
    scale : float
        From squared distances of rows to those of the vectors.
    moves : bool
        Whether the vectors may be moved, all by the same: not where products are looked for.
    """

    order: npt.NDArray[np.int32]
    leaves: list[int]
    short: FloatArray
    longer: FloatArray
    slack: FloatArray
    scale: float
    moves: bool


@dataclass(frozen=True)
class Axes:
    """Where rows are looked at from.

    Attributes
    ----------
    center : float64 [D]
        The new origin.
    axes : float64 [D, at least Q] or None
        Orthonormal directions; None for the columns as they are.
    unit : float
        The usual distance from the center.
    short, longer : int
        Coordinates of the filter; `longer` may be 0.
    """

    center: DoubleArray
    axes: DoubleArray | None
    unit: float
    short: int
    longer: int

    def nbytes(self, count: int) -> int:
        """Return the bytes of the filter of a number of rows, while it is made."""
        widest = 1 + max(self.short, self.longer)
        return count * (4 * (self.short + self.longer + 2) + 4 * widest + 16) + _ROWS * len(self.center) * 24


def as_rows(vectors: npt.NDArray[Any], lengths: DoubleArray | None) -> DoubleArray:
    """Return rows as float64, of length 1 where lengths are given; rows of zeros stay."""
    rows = np.asarray(vectors, np.float64)
    return rows if lengths is None else rows / np.where(lengths == 0, 1, lengths)[:, None]


def find_axes(vectors: npt.NDArray[Any], lengths: DoubleArray | None, k: int, *, centered: bool) -> Axes:
    """Find the principal axes of a sample, and how many of them a search takes.

    Parameters
    ----------
    vectors : [N, D]
        The rows.
    lengths : float64 [N] or None
        Their lengths, to take them at length 1.
    k : int
        Neighbors that are looked for.
    centered : bool
        Whether distances are looked for, and not products.
    """
    count, dim = vectors.shape
    chosen = slice(None, None, max(1, -(-count // max(1024, _SAMPLE // dim))))
    sample = as_rows(vectors[chosen], None if lengths is None else lengths[chosen])
    center = np.median(sample[:: max(1, len(sample) // 1024)], axis=0) if centered else np.zeros(dim)
    away = np.linalg.norm(sample - center, axis=1)
    # A few rows far away would turn the axes to them.
    sample = sample[away <= 10 * np.median(away)] if away.any() else sample
    if centered:
        center = sample.mean(axis=0)
    sample = sample - center
    unit = float(np.sqrt(np.einsum("ij,ij->", sample, sample) / len(sample))) or 1.0
    if dim <= _FEW:
        return Axes(center, None, unit, dim, 0)
    axes = _principal(sample, min(dim, _LONGEST))
    if axes is None:
        return Axes(center, None, unit, dim, 0)
    short, longer = _widths(sample[:: max(1, len(sample) // 4096)] @ axes, sample, count, k, centered)
    if short == dim:
        return Axes(center, None, unit, dim, 0)
    return Axes(center, axes[:, : max(short, longer)], unit, short, longer)


def _principal(sample: DoubleArray, number: int) -> DoubleArray | None:
    """Return principal directions, float64 [D, at most number], orthonormal; None if all rows are the same."""
    if sample.shape[1] <= 2048 and len(sample) >= sample.shape[1]:
        return np.ascontiguousarray(np.linalg.eigh(sample.T @ sample)[1][:, ::-1][:, :number])
    few = sample[:: max(1, len(sample) // 2048)]
    values, vectors = np.linalg.eigh(few @ few.T)
    kept = [i for i in range(len(values) - 1, -1, -1) if values[i] > 1e-9 * values[-1]][:number]
    return np.linalg.qr(few.T @ vectors[:, kept])[0] if kept else None


def _widths(rotated: DoubleArray, sample: DoubleArray, count: int, k: int, centered: bool) -> tuple[int, int]:
    """Return the numbers of coordinates that make a search shortest, as it is estimated on a sample."""
    dim = sample.shape[1]
    rows = sample[:: max(1, len(sample) // 4096)]
    queries = slice(None, None, max(1, len(rows) // 128))
    squares = np.einsum("ij,ij->i", rows, rows)

    def bounds(vectors: DoubleArray) -> DoubleArray:
        own = np.einsum("ij,ij->i", vectors, vectors)
        rest = np.sqrt(np.maximum(squares - own, 0))
        products = vectors[queries] @ vectors.T + rest[queries, None] * rest
        found = squares[queries, None] + squares - 2 * products if centered else -2 * products
        found[np.arange(len(found)), np.arange(len(rows))[queries]] = np.inf
        return found

    true = bounds(rows)
    nearest = min(len(rows) - 1, max(1, round(k * len(rows) / count)))
    limit = np.partition(true, nearest - 1, axis=1)[:, nearest - 1]
    limit = limit + np.abs(limit) * 0.1  # bounds are wider at first

    def passing(width: int) -> float:
        return float((bounds(rotated[:, :width]) <= limit[:, None]).mean()) * count

    found = {width: passing(width) for width in _SHORT if width <= rotated.shape[1]}
    last = k * (_PASS + _MEASURE * dim)
    best = (count * dim * _PRODUCT + last, dim, 0)
    for short, first_pass in found.items():
        for longer in _LONGER if centered else (0,):
            if longer and (longer <= short or longer > rotated.shape[1]):
                continue
            measured = max(k, found[longer] if longer else first_pass)
            cost = (
                count * short * _PRODUCT + first_pass * (_PASS + _LONG * longer) + measured * (_PASS + _MEASURE * dim)
            )
            best = min(best, (cost, short, longer))
    return best[1], best[2]


def make_filter(
    vectors: npt.NDArray[Any], lengths: DoubleArray | None, axes: Axes, leaf: int, *, centered: bool
) -> Filter:
    """Return the filter of rows.

    Parameters
    ----------
    vectors, lengths, centered
        As in :func:`find_axes`.
    axes : Axes
        Where to look from.
    leaf : int
        Rows of a leaf at least, where there are as many.
    """
    count = len(vectors)
    rest = axes.axes is not None
    short = np.empty((count, axes.short + rest), np.float32)
    longer = np.empty((count, axes.longer + 1 if axes.longer else 0), np.float32)
    slack = np.empty(count, np.float32)
    for first in range(0, count, _ROWS):
        block = slice(first, first + _ROWS)
        rows = (as_rows(vectors[block], None if lengths is None else lengths[block]) - axes.center) / axes.unit
        squares = np.einsum("ij,ij->i", rows, rows)
        far = ~(squares < 1e12)
        if lengths is not None:
            far |= lengths[block] == 0
        rows[far] = 0
        turned = rows if axes.axes is None else rows @ axes.axes
        for out, width in ((short, axes.short), (longer, axes.longer)):
            if out.shape[1]:
                out[block, :width] = turned[:, :width]
                if out.shape[1] > width:
                    own = np.einsum("ij,ij->i", turned[:, :width], turned[:, :width])
                    out[block, width] = np.sqrt(np.maximum(squares - own, 0))
        # Rounding moves a row by 2^-24 of its length: d^2 is at most 2^-11 of itself and 2^12 times the squares of both too long.
        slack[block] = np.where(far, np.inf, squares * 2.0**-34)
        short[block][far], longer[block][far] = 0, 0
    order, leaves = _sorted_by_halves(short[:, : min(axes.short, 16)], max(leaf, _LEAF))
    scale = 1 / axes.unit**2
    return Filter(order, leaves, short[order], longer[order], slack[order], scale, centered)


def _sorted_by_halves(coordinates: FloatArray, leaf: int) -> tuple[npt.NDArray[np.int32], list[int]]:
    """Cut rows in halves at the median of their widest coordinate, until they fit into leaves; return their order and its bounds."""
    order = np.arange(len(coordinates), dtype=np.int32)
    bounds = [0, len(order)]
    while len(order) // (len(bounds) - 1) > leaf:
        cut = [0]
        for first, last in itertools.pairwise(bounds):
            rows = order[first:last]
            here = coordinates[rows]
            half = len(rows) // 2
            order[first:last] = rows[np.argpartition(here[:, here.var(axis=0).argmax()], half)]
            cut += [first + half, last]
        bounds = cut
    return order, bounds
