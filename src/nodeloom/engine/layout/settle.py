"""New points in a map whose points stay where they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nodeloom.engine.layout.field import Field
from nodeloom.kernels.cpu.parallel import run_slices
from nodeloom.typing import FloatArray

STEPS = 100
_RATE = 0.5  # the attraction of a point at its neighbors has a curvature of the exaggeration
_LIMIT = 0.5


def settled(
    coordinates: FloatArray,
    ids: npt.NDArray[Any],
    weights: FloatArray,
    exaggeration: float,
    num_thread: int,
) -> FloatArray:
    """Return where new points come to rest, float32 [M, dim].

    Each is attracted by its neighbors and repelled by all points of the map, as a point of the map is, but by no other new point: where it
    comes to rest does not depend on which others come with it.

    Parameters
    ----------
    coordinates : float32 [N, dim]
        The map.
    ids, weights : int [M, k], float32 [M, k]
        Neighbors of the new points in the map, and affinities with a sum of 1.
    exaggeration : float
        What attraction is multiplied by.
    num_thread : int
        Threads.
    """
    field = Field(coordinates.shape[1], num_thread, lambda work, count: run_slices(work, count, num_thread))
    field.solve(coordinates)
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    near = coordinates[ids]
    places = np.einsum("mk,mkd->md", weights, near)
    slopes, values = np.empty_like(places), np.empty(len(places), np.float32)
    for step in range(STEPS):
        field.sample(places, slopes, values)
        away = places[:, None, :] - near
        pull = np.einsum("mk,mkd->md", weights / (1 + (away**2).sum(axis=2)), away)
        force = exaggeration * pull + 0.5 * slopes / np.maximum(values, 1e-6)[:, None]
        rate = _RATE / max(1.0, exaggeration) * min(1.0, 2 * (STEPS - step) / STEPS)
        places -= np.clip(rate * force, -_LIMIT, _LIMIT).astype(np.float32)
        np.clip(places, low, high, out=places)
    return places
