"""Rows: the arrays of a graph, checked, and what follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import GraphError, describe
from nodeloom.graph.fingerprint import fingerprint
from nodeloom.graph.soundness import check_rows, checked_arrays
from nodeloom.io.vocabulary import Vocabulary
from nodeloom.kernels.cpu import adjacency
from nodeloom.kernels.cpu.parallel import available_threads
from nodeloom.keywords import known_keywords

if TYPE_CHECKING:
    from typing import Self

    from nodeloom.typing import DoubleArray, FloatArray, IndexArray, OffsetArray


class GraphRows:
    """Compressed sparse rows with names; see :class:`nodeloom.graph.Graph` for parameters and attributes."""

    @known_keywords()
    def __init__(
        self,
        indptr: OffsetArray,
        indices: IndexArray,
        weights: FloatArray | None = None,
        names: Vocabulary | None = None,
        directed: bool = False,
    ) -> None:
        rows = checked_arrays(indptr, indices, weights)
        num_loops = check_rows(*rows, bool(directed))
        names = Vocabulary.range(len(rows[0]) - 1) if names is None else names
        if len(names) != len(rows[0]) - 1:
            raise GraphError(describe("names", expected=f"one for each of {len(rows[0]) - 1} nodes", got=len(names)))
        self._put(*rows, names, directed)
        self._cache["num_loops"] = num_loops

    @classmethod
    def _of_rows(
        cls,
        indptr: OffsetArray,
        indices: IndexArray,
        weights: FloatArray | None,
        names: Vocabulary,
        directed: bool,
    ) -> Self:
        """Return the graph of rows that we have built, and need not look at again."""
        graph = cls.__new__(cls)
        graph._put(indptr, indices, weights, names, directed)
        return graph

    def _put(
        self,
        indptr: OffsetArray,
        indices: IndexArray,
        weights: FloatArray | None,
        names: Vocabulary,
        directed: bool,
    ) -> None:
        self.indptr = read_only(indptr)
        self.indices = read_only(indices)
        self.weights = None if weights is None else read_only(weights)
        self.names = names
        self.directed = bool(directed)
        self._cache: dict[str, Any] = {}

    @property
    def num_nodes(self) -> int:
        """N, nodes without edges included."""
        return len(self.indptr) - 1

    @property
    def num_edges(self) -> int:
        """Number of edges (directed: of arcs) after merging. An undirected edge, and a self-loop, count once."""
        if self.directed:
            return len(self.indices)
        return (len(self.indices) + self.num_loops) // 2

    @property
    def num_loops(self) -> int:
        """Number of self-loops."""
        if "num_loops" not in self._cache:
            self._cache["num_loops"] = adjacency.count_loops(self.indptr, self.indices, num_thread=available_threads())
        return self._cache["num_loops"]

    @property
    def is_weighted(self) -> bool:
        """Whether there are weights."""
        return self.weights is not None

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays and of the names."""
        weights = 0 if self.weights is None else self.weights.nbytes
        return self.indptr.nbytes + self.indices.nbytes + weights + self.names.nbytes

    @property
    def degrees(self) -> OffsetArray:
        """Number of entries in the row of each node (directed: out-degree); int64 [N]."""
        if "degrees" not in self._cache:
            self._cache["degrees"] = read_only(np.diff(self.indptr))
        return self._cache["degrees"]

    @property
    def strengths(self) -> DoubleArray:
        """Sum of the weights in the row of each node, the degree where there are none; float64 [N]."""
        if "strengths" not in self._cache:
            if self.weights is None:
                sums = self.degrees.astype(np.float64)
            else:
                sums = adjacency.row_sums(self.indptr, self.weights, num_thread=available_threads())
            self._cache["strengths"] = read_only(sums)
        return self._cache["strengths"]

    @property
    def in_strengths(self) -> DoubleArray:
        """Sum of the weights of the edges into each node; float64 [N]. Undirected: the same as :attr:`strengths`."""
        if not self.directed:
            return self.strengths
        if "in_strengths" not in self._cache:
            self._cache["in_strengths"] = read_only(adjacency.column_sums(self.indices, self.weights, self.num_nodes))
        return self._cache["in_strengths"]

    def edge_columns(self) -> tuple[IndexArray, IndexArray, FloatArray | None]:
        """Return all edges as columns: ids of heads [E] and of tails [E], and weights [E] or None.

        An undirected edge comes once, with its smaller end as the head. The order is that of the rows.
        """
        heads = np.repeat(np.arange(self.num_nodes, dtype=self.indices.dtype), self.degrees)
        if self.directed:
            return heads, self.indices.copy(), None if self.weights is None else self.weights.copy()
        once = heads <= self.indices
        return heads[once], self.indices[once], None if self.weights is None else self.weights[once]

    def fingerprint(self) -> str:
        """Return a hash of structure and weights (not of the names), by which a model recognises its graph.

        Computed once, at about 1 GB/s and thread; a compiled graph carries it.
        """
        if "fingerprint" not in self._cache:
            self._cache["fingerprint"] = fingerprint(self.indptr, self.indices, self.weights, self.directed)
        return self._cache["fingerprint"]


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a view of an array that cannot be written to."""
    # A view: the caller's own array keeps its flags.
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view
