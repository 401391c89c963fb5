"""From edges to compressed sparse rows: the checks at the door, the options, and the call of the kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from nodeloom.errors import ConfigError, DataError, GraphError, MemoryLimitError
from nodeloom.kernels.cpu import adjacency, csr
from nodeloom.kernels.cpu.parallel import available_threads, run_slices
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.typing import Auto, FloatArray, IndexArray, OffsetArray

Duplicates: TypeAlias = Literal["auto", "sum", "first", "max", "keep"]
"""What becomes of parallel edges."""

SelfLoops: TypeAlias = Literal["keep", "drop"]
"""What becomes of edges from a node to itself."""

_INT32 = 2**31 - 1
# Checks look at this many values at a time, so that their temporaries stay small beside the graph.
_STRIDE = 1 << 20
# A thread takes as long to start as this many edges to be built.
_SHARE = 1 << 13


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How edges become a graph; see :meth:`nodeloom.graph.Graph.from_edges` for what each option does.

    Raises
    ------
    ConfigError
        A value is not one of those allowed.
    """

    directed: bool = False
    duplicates: Duplicates = "auto"
    self_loops: SelfLoops = "keep"
    normalization: bool = False
    num_thread: int | Auto = "auto"

    def __post_init__(self) -> None:
        for name, value in (("directed", self.directed), (setting("graph.normalization"), self.normalization)):
            if not isinstance(value, bool | int | np.bool_) or value not in (True, False):
                raise ConfigError(f"{name}: expected True or False, got {value!r}")
        for name, kind in (("duplicates", Duplicates), ("self_loops", SelfLoops)):
            value = getattr(self, name)
            if value not in get_args(kind):
                allowed = ", ".join(map(repr, get_args(kind)))
                raise ConfigError(f"{setting(f'graph.{name}')}: expected one of {allowed}, got {value!r}")
        if self.num_thread != "auto" and not (isinstance(self.num_thread, int) and self.num_thread >= 1):
            raise ConfigError(
                f"{setting('resource.num_thread')}: expected 'auto' or a whole number of at least 1, got {self.num_thread!r}"
            )

    @property
    def threads(self) -> int:
        """The number of threads, with "auto" decided: the CPUs this process may use."""
        return available_threads() if self.num_thread == "auto" else int(self.num_thread)


def index_dtype(num_nodes: int) -> type[np.int32] | type[np.int64]:
    """Return the dtype of node ids in a graph of `num_nodes`: int32, or int64 above 2^31 - 1 nodes."""
    return np.int32 if num_nodes <= _INT32 else np.int64


