"""Gathered: nodes and edges as a reader meets them, one by one, in little memory."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.errors import DataError, describe
from nodeloom.io.formats.elements import Elements, attribute_weights, node_names
from nodeloom.log import logger

if TYPE_CHECKING:
    from nodeloom.io.edge_format import EdgeFormat


class Gathered:
    """Collects nodes by their ids, their labels, and edges between ids.

    Parameters
    ----------
    where : str
        The file, for messages.
    form : EdgeFormat
        What was asked for.
    """

    def __init__(self, where: str, form: EdgeFormat) -> None:
        self.where = where
        self._form = form
        self._nodes: dict[str, int] = {}
        self._labels: list[Any] = []
        self._heads, self._tails = array("q"), array("q")
        self._arcs = bytearray()
        self._weights: list[Any] = []

    def __contains__(self, node: str) -> bool:
        return node in self._nodes

    @property
    def attribute(self) -> str:
        """The attribute of edges that holds weights: the third of the columns that were asked for, or "weight"."""
        columns = self._form.columns
        return str(columns[2]) if columns is not None and len(columns) == 3 else "weight"

    def add_node(self, node: str | None, label: str | None = None) -> None:
        """Add a node.

        Raises
        ------
        DataError
            It has no id, or one that another node has.
        """
        if node is None:
            raise DataError(describe(self.where, expected="an id for every node", got="a node without"))
        number = self._number(node)
        if self._labels[number] is not _UNSEEN:
            raise DataError(describe(self.where, expected="each node once", got=f"{node} twice"))
        self._labels[number] = label

    def _number(self, node: str) -> int:
        number = self._nodes.setdefault(node, len(self._nodes))
        if number == len(self._labels):
            self._labels.append(_UNSEEN)
        return number

    def add_edge(self, head: str | None, tail: str | None, weight: Any, directed: bool) -> None:
        """Add an edge; `weight` is None where it has none.

        Raises
        ------
        DataError
            An end is missing.
        """
        if head is None or tail is None:
            raise DataError(describe(self.where, expected="two ends of every edge", got=f"from {head} to {tail}"))
        self._heads.append(self._number(head))
        self._tails.append(self._number(tail))
        self._arcs.append(directed)
        self._weights.append(weight)

    def direct(self) -> None:
        """Say that all edges are arcs."""
        self._arcs = bytearray(b"\1") * len(self._arcs)

    def finish(self, *, ones_are_none: bool = False) -> Elements:
        """Return what was collected. Nodes are named by their labels where all have one and no two the same.

        Parameters
        ----------
        ones_are_none : bool
            Whether weights that are all 1 are what a program writes where there are none.

        Raises
        ------
        DataError
            An edge ends at a node that there is not, or a weight is no positive, finite number.
        """
        undeclared = next((node for node, i in self._nodes.items() if self._labels[i] is _UNSEEN), None)
        if undeclared is not None:
            raise DataError(
                describe(self.where, expected="the ends of edges among the nodes", got=undeclared, hint="Is it cut?")
            )
        ids = list(self._nodes)
        names = node_names(self._names(ids), self.where)
        heads, tails = (np.frombuffer(ends, np.int64) if len(ends) else np.empty(0, np.int64)
                        for ends in (self._heads, self._tails))  # fmt: skip
        weights = self._checked_weights(len(heads), ones_are_none)
        arcs = np.frombuffer(bytes(self._arcs), np.bool_)
        if arcs.any() and not arcs.all() and self._form.directed:  # of the others an arc each way
            back = ~arcs & (heads != tails)
            heads, tails = np.append(heads, tails[back]), np.append(tails, heads[back])
            weights = None if weights is None else np.append(weights, weights[back])
        return Elements(names, heads, tails, weights, "directed" if arcs.any() else "once")

    def _names(self, ids: list[str]) -> list[str]:
        labels = [label for label in self._labels if label]
        if not labels:
            return ids
        if len(labels) == len(ids) == len(set(labels)):
            return labels
        logger.warning(
            "%s: nodes are named by their ids, because %s.",
            self.where,
            "some have no label" if len(labels) < len(ids) else "labels are there more than once",
        )
        return ids

    def _checked_weights(self, num_edges: int, ones_are_none: bool) -> Any:
        columns = self._form.columns
        there = any(weight is not None for weight in self._weights)
        if columns is not None and len(columns) == 3 and not there:
            raise DataError(
                describe(self.where, expected=f"an attribute {columns[2]!r} of edges", got="none of that name")
            )
        if self._form.weighted is False or not there:
            return None
        weights = attribute_weights(self._weights, self.attribute, num_edges, self.where)
        self._weights.clear()
        return None if ones_are_none and self._form.weighted == "auto" and (weights == 1).all() else weights


_UNSEEN: Any = object()
