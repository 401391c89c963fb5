"""What acts on the points of a layout: affinities, and places where points are held."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nodeloom.typing import FloatArray, IndexArray, OffsetArray


@dataclass(frozen=True)
class Affinities:
    """Affinities in compressed sparse rows, symmetric, with a sum of 1.

    Attributes
    ----------
    indptr, indices, weights : int64 [N + 1], int32 [nnz], float32 [nnz]
        Offsets of the rows, columns and entries.
    """

    indptr: OffsetArray
    indices: IndexArray
    weights: FloatArray

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return int(self.indptr.nbytes + self.indices.nbytes + self.weights.nbytes)


@dataclass(frozen=True)
class Held:
    """Points that are held near to where they were.

    Attributes
    ----------
    anchors : float32 [N, dim]
        Where.
    strength : float32 [N]
        How much, in units of the gradient; 0 for points that are free.
    """

    anchors: FloatArray
    strength: FloatArray

    @classmethod
    def nothing(cls, dim: int) -> Held:
        """Return that of a layout whose points are all free."""
        return cls(np.empty((0, dim), np.float32), np.empty(0, np.float32))
