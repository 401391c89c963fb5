"""What is minimised, as data: the kernel, the tables and their roles, what is positive and what is negative."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodeloom.model.tables import TableSpec


@dataclass(frozen=True)
class Walks:
    """Positives from random walks: the pairs of nodes that are few steps apart. Walks of one edge give the edges themselves.

    Attributes
    ----------
    random_walk_length : int
        Edges of a walk.
    augmentation_step : int
        Steps between the nodes of a pair, at most.
    two_sided : bool
        Whether both directions of a pair are trained (undirected graphs).
    p, q : float
        The bias of second-order walks (Grover and Leskovec, KDD 2016); 1 and 1 for walks of the first order.
    reuse : int
        Times that a walk is trained, each with other negatives.
    """

    random_walk_length: int
    augmentation_step: int
    two_sided: bool
    p: float = 1.0
    q: float = 1.0
    reuse: int = 1

    @property
    def nodes_per_walk(self) -> int:
        """Nodes of a walk."""
        return self.random_walk_length + 1


@dataclass(frozen=True)
class SharedNegatives:
    """Negatives that a tile of heads shares.

    Attributes
    ----------
    count : int
        Negatives of a tile.
    exponent : float
        A node is drawn with its strength to this power.
    weight : float
        Weight of the negatives of a positive pair, of all together.
    """

    count: int
    exponent: float
    weight: float


@dataclass(frozen=True)
class Objective:
    """What is minimised.

    Attributes
    ----------
    tables : tuple of TableSpec
        The tables that are learned.
    positives : Walks
        The positives.
    negatives : SharedNegatives
        The negatives.
    head, tail : str
        The tables of the two ends of a pair; one name for both if they are one table.
    kernel, pair_kernel : str
        Where the kernels are that train whole tables by tiles of walks, and blocks by pairs: the names of modules of
        ``nodeloom.kernels.cpu`` and ``nodeloom.kernels.gpu``, or of any module. They define
        ``train_walks`` and ``train_pairs``.
    settings : tuple of float
        Numbers that the kernels are given behind all others, if there are any.
    """

    tables: tuple[TableSpec, ...]
    positives: Walks
    negatives: SharedNegatives
    head: str = "vertex"
    tail: str = "context"
    kernel: str = "skipgram"
    pair_kernel: str = "pairs"
    settings: tuple[float, ...] = ()

    @property
    def tied(self) -> bool:
        """Whether both ends of a pair are rows of one table."""
        return self.head == self.tail
