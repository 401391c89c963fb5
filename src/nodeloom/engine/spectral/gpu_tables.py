"""Tables of spectral methods on a GPU: torch's sparse products and linear algebra."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nodeloom.engine.gpu.device import Device, explained
from nodeloom.engine.spectral.tables import ROW_VALUES, Matrix
from nodeloom.kernels.gpu.initial import uniform_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeloom.typing import DoubleArray, FloatArray

_ENTRIES = 1 << 22
"""Entries of a matrix that are multiplied by the factors of their columns at a time."""


class GpuTables:
    """Tables as tensors; the twin of :class:`nodeloom.engine.spectral.tables.CpuTables`.

    Parameters
    ----------
    device : str
        "cuda:N".
    """

    def __init__(self, device: str) -> None:
        self.device = Device(device)

    @contextmanager
    def running(self) -> Iterator[GpuTables]:
        """Work in float32 throughout: the fast formats of matrix units have too few digits for covariances."""
        before = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = False
        try:
            with explained(self.device.name):
                yield self
        finally:
            torch.backends.cuda.matmul.allow_tf32 = before

    def peak_memory(self) -> int:
        """Return the most bytes in use on the GPU so far."""
        return self.device.peak_memory()

    def matrix(self, matrix: Matrix) -> torch.Tensor:
        """Bring a matrix to the GPU."""
        indices = self.device.upload(matrix.indices)
        factors = self.device.upload(matrix.factors)
        weighted = len(matrix.weights) > 0
        values = self.device.upload(matrix.weights) if weighted else torch.ones_like(indices, dtype=torch.float32)
        for part, columns in zip(values.split(_ENTRIES), indices.split(_ENTRIES), strict=True):
            part *= factors.index_select(0, columns)
        size = (len(matrix.indptr) - 1, len(matrix.factors))
        # Both index arrays have to have one type.
        narrow = indices.dtype == torch.int32 and int(matrix.indptr[-1]) < 2**31
        kind = torch.int32 if narrow else torch.int64
        offsets = self.device.upload(matrix.indptr).to(kind)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
            warnings.filterwarnings("ignore", "Sparse invariant checks are implicitly disabled")  # as was asked for
            return torch.sparse_csr_tensor(offsets, indices.to(kind), values, size=size, check_invariants=False)

    def random(self, key: int, num_rows: int, dim: int) -> torch.Tensor:
        """Return a table of uniform random numbers in [-1, 1), float32 [num_rows, dim]."""
        out = self.device.empty(num_rows, dim, dtype=torch.float32)
        uniform_rows(key, 0, dim, 1.0, out)
        return out

    def upload(self, table: FloatArray) -> torch.Tensor:
        """Return a copy on the GPU."""
        return self.device.upload(np.ascontiguousarray(table, np.float32))

    def column(self, values: FloatArray) -> torch.Tensor:
        """Return a copy on the GPU, float32 [N, 1]."""
        return self.upload(values)[:, None]

    def download(self, table: torch.Tensor) -> FloatArray:
        """Return a copy in main memory."""
        array: FloatArray = table.cpu().numpy()
        return array

    def empty_like(self, table: torch.Tensor) -> torch.Tensor:
        """Return a table of the same shape, with undefined values."""
        return torch.empty_like(table)

    def scaled(self, table: torch.Tensor, factor: float) -> torch.Tensor:
        """Return a new table: `factor` times the table."""
        return table * factor

    def product(self, matrix: torch.Tensor, table: torch.Tensor, out: torch.Tensor) -> None:
        """Set `out` [N, D] to the matrix times the table."""
        torch.addmm(out, matrix, table, beta=0.0, alpha=1.0, out=out)

    def combine(self, target: torch.Tensor, a: Any, table: torch.Tensor, b: Any) -> None:
        """Set `target` to a * target + b * table, where a and b are numbers or columns."""
        target *= a
        if isinstance(b, (int, float)):
            target.add_(table, alpha=b)
        else:
            target.addcmul_(table, b)

    def moments(self, table: torch.Tensor, length: float | None) -> tuple[DoubleArray, DoubleArray]:
        """Scale rows to a length if one is given; return the sum of the rows [D] and of their outer products [D, D]."""
        dim = table.shape[1]
        total = torch.zeros(dim, dtype=torch.float64, device=table.device)
        gram = torch.zeros(dim, dim, dtype=torch.float64, device=table.device)
        for rows in table.split(rows_at_a_time(dim)):
            if length is not None:
                scale_rows(rows, length)
            add_moments(rows, total, gram)
        return total.cpu().numpy(), gram.cpu().numpy()

    def transform(self, table: torch.Tensor, mean: DoubleArray, matrix: DoubleArray) -> torch.Tensor:
        """Return (row - mean) times `matrix` [D, D'] for every row that is not all zeros; in place if D' is D."""
        turn = self.upload(matrix.astype(np.float32))
        shift = -(self.upload(mean.astype(np.float32)) @ turn)
        same = turn.shape[0] == turn.shape[1]
        out = table if same else torch.empty(len(table), turn.shape[1], device=table.device)
        height = rows_at_a_time(len(turn))
        for rows, target in zip(table.split(height), out.split(height), strict=True):
            target.copy_(turned(rows, shift, turn))
        return out


def rows_at_a_time(dim: int) -> int:
    """Return the rows of a block whose moments are summed up in float32."""
    return max(1, ROW_VALUES // max(dim, 128))


def scale_rows(rows: torch.Tensor, length: float) -> None:
    """Scale rows to a length, zeros excepted."""
    norms = rows.norm(dim=1, keepdim=True)
    rows *= torch.where(norms > 0, length / norms, torch.zeros_like(norms))


def add_moments(rows: torch.Tensor, total: torch.Tensor, gram: torch.Tensor) -> None:
    """Add the sum of rows to `total` float64 [D], and that of their outer products to `gram` float64 [D, D]."""
    total += rows.sum(dim=0, dtype=torch.float64)
    gram += rows.T @ rows


def turned(rows: torch.Tensor, shift: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
    """Return rows times `turn` [D, D'] plus `shift` [D']; rows of zeros stay zeros."""
    empty = ~rows.any(dim=1, keepdim=True)
    return torch.addmm(shift, rows, turn).masked_fill_(empty, 0.0)
