"""From runs of edges on the disk to rows: cut by ranges of nodes until a range fits the memory, then built one by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.graph.build import BuildOptions, build
from nodeloom.graph.ranges import bucket_bits, cut, range_bytes
from nodeloom.kernels.cpu import runs as kernels
from nodeloom.typing import FloatArray, IndexArray, OffsetArray

if TYPE_CHECKING:
    from nodeloom.graph.normalizing import Normalizer
    from nodeloom.graph.writing import GraphWriter
    from nodeloom.io.spill import Run, SpillFolder

Blocks = Iterable[tuple[IndexArray, IndexArray, FloatArray]]
"""Blocks of heads, tails (int32 [k]) and weights (float32 [k], or [0] for none)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Range:
    """Entries whose rows (or, of one long row, whose columns) are from `first` to before `last`."""

    run: Run
    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first


class RangeBuilder:
    """Builds the rows of a graph range by range, and hands them to a writer in their order.

    A range that does not fit is cut again, by finer counts; a row that does not fit by its columns; and of a pair of nodes
    that does not fit, the entries are merged as they are read. So every graph comes to an end, however skewed.

    Parameters
    ----------
    folder : SpillFolder
        Where runs go.
    options : BuildOptions
    weighted : bool
        Whether edges have weights.
    num_nodes : int
        N.
    capacity : int
        Bytes that a range may take.
    rows : int
        Edges that are moved at a time.
    """

    def __init__(
        self, folder: SpillFolder, options: BuildOptions, weighted: bool, num_nodes: int, capacity: int, rows: int
    ) -> None:
        self._folder = folder
        self._weighted = weighted
        self.num_nodes = num_nodes
        self._capacity = capacity
        self._rows = rows
        self._symmetric = not options.directed
        self._loops = options.self_loops == "keep"
        # Both directions are in the runs, and self-loops only if they stay. To normalise takes the sums of all rows.
        self._inner = dataclasses.replace(options, directed=True, self_loops="keep", normalization=False)

    def count(self, blocks: Blocks) -> OffsetArray:
        """Return how many entries the edges of a graph make, by buckets of rows; int64 [B]."""
        return self._count(blocks, 0, self.num_nodes, self._symmetric, self._loops)

    def partition(self, blocks: Blocks, counts: OffsetArray) -> list[Range]:
        """Write the entries of edges, which were counted, to runs by ranges of rows; return these in their order."""
        return self._move(blocks, counts, 0, self.num_nodes, self._symmetric, self._loops)

    def build(self, span: Range, writer: GraphWriter, normalizer: Normalizer | None) -> None:
        """Build the rows of a range; its run is removed.

        Raises
        ------
        GraphError
            Merged weights are infinite.
        """
        if self._fits(span.run, len(span)):
            indptr, indices, weights = self._built(span.run, span.first, len(span))
            writer.add_loops(kernels.count_diagonal(indptr, indices, span.first))
            writer.add_entries(indices, weights)
            writer.add_degrees(np.diff(indptr))
            if normalizer is not None:
                normalizer.add_rows(span.first, indptr, indices, weights)
        elif len(span) > 1:
            for part in self._split(span.run, span, by_column=False):
                self.build(part, writer, normalizer)
        else:
            before = writer.num_entry
            self._build_row(Range(span.run, 0, self.num_nodes), span.first, writer, normalizer)
            writer.add_degrees(np.array([writer.num_entry - before]))
            if normalizer is not None:
                normalizer.add_long_row(span.first, before, writer.num_entry)

    def _build_row(self, span: Range, row: int, writer: GraphWriter, normalizer: Normalizer | None) -> None:
        """Build the entries of a row that is longer than the memory, between two columns."""
        if not self._fits(span.run, 1) and len(span) > 1:
            for part in self._split(span.run, span, by_column=True):
                self._build_row(part, row, writer, normalizer)
            return
        fits = self._fits(span.run, 1)
        parts = [self._built(span.run, row, 1)[1:]] if fits else self._merged_pair(span.run)
        for indices, weights in parts:
            writer.add_loops(kernels.count_diagonal(np.array([0, len(indices)]), indices, row))
            writer.add_entries(indices, weights)
            if normalizer is not None:
                normalizer.add_entries(indices, weights)

    def _fits(self, run: Run, num_row: int) -> bool:
        return range_bytes(run.num_rows, num_row, self._weighted) <= self._capacity

    def _built(self, run: Run, first: int, num_row: int) -> tuple[OffsetArray, IndexArray, FloatArray | None]:
        """Read, sort and merge the entries of some rows."""
        # A list that holds the only references, so that the entries are freed as soon as they are sorted.
        edges: list[Any] = list(run.read()) or [np.empty(0, np.int32), np.empty(0, np.int32)]
        run.remove()
        edges[0] -= np.int32(first)
        if len(edges) == 2:
            edges.append(np.empty(0, np.float32) if self._weighted else None)
        return build(edges, num_row, self._inner)

    def _merged_pair(self, run: Run) -> Iterable[tuple[IndexArray, FloatArray | None]]:
        """Yield the entries of a pair of nodes that is there more often than the memory holds, merged."""
        merge = self._inner.duplicates
        total = None
        for _, columns, *weights in run.blocks(self._rows):
            if merge == "keep":
                yield columns, weights[0] if weights else None
                continue
            values = weights[0].astype(np.float64) if weights else np.ones(len(columns))
            if merge == "sum" or (merge == "auto" and self._weighted):
                # One after the other in float64, as the kernel adds them.
                total = np.cumsum(np.append(0.0 if total is None else total, values))[-1]
            elif merge == "max":
                total = max(values.max(), values[0] if total is None else total)
            elif total is None:
                total = values[0]
        if total is not None:
            with np.errstate(over="ignore"):
                weight = np.array([total], np.float32) if self._weighted or merge == "sum" else None
            # Of one entry it makes itself, and has the word if it is infinite.
            yield build([np.zeros(1, np.int32), columns[:1].copy(), weight], 1, self._inner)[1:]
        run.remove()

    def _split(self, run: Run, span: Range, *, by_column: bool) -> list[Range]:
        """Cut a range that does not fit; its run is removed."""

        def blocks() -> Blocks:
            none = np.empty(0, np.float32)
            for rows, columns, *weights in run.blocks(self._rows):
                keys, others = (columns, rows) if by_column else (rows, columns)
                yield keys, others, weights[0] if weights else none

        counts = self._count(blocks(), span.first, span.last, False, True)
        parts = self._move(blocks(), counts, span.first, span.last, False, True, by_column=by_column)
        run.remove()
        return parts

    def _count(self, blocks: Blocks, first: int, last: int, symmetric: bool, loops: bool) -> OffsetArray:
        shift = bucket_bits(last - first)
        counts = np.zeros(((last - first - 1) >> shift) + 1, np.int64)
        for heads, tails, _ in blocks:
            kernels.count_entries(heads, tails, first, shift, symmetric, loops, counts)
        return counts

    def _move(
        self,
        blocks: Blocks,
        counts: OffsetArray,
        first: int,
        last: int,
        symmetric: bool,
        loops: bool,
        *,
        by_column: bool = False,
    ) -> list[Range]:
        """Write the entries of edges to runs, each the bytes of a range of keys: the heads that blocks yield."""
        shift = bucket_bits(last - first)
        bounds, run_of = cut(counts, shift, last - first, self._weighted, self._capacity)
        runs = [self._folder.new_run() for _ in range(len(bounds) - 1)]
        for heads, tails, weights in blocks:
            here = np.zeros_like(counts)
            kernels.count_entries(heads, tails, first, shift, symmetric, loops, here)
            ends = np.cumsum(np.bincount(run_of, here, minlength=len(runs)).astype(np.int64))
            cursor = ends - np.diff(ends, prepend=0)
            keys, others = np.empty(ends[-1], np.int32), np.empty(ends[-1], np.int32)
            values = np.empty(ends[-1] if self._weighted else 0, np.float32)
            kernels.move_entries(
                heads, tails, weights, first, shift, run_of, symmetric, loops, cursor, keys, others, values
            )
            rows, columns = (others, keys) if by_column else (keys, others)
            for run, start, end in zip(runs, [0, *ends[:-1].tolist()], ends.tolist(), strict=True):
                entries: list[npt.NDArray[Any]] = [rows[start:end], columns[start:end]]
                run.append(*entries, *([values[start:end]] if self._weighted else []))
        return [
            Range(run, first + a, first + b)
            for run, a, b in zip(runs, bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
        ]
