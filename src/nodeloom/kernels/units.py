"""Units: the work items of a block, each some heads that share negatives. Numbers that planning needs as well as the kernels."""

from __future__ import annotations

CPU_HEADS = 32
"""Heads of a unit on the CPU."""

_SIZE = 2048  # numbers of the rows of a unit on a GPU, about
_MATRICES = 256  # columns up to which there are enough heads for tensor cores
_WARPS = 16  # that fit a multiprocessor


def heads_for(dim: int) -> int:
    """Return how many heads a unit has on a GPU, on rows of `dim` columns: a power of two, so many that a unit keeps few registers.

    Dim 128 on an H100: 1.63 G pairs/s with 16 heads, 1.57 with 32. Below 16 tensor cores are of no use.
    """
    columns = _columns(dim)
    return max(16 if columns <= _MATRICES else 1, min(32, _SIZE // columns))


def warps_for(heads_per_unit: int, dim: int) -> int:
    """Return the warps of a program: one for each 512 numbers of the rows of a unit."""
    return max(1, min(8, heads_per_unit * _columns(dim) // 512))


def programs_for(heads_per_unit: int, dim: int, num_multiprocessor: int) -> int:
    """Return how many programs run at a time on a GPU, if nothing keeps them from it."""
    return num_multiprocessor * max(1, _WARPS // warps_for(heads_per_unit, dim))


def _columns(dim: int) -> int:
    """Return the columns of a row in registers: a power of two."""
    return max(16, 1 << (dim - 1).bit_length())
