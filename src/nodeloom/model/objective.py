"""What is minimised, as data: the kernel, the tables and their roles, what is positive and what is negative."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodeloom.model.relational import Relational, TripleLoss
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
class Triples:
    """Positives from a knowledge graph: a batch of triples, each with two queries, for its tail and for its head.

    An epoch is a seeded order of all triples, cut into batches of nearly equal size.

    Attributes
    ----------
    num_triple, num_batch : int
        Triples of the knowledge graph that are trained, and batches of an epoch.
    bernoulli : bool
        Weigh the two queries by how many tails a head of the relation has, and how many heads a tail (Wang et al., AAAI 2014, in
        expectation): where one head has many tails, a tail that is taken for wrong is often a true one.
    """

    num_triple: int
    num_batch: int
    bernoulli: bool = False

    @property
    def per_batch(self) -> float:
        """Mean number of triples of a batch."""
        return self.num_triple / self.num_batch

    def bounds(self, batch: int) -> tuple[int, int, int]:
        """Return the epoch of a batch of the training, and its first and last place in the order of the epoch."""
        epoch, number = divmod(batch, self.num_batch)
        return epoch, self.num_triple * number // self.num_batch, self.num_triple * (number + 1) // self.num_batch


@dataclass(frozen=True)
class EntityNegatives:
    """Entities that all queries of a batch are compared with beside their truth.

    Attributes
    ----------
    count : int or None
        How many are drawn for a batch; None for all entities.
    exponent : float
        An entity is drawn with (1 + its triples) to this power.
    without_known : bool
        Whether other known answers of a query are left out of its negatives.
    typed : bool
        Whether only entities are negatives of a query that are known in the slot that it asks for.
    """

    count: int | None
    exponent: float = 0.0
    without_known: bool = False
    typed: bool = False


@dataclass(frozen=True)
class Objective:
    """What is minimised.

    Attributes
    ----------
    tables : tuple of TableSpec
        The tables that are learned.
    positives : Walks or Triples
        The positives.
    negatives : SharedNegatives or EntityNegatives
        The negatives.
    head, tail : str
        The tables of the two ends of a pair; one name for both if they are one table.
    kernel, pair_kernel : str
        Where the kernels are that train whole tables by tiles of walks, and blocks by pairs: the names of modules of
        ``nodeloom.kernels.cpu`` and ``nodeloom.kernels.gpu``, or of any module. They define
        ``train_walks`` and ``train_pairs``. Triples have kernels of their own, see `scoring`.
    settings : tuple of float
        Numbers that the kernels are given behind all others, if there are any.
    relation : str
        The table of the relations of triples; "" for walks.
    scoring : Relational or None
        How triples are scored; None for walks.
    loss : TripleLoss or None
        Their loss and regularizers; None for walks.
    """

    tables: tuple[TableSpec, ...]
    positives: Walks | Triples
    negatives: SharedNegatives | EntityNegatives
    head: str = "vertex"
    tail: str = "context"
    kernel: str = "skipgram"
    pair_kernel: str = "pairs"
    settings: tuple[float, ...] = ()
    relation: str = ""
    scoring: Relational | None = None
    loss: TripleLoss | None = None

    @property
    def tied(self) -> bool:
        """Whether both ends of a pair are rows of one table."""
        return self.head == self.tail
