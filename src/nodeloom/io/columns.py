"""Edge columns: what every reader of edges hands to the graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodeloom.typing import FloatArray, IndexArray

if TYPE_CHECKING:
    from nodeloom.io.vocabulary import Vocabulary


@dataclass(slots=True)
class EdgeColumns:
    """Edges as columns of node ids, with the names of the nodes.

    Attributes
    ----------
    heads, tails : int32 or int64 [E]
        Node ids in ``[0, len(names))``.
    weights : float32 [E] or None
        Weights; None where the input has none.
    names : Vocabulary
        The names of the nodes.
    """

    heads: IndexArray
    tails: IndexArray
    weights: FloatArray | None
    names: Vocabulary
