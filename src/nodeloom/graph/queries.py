"""Asking a graph: which nodes and edges there are, by name or by id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import numpy.typing as npt

from nodeloom.errors import GraphError
from nodeloom.graph.rows import GraphRows
from nodeloom.io.vocabulary import name_array
from nodeloom.kernels.cpu import adjacency
from nodeloom.kernels.cpu.parallel import available_threads

if TYPE_CHECKING:
    from typing import Self

    from nodeloom.typing import IndexArray, NodeName, OffsetArray

Ids = npt.NDArray[np.int64]


class GraphQueries(GraphRows):
    """What a :class:`~nodeloom.graph.Graph` can be asked.

    A node is meant by its name, and the answer has names. With ``ids=True`` it is meant by its id, from 0 to N - 1, and the
    answer has ids. Where the names are 0 to N - 1 both are the same. As everywhere, a number and its digits are one name.
    """

    def __len__(self) -> int:
        return self.num_nodes

    def __contains__(self, name: object) -> bool:
        return name in self.names

    @overload
    def neighbors(self, node: NodeName, *, ids: Literal[False] = False) -> list[NodeName]: ...
    @overload
    def neighbors(self, node: int, *, ids: Literal[True]) -> IndexArray: ...
    def neighbors(self, node: NodeName, *, ids: bool = False) -> list[NodeName] | IndexArray:
        """Return the neighbours of a node (directed: where its edges lead), by ascending id.

        Parameters
        ----------
        node : str or int
            Name of the node.
        ids : bool
            Whether `node` is an id, and the answer is ids: int32 or int64 [degree], read-only.

        Raises
        ------
        UnknownNodeError
            There is no node of this name.
        GraphError
            There is no node of this id.
        """
        row = self._node(node, ids)
        found = self.indices[self.indptr[row] : self.indptr[row + 1]]
        return found if ids else self.names.take(found)

    def degree(self, node: NodeName, *, ids: bool = False) -> int:
        """Return the number of entries in the row of a node (directed: its out-degree); parameters as in :meth:`neighbors`."""
        row = self._node(node, ids)
        return int(self.indptr[row + 1] - self.indptr[row])

    def has_edges(self, heads: npt.ArrayLike, tails: npt.ArrayLike, *, ids: bool = False) -> npt.NDArray[np.bool_]:
        """Tell for each pair of nodes whether there is an edge from the head to the tail.

        Parameters
        ----------
        heads, tails : names [k]
            Names of nodes.
        ids : bool
            Whether they are ids, such as :meth:`edge_columns` gives.

        Returns
        -------
        bool [k]

        Raises
        ------
        UnknownNodeError
            There is no node of a name.
        GraphError
            The columns differ in length, or an id is not a node.
        """
        return self._find(heads, tails, ids)[0] >= 0

    def remove_edges(
        self,
        heads: npt.ArrayLike,
        tails: npt.ArrayLike,
        *,
        missing: Literal["raise", "ignore"] = "raise",
        ids: bool = False,
    ) -> Self:
        """Return the graph without these edges, on the same nodes with the same names.

        All parallel entries of a pair go; in an undirected graph both directions go, whichever way round the pair is
        given.

        Parameters
        ----------
        heads, tails : names [k]
            Names of nodes.
        missing : {"raise", "ignore"}
            What to do with a pair that is not an edge.
        ids : bool
            Whether they are ids, such as :meth:`edge_columns` gives.

        Raises
        ------
        UnknownNodeError
            There is no node of a name.
        GraphError
            A pair is not an edge and `missing` is "raise", or an id is not a node.
        """
        positions, h, t = self._find(heads, tails, ids)
        if missing == "raise" and (positions < 0).any():
            i = int(np.flatnonzero(positions < 0)[0])
            pair = (int(h[i]), int(t[i])) if ids else (self.names[int(h[i])], self.names[int(t[i])])
            raise GraphError(
                f"remove_edges: expected edges of the graph, got the pair {pair!r} in row {i}. "
                'Pass missing="ignore" to pass over pairs that are not edges.'
            )
        keep = np.ones(len(self.indices), np.bool_)
        self._drop(keep, positions, h, t)
        if not self.directed:
            self._drop(keep, self._find(t, h, True)[0], t, h)
        kept = np.zeros(len(self) + 1, np.int64)
        if len(keep):
            # reduceat gives a row without entries its next entry instead of 0, so only the others are asked.
            rows = np.flatnonzero(self.degrees)
            kept[rows + 1] = np.add.reduceat(keep, self.indptr[rows], dtype=np.int64)
        weights = None if self.weights is None else self.weights[keep]
        return self._of_rows(np.cumsum(kept), self.indices[keep], weights, self.names, self.directed)

    def _node(self, node: Any, ids: bool) -> int:
        """Return the id of a node that is meant by its name or its id."""
        if not ids:
            return int(self.names.find([node])[0])
        if isinstance(node, bool) or not isinstance(node, int | np.integer) or not 0 <= node < len(self):
            raise GraphError(f"node: expected an id from 0 to {len(self) - 1}, got {node!r}")
        return int(node)

    def _find(self, heads: npt.ArrayLike, tails: npt.ArrayLike, ids: bool) -> tuple[OffsetArray, Ids, Ids]:
        """Return the position of the first entry of each pair, or -1, and the pairs as int64 ids."""
        h, t = (self._column(column, ids) for column in (heads, tails))
        if h.shape != t.shape or h.ndim != 1:
            raise GraphError(f"pairs: expected two columns of one length, got shapes {h.shape} and {t.shape}")
        for column, what in ((h, "head"), (t, "tail")):
            if len(column) and column.dtype.kind not in "iu":
                raise GraphError(f"pairs: expected integer node ids, got {what}s of type {column.dtype}")
            if len(column) and not (column.min() >= 0 and column.max() < len(self)):
                wrong = column[(column < 0) | (column >= len(self))][0]
                raise GraphError(f"pairs: expected node ids from 0 to {len(self) - 1}, got {what} {int(wrong)}")
        h, t = np.ascontiguousarray(h, np.int64), np.ascontiguousarray(t, np.int64)
        return adjacency.find_edges(self.indptr, self.indices, h, t, num_thread=available_threads()), h, t

    def _column(self, column: Any, ids: bool) -> npt.NDArray[Any]:
        """Return ids of what may be names."""
        if ids:
            return np.atleast_1d(np.asarray(column))
        queries = name_array(column)
        # Names that are the ids need not be looked up, and their errors name the row's side.
        return queries.to_numpy() if self.names.is_range and queries.type == "int64" else self.names.find(queries)

    def _drop(self, keep: npt.NDArray[np.bool_], positions: OffsetArray, heads: Ids, tails: Ids) -> None:
        """Clear `keep` at the first entries of the pairs and at the parallel ones that follow."""
        here = positions >= 0
        place, end, tail = positions[here], self.indptr[heads[here] + 1], tails[here]
        while len(place):
            keep[place] = False
            place = place + 1
            more = place < end
            more[more] = self.indices[place[more]] == tail[more]
            place, end, tail = place[more], end[more], tail[more]
