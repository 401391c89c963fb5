"""MatrixMarket: the sparse matrices of SuiteSparse and networkrepository, read by SciPy."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import numpy as np

from nodeloom.errors import DataError, describe
from nodeloom.io.formats.elements import Elements, hand_over
from nodeloom.io.formats.text import whole
from nodeloom.io.matrices import matrix_edges
from nodeloom.words import by_interface

if TYPE_CHECKING:
    from nodeloom.io.collector import EdgeCollector
    from nodeloom.io.edge_format import EdgeFormat
    from nodeloom.io.source import Source

# An entry has two digits, a blank and a line end at least.
_BYTES = 4
_SIZES = re.compile(rb"(?:[ \t\r]*(?:%[^\n]*)?\n)*[^\n]*\n")  # comments, blank lines and the sizes
_BLOCK = 1 << 20
_MORE_NODES = 1_000_000  # than edges allow: sizes are believed up to here


def read_matrix_market(source: Source, collector: EdgeCollector, form: EdgeFormat) -> None:
    """Hand the entries of a matrix to a collector; nodes are named as rows are, 1 to N.

    Raises
    ------
    DataError
        It is damaged, dense, complex, skew-symmetric or not square, or an entry is no weight.
    """
    import pyarrow as pa
    from scipy.io import mminfo, mmread

    # SciPy reads beyond the end of a last line that is not ended, and beyond a byte 0.
    content = whole(source).rstrip() + b"\n"
    where = source.name
    if b"\0" in content:
        raise DataError(f"{where}: expected a MatrixMarket file, got the byte 0. Fetch the file again.")
    try:
        rows, columns, entries, kind, field, symmetry = mminfo(io.BytesIO(content))
        if kind != "coordinate":
            raise DataError(
                f"{where}: expected a sparse matrix (coordinate), got a dense one ({kind}). "
                + by_interface(
                    "Read it with scipy.io.mmread, and use Graph.from_scipy(scipy.sparse.csr_array(...)).",
                    "Write it in the form coordinate, or as a list of edges.",
                )
            )
        if symmetry == "skew-symmetric":
            raise DataError(
                f"{where}: expected weights, got a skew-symmetric matrix, of which one of two entries is negative. "
                + by_interface("Use Graph.from_scipy(abs(scipy.io.mmread(path))).", "Write the values without signs.")
            )
        if entries * _BYTES > len(content) or max(rows, columns) > _MORE_NODES + 100 * entries:
            raise DataError(
                describe(
                    where,
                    expected=f"sizes that fit a file of {len(content):,} bytes",
                    got=f"{rows} rows, {columns} columns, {entries} entries",
                    hint="Fetch the file again.",
                )
            )
        matrix = mmread(io.BytesIO(content))
        width = {"pattern": 2, "complex": 4}.get(field, 3)
        if (found := _num_tokens(content)) != entries * width:
            hint = "Fetch the file again."
            expected = f"{entries} entries of {width} columns"
            raise DataError(describe(where, expected=expected, got=f"{found} numbers", hint=hint))
    except (ValueError, TypeError, OverflowError, IndexError, StopIteration, MemoryError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{where}: expected a whole MatrixMarket file, got: {' '.join(str(error).split())}") from None
    del content
    heads, tails, weights = matrix_edges(matrix, False if field == "pattern" else form.weighted, where)
    # SciPy has given the entries of a symmetric matrix both ways round.
    names = pa.array(np.arange(1, rows + 1))
    hand_over(Elements(names, heads, tails, weights, "perhaps both"), source, collector, form)


def _num_tokens(content: bytes) -> int:
    """Return how many numbers come after the sizes. SciPy reads the first ones of a line, and leaves the others out."""
    start = _SIZES.match(content)
    if start is None:
        return -1
    count, before = 0, True
    for first in range(start.end(), len(content), _BLOCK):
        blank = np.frombuffer(content, np.uint8, min(_BLOCK, len(content) - first), first) <= 32
        count += int(np.count_nonzero(blank[:-1] & ~blank[1:])) + (before and not blank[0])
        before = bool(blank[-1])
    return count
