"""Labels: which nodes have which classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from nodeloom.errors import DataError, describe


@dataclass(frozen=True)
class Labels:
    """Pairs of nodes and classes, each once, sorted by node and class. Make one with :meth:`from_pairs` or a reader.

    Attributes
    ----------
    nodes : ndarray, int64 [k]
        Node ids.
    classes : ndarray, int32 [k]
        Class of each, from 0 to C - 1.
    class_names : tuple of str
        What the C classes are called.
    num_nodes : int
        N: nodes of the graph, labelled or not.
    """

    nodes: npt.NDArray[np.int64]
    classes: npt.NDArray[np.int32]
    class_names: tuple[str, ...]
    num_nodes: int

    @classmethod
    def from_pairs(
        cls,
        nodes: npt.ArrayLike,
        classes: npt.ArrayLike,
        class_names: Sequence[str] | None = None,
        *,
        num_nodes: int | None = None,
    ) -> Labels:
        """Make labels from pairs in any order; a pair that is listed twice counts once.

        Parameters
        ----------
        nodes : array_like, int [k]
            Node ids.
        classes : array_like, int [k]
            Class of each, from 0.
        class_names : sequence of str, optional
            Names of the classes, "0", "1", ... by default.
        num_nodes : int, optional
            Nodes of the graph; one more than the largest id by default.

        Raises
        ------
        DataError
            If the lengths differ, or an id or a class is out of range.
        """
        node_ids, class_ids = np.asarray(nodes), np.asarray(classes)
        if node_ids.ndim != 1 or node_ids.shape != class_ids.shape:
            got = f"{node_ids.shape} nodes, {class_ids.shape} classes"
            raise DataError(describe("labels", expected="as many classes as nodes", got=got))
        if node_ids.size and not (_is_integer(node_ids) and _is_integer(class_ids)):
            got = f"{node_ids.dtype} nodes, {class_ids.dtype} classes"
            raise DataError(describe("labels", expected="integers", got=got))
        if num_nodes is None:
            num_nodes = int(node_ids.max()) + 1 if node_ids.size else 0
        if class_names is None:
            class_names = [str(i) for i in range(int(class_ids.max()) + 1 if class_ids.size else 0)]
        for what, ids, limit in (("node", node_ids, num_nodes), ("class", class_ids, len(class_names))):
            if ids.size and not (ids.min() >= 0 and ids.max() < limit):
                wrong = int(ids.min()) if ids.min() < 0 else int(ids.max())
                raise DataError(describe("labels", expected=f"a {what} from 0 to {limit - 1}", got=wrong))
        keys = np.unique(node_ids.astype(np.int64) * max(1, len(class_names)) + class_ids.astype(np.int64))
        node_ids, class_ids = np.divmod(keys, max(1, len(class_names)))
        return cls(node_ids, class_ids.astype(np.int32), tuple(map(str, class_names)), int(num_nodes))

    @property
    def num_classes(self) -> int:
        """C."""
        return len(self.class_names)

    @cached_property
    def labelled(self) -> npt.NDArray[np.int64]:
        """The nodes that have a label, each once, rising: int64 [M]."""
        return np.unique(self.nodes)

    def indicator(self) -> sparse.csr_matrix:
        """Return bool [M, C]: which of the labelled nodes, in the order of :attr:`labelled`, has which class."""
        rows = np.searchsorted(self.labelled, self.nodes)
        ones = np.ones(len(rows), dtype=bool)
        return sparse.csr_matrix((ones, (rows, self.classes)), shape=(len(self.labelled), self.num_classes))


def _is_integer(array: npt.NDArray[Any]) -> bool:
    return bool(np.issubdtype(array.dtype, np.integer))
