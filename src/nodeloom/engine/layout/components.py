"""Components of a graph in a map: those that are laid out, small ones that are drawn by themselves, and how all are packed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nodeloom.engine.layout.affinities import Affinities
from nodeloom.engine.layout.stress import stress_maps
from nodeloom.typing import DoubleArray, FloatArray

FEW = 30
"""Points up to which a component is drawn by its shortest paths: repulsion by all points of a map would make it a dot."""

_ONE_PLACE = 1e-5  # a tenth of the width that layouts begin with
_MOST_UNFOLDED = 1000


@dataclass(frozen=True)
class Components:
    """Components of affinities, the largest first.

    Points of different components repel each other and nothing draws them together: in one layout, those without affinities would be
    far away from everything, and small components would shrink to dots. So the largest component and all others of more than `FEW`
    points are laid out, small ones are drawn by themselves, each is brought to the same density, and they are packed in rings.

    Attributes
    ----------
    affinities : Affinities
        Of all points.
    labels : int32 [N]
        The component of each point.
    sizes : int64 [C]
        Points of each component, descending.
    """

    affinities: Affinities
    labels: npt.NDArray[np.int32]
    sizes: npt.NDArray[np.int64]

    @classmethod
    def of(cls, affinities: Affinities, *, together: bool = False) -> Components:
        """Find the components; `together`: all points that have affinities are one component, as in a map that begins with another."""
        from scipy.sparse.csgraph import connected_components

        found = connected_components(_matrix(affinities), directed=False)[1]
        if together:
            linked = np.diff(affinities.indptr) > 0
            found = np.where(linked, len(found), np.arange(len(found)))
        first, found, sizes = np.unique(found, return_index=True, return_inverse=True, return_counts=True)[1:]
        order = np.lexsort((first, -sizes))
        place = np.empty(len(order), np.int32)
        place[order] = np.arange(len(order))
        return cls(affinities, place[found], sizes[order])

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def num_laid(self) -> int:
        """Components that are laid out."""
        return max(1, int((self.sizes > FEW).sum()))

    @cached_property
    def laid(self) -> npt.NDArray[np.int64]:
        """Positions of the points that are laid out, ascending."""
        return np.flatnonzero(self.labels < self.num_laid)

    def of_laid(self) -> Affinities:
        """Return the affinities of the points that are laid out, with a sum of 1."""
        if len(self) == 1:
            return self.affinities
        matrix = _matrix(self.affinities)[self.laid][:, self.laid]
        weights = (matrix.data / matrix.data.sum(dtype=np.float64)).astype(np.float32)
        return Affinities(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), weights)

    @cached_property
    def _members(self) -> list[npt.NDArray[np.int64]]:
        """Return the points of each component that has two at least."""
        order = np.argsort(self.labels, kind="stable")
        number = int((self.sizes > 1).sum())
        return np.split(order, np.cumsum(self.sizes[:number]))[:number]

    @cached_property
    def _small(self) -> dict[int, list[DoubleArray]]:
        """Small components as they are drawn by themselves, by dimensions; filled when asked for."""
        return {}

    def _drawn(self, dim: int) -> list[DoubleArray]:
        if dim not in self._small:
            self._small[dim] = stress_maps(_matrix(self.affinities), self._members[self.num_laid :], dim)
        return self._small[dim]

    def _unfolded(self, members: npt.NDArray[np.int64], shape: DoubleArray) -> DoubleArray:
        """Draw a component by itself if the layout has left points in one place: those of a complete graph, leaves of a star."""
        is_apart = _width(shape) > _ONE_PLACE and len(np.unique(shape, axis=0)) == len(shape)
        if is_apart or len(members) > _MOST_UNFOLDED:
            return shape
        drawn = stress_maps(_matrix(self.affinities), [members], shape.shape[1])[0]
        return drawn * (len(drawn) ** (1 / shape.shape[1]) / _width(drawn)) + shape.mean(axis=0)

    def whole(self, places: FloatArray) -> FloatArray:
        """Return the map of all points.

        Parameters
        ----------
        places : float32 [M, dim]
            Places of the points that are laid out.

        Returns
        -------
        float32 [N, dim]
            The largest component is where it is laid out, as large as it is; the others are around it, points alone outermost. No two
            components overlap.
        """
        dim = places.shape[1]
        result = np.zeros((len(self.labels), dim))
        result[self.laid] = places
        laid = self._members[: self.num_laid]
        shapes = [self._unfolded(members, result[members]) for members in laid]
        if len(self) == 1:
            return shapes[0].astype(np.float32)
        shapes += self._drawn(dim)
        width = _width(shapes[0])
        spacing = _SPACING[dim] * width / self.sizes[0] ** (1 / dim) if width > 0 else 1.0
        centers, radii = np.zeros((len(shapes), dim)), np.zeros(len(self))
        for k, shape in enumerate(shapes):
            if k:
                shape = shape * (width * (len(shape) / self.sizes[0]) ** (1 / dim) / max(_width(shape), 1e-30))
                shapes[k] = shape
            centers[k] = (shape.min(axis=0) + shape.max(axis=0)) / 2
            radii[k] = np.linalg.norm(shape - centers[k], axis=1).max() + 0.75 * spacing
        target = packed(radii, spacing, dim) + centers[0]
        for members, shape, center, to in zip(self._members, shapes, centers, target, strict=False):
            result[members] = shape - center + to
        alone = np.argsort(self.labels, kind="stable")[len(self.labels) - (len(self) - len(shapes)) :]
        result[alone] = target[len(shapes) :]
        return result.astype(np.float32)


_SPACING = {2: (2 * np.pi) ** (1 / 2), 3: (5 / 3) ** 0.5 * (4 * np.pi / 3) ** (1 / 3)}
"""Distance of neighbors in a uniform ball of one point, in units of the root of its mean squared distance from the center."""


def _width(shape: DoubleArray) -> float:
    """Return the root of the mean squared distance from the center."""
    return float(np.sqrt(((shape - shape.mean(axis=0)) ** 2).sum(axis=1).mean()))


def _matrix(affinities: Affinities) -> Any:
    from scipy.sparse import csr_array

    a = affinities
    return csr_array((a.weights, a.indices, a.indptr), shape=(len(a), len(a)))


def packed(radii: npt.NDArray[np.floating[Any]], gap: float, dim: int) -> DoubleArray:
    """Return centers of balls that do not overlap: the first at the origin, the others in rings (shells) around it, small ones outermost.

    Parameters
    ----------
    radii : float [C]
        Their radii.
    gap : float
        Least distance between two of them.
    dim : int
        2 or 3.

    Returns
    -------
    float64 [C, dim]
    """
    order = np.concatenate([[0], 1 + np.argsort(-radii[1:], kind="stable")])
    wide = radii[order] + gap / 2
    centers = np.zeros((len(radii), dim))
    inner, first = float(wide[0]), 1
    while first < len(wide):
        around = inner + float(wide[first])
        if dim == 2:
            most = int(np.pi * around / wide[-1]) + 2  # more than fit
            angles = 2 * np.arcsin(np.minimum(1.0, wide[first : first + most] / around))
            ends = np.cumsum(angles)
            number = max(1, int(np.searchsorted(ends, 2 * np.pi * (1 + 1e-9), side="right")))
            middle = (ends[:number] - angles[:number] / 2) * (2 * np.pi / ends[number - 1])
            ring = np.column_stack([np.cos(middle), np.sin(middle)])
        else:
            number = min(len(wide) - first, max(1, int((3.0 * around / (2 * wide[first])) ** 2)))
            ring = _on_sphere(number)
        centers[order[first : first + number]] = around * ring
        inner, first = around + float(wide[first]), first + number
    return centers


def _on_sphere(count: int) -> DoubleArray:
    """Return points of a unit sphere on a Fibonacci spiral, float64 [count, 3]: no two nearer than 3 over the root of their number."""
    k = np.arange(count) + 0.5
    height, turn = 1 - 2 * k / count, np.pi * (1 + 5**0.5) * k
    radius = np.sqrt(1 - height**2)
    return np.column_stack([radius * np.cos(turn), radius * np.sin(turn), height])
