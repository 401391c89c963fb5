"""What is known of a query: its answers among the triples, and the entities that stand in its slot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nodeloom.kernels.cpu.triples import mark_members
from nodeloom.sampling.triples import kept

if TYPE_CHECKING:
    import numpy.typing as npt

    from nodeloom.graph import KnowledgeGraph
    from nodeloom.model.objective import EntityNegatives
    from nodeloom.typing import IndexArray, OffsetArray


class Lists:
    """Ascending items of keys.

    Parameters
    ----------
    keys : int64 [M]
        A key for each item.
    items : int32 [M]
        The items; those of one key once each.
    """

    def __init__(self, keys: OffsetArray, items: IndexArray) -> None:
        order = np.lexsort((items, keys))
        keys, items = keys[order], items[order]
        first = np.ones(len(keys), np.bool_)
        first[1:] = (keys[1:] != keys[:-1]) | (items[1:] != items[:-1])
        keys, self.items = keys[first], np.ascontiguousarray(items[first])
        self.keys, begins = np.unique(keys, return_index=True)
        self.bounds = np.append(begins, len(keys)).astype(np.int64)

    def members(self, keys: OffsetArray, candidates: IndexArray, count: int) -> npt.NDArray[np.bool_]:
        """Return which candidates are among the items of each key, bool [B, K]; all `count` entities if there are no candidates."""
        rows = np.searchsorted(self.keys, keys)
        rows[rows == len(self.keys)] = 0
        rows = np.where(self.keys[rows] == keys, rows, -1)
        marked = np.empty((len(keys), len(candidates) or count), np.bool_)
        mark_members(rows, self.bounds, self.items, candidates, marked)
        return marked


class LeftOut:
    """The negatives that do not count: known answers, and entities that never stand in the slot that is asked for.

    Parameters
    ----------
    graph : KnowledgeGraph
        The triples.
    negatives : EntityNegatives
        Says which are left out.

    Attributes
    ----------
    known, slots : Lists or None
        The answers of a query, by relation row times N plus head, and the entities of a slot, by relation row; None if they all count.
    """

    def __init__(self, graph: KnowledgeGraph, negatives: EntityNegatives) -> None:
        heads, relations, tails, _ = kept(graph)
        self._count = graph.num_entities
        both = np.concatenate([2 * relations.astype(np.int64), 2 * relations.astype(np.int64) + 1])
        asked, answers = np.concatenate([heads, tails]), np.concatenate([tails, heads])
        self.known = Lists(both * self._count + asked, answers) if negatives.without_known else None
        self.slots = Lists(both, answers) if negatives.typed else None

    def of(self, heads: IndexArray, relations: IndexArray, candidates: IndexArray) -> npt.NDArray[np.bool_]:
        """Return the candidates that do not count for each query, bool [B, K]; of all entities if there are none."""
        left = np.zeros((len(heads), len(candidates) or self._count), np.bool_)
        rows = relations.astype(np.int64)
        if self.known is not None:
            left |= self.known.members(rows * self._count + heads, candidates, self._count)
        if self.slots is not None:
            left |= ~self.slots.members(rows, candidates, self._count)
        return left
