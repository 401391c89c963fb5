"""Alias tables of one distribution over all nodes, or of one distribution per row of a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nodeloom.kernels.cpu.negatives import build_alias
from nodeloom.kernels.cpu.parallel import run_slices

if TYPE_CHECKING:
    from nodeloom.typing import DoubleArray, FloatArray, IndexArray, OffsetArray


class AliasTable(NamedTuple):
    """An alias table (Walker 1977): entry i is kept with ``prob[i]``, else exchanged for ``alias[i]``."""

    prob: FloatArray
    alias: IndexArray

    @property
    def nbytes(self) -> int:
        """Bytes of both arrays."""
        return self.prob.nbytes + self.alias.nbytes


def over_nodes(weights: DoubleArray) -> AliasTable:
    """Return the alias table of one distribution over N nodes, in proportion to float64 weights [N]."""
    count = len(weights)
    weights = np.array(weights, np.float64)  # writable, so that all callers share one compiled kernel
    table = AliasTable(np.empty(count, np.float32), np.empty(count, np.int32 if count <= 2**31 - 1 else np.int64))
    build_alias(weights, np.array([0, count], np.int64), 0, 1, table.prob, table.alias)
    return table


def over_rows(weights: FloatArray | DoubleArray | None, indptr: OffsetArray, num_thread: int) -> AliasTable:
    """Return the alias tables of all rows of a graph; empty ones without weights, since uniform draws need none."""
    count = 0 if weights is None else len(weights)
    table = AliasTable(np.empty(count, np.float32), np.empty(count, np.int32))
    if weights is not None:
        run_slices(
            lambda first, last: build_alias(weights, indptr, first, last, table.prob, table.alias),
            len(indptr) - 1,
            num_thread,
        )
    return table