def check_ids(ids: npt.NDArray[Any], num_nodes: int | None, what: str) -> int:
    """Refuse ids below 0 or at and above `num_nodes`; return the largest id, or -1 of none.

    Raises
    ------
    DataError
        With the first wrong id and its row.
    """

    def largest_of(first: int, last: int) -> int:
        largest = -1
        for start in range(first, last, _STRIDE):
            part = ids[start : min(start + _STRIDE, last)]
            low, high = int(part.min()), int(part.max())
            if low < 0 or (num_nodes is not None and high >= num_nodes):
                wrong = (part < 0) if num_nodes is None else (part < 0) | (part >= num_nodes)
                row = start + int(np.flatnonzero(wrong)[0])
                allowed = "at least 0" if num_nodes is None else f"from 0 to {num_nodes - 1}"
                raise DataError(
                    f"edges: expected node ids {allowed}, got {what} {int(ids[row])} in row {row}. "
                    "Give names=... if the nodes have names, or a greater num_nodes."
                )
            largest = max(largest, high)
        return largest

    # The error of the first slice counts, so that the row is the first.
    threads = min(available_threads(), -(-len(ids) // _STRIDE))
    return max(run_slices(largest_of, len(ids), threads), default=-1)


def implied_nodes(largest: int, num_edges: int) -> int:
    """Return the number of nodes that the largest id implies; refuse one that is no number of a node.

    Raises
    ------
    GraphError
        Nearly all nodes would be without edges: the ids are names.
    """
    if largest > 10_000_000 + 100 * num_edges:
        raise GraphError(
            f"edges: expected node ids from 0 to N - 1, got the id {largest:,} among {num_edges:,} edges. If the ids are "
            "names, use Graph.from_arrow or text; if nodes without edges are meant, give num_nodes."
        )
    return largest + 1


def build(edges: list[Any], num_nodes: int, options: BuildOptions) -> tuple[OffsetArray, IndexArray, FloatArray | None]:
    """Build the rows of a graph.

    Parameters
    ----------
    edges : list
        ``[heads, tails, weights]``: ids [E] in ``[0, num_nodes)`` of any type of integer, and float32 [E] or None.
        Emptied, so that the edges can be freed while the rows are built. Ids of the type of `indices` are not copied.
    num_nodes : int
        N.
    options : BuildOptions

    Returns
    -------
    indptr : int64 [N + 1]
    indices : int32 (int64 above 2^31 - 1 nodes) [nnz]
    weights : float32 [nnz] or None

    Raises
    ------
    GraphError
        There are no nodes, or merged weights are infinite.
    MemoryLimitError
        The memory does not suffice.
    """
    if num_nodes < 1:
        raise GraphError("graph: expected at least one node, got none. Give edges, or num_nodes for isolated nodes.")
    num_edges = len(edges[0])
    try:
        return _build(edges, num_nodes, options)
    except MemoryError:
        raise MemoryLimitError(
            f"graph: {num_nodes:,} nodes and {num_edges:,} edges do not fit the memory. "
            "Number the nodes without gaps, or use a machine with more memory."
        ) from None


def _build(
    edges: list[Any], num_nodes: int, options: BuildOptions
) -> tuple[OffsetArray, IndexArray, FloatArray | None]:
    dtype = index_dtype(num_nodes)
    num_edges = len(edges[0])
    for side in (0, 1):
        # Kernels are compiled for arrays that can be written to. Columns of an array of edges stay where they are.
        if edges[side].dtype != dtype or not (edges[side].flags.writeable and edges[side].flags.aligned):
            edges[side] = np.ascontiguousarray(edges[side], dtype)
    merge = options.duplicates
    if merge == "auto":
        merge = "first" if edges[2] is None else "sum"
    elif merge == "sum" and edges[2] is None:
        edges[2] = np.ones(len(edges[0]), np.float32)
    indptr, indices, weights = csr.build_csr_consuming(
        edges,
        num_nodes,
        symmetric=not options.directed,
        keep_loops=options.self_loops == "keep",
        merge=merge,
        num_thread=min(options.threads, 1 + num_edges // _SHARE),
    )
    if weights is not None and merge == "sum" and len(weights) and not np.isfinite(weights.max()):
        raise GraphError(
            "graph: expected the weights of parallel edges to have a sum within float32, got infinity. "
            "Scale the weights."
        )
    if options.normalization and len(indices):
        weights = normalize(indptr, indices, weights, options)
        if not weights.min() > 0:
            raise GraphError(
                "graph: expected normalized weights within float32, got 0. The weights differ too much: leave out the least ones."
            )
    return indptr, indices, weights


def normalize(
    indptr: OffsetArray, indices: IndexArray, weights: FloatArray | None, options: BuildOptions
) -> FloatArray:
    """Return GraphVite's normalised weights ``w / sqrt(out_w(u) in_w(v))`` of all entries; float32 [nnz]."""
    threads = options.threads
    out_weight = (
        np.diff(indptr).astype(np.float64)
        if weights is None
        else adjacency.row_sums(indptr, weights, num_thread=threads)
    )
    in_weight = adjacency.column_sums(indices, weights, len(indptr) - 1) if options.directed else out_weight
    return adjacency.normalize(indptr, indices, weights, out_weight, in_weight, num_thread=threads)
