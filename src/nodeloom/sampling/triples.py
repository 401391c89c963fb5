"""The order of triples in an epoch, and the entities that they are compared with: pure functions of the seed and a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nodeloom.kernels.cpu.negatives import draw_negatives
from nodeloom.kernels.cpu.order import shuffled
from nodeloom.rng import Purpose, mix, stream
from nodeloom.sampling.alias import AliasTable, over_nodes

if TYPE_CHECKING:
    from nodeloom.graph import KnowledgeGraph
    from nodeloom.model.objective import EntityNegatives, Triples
    from nodeloom.typing import DoubleArray, FloatArray, IndexArray


class Queries(NamedTuple):
    """The queries of a batch of B triples: for the B tails first, then for the B heads.

    Attributes
    ----------
    heads, relations, tails : int32 [2 B]
        What is asked, with relation 2 r or its inverse 2 r + 1; and the truth.
    weights : float32 [2 B]
        Weights of the queries; their mean over an epoch is 1.
    """

    heads: IndexArray
    relations: IndexArray
    tails: IndexArray
    weights: FloatArray


class TripleSampler:
    """Batches of the triples of a knowledge graph in a seeded order; triples of weight 0 are left out.

    Parameters
    ----------
    graph : KnowledgeGraph
        The knowledge graph.
    triples : Triples
        How they are cut into batches.
    seed : int
        The seed.
    """

    def __init__(self, graph: KnowledgeGraph, triples: Triples, seed: int) -> None:
        self._triples, self._key = triples, stream(seed, Purpose.TRIPLE_ORDER)
        self.heads, self.relations, self.tails, weights = kept(graph)
        self._weights = None if weights is None else (weights / weights.mean(dtype=np.float64)).astype(np.float32)
        self._sides = side_weights(self.heads, self.relations, self.tails) if triples.bernoulli else None

    def batch(self, number: int) -> Queries:
        """Return the queries of the batch of a number, counted from the begin of the training."""
        epoch, first, last = self._triples.bounds(number)
        chosen = np.empty(last - first, np.int64)
        shuffled(np.uint64(mix(self._key + epoch)), self._triples.num_triple, first, chosen)
        h, r, t = self.heads[chosen], self.relations[chosen], self.tails[chosen]
        weights = np.ones(2 * len(chosen), np.float32)
        if self._weights is not None:
            weights *= np.tile(self._weights[chosen], 2)
        if self._sides is not None:
            weights *= self._sides[r].T.ravel()
        both = np.concatenate([2 * r, 2 * r + 1])
        return Queries(np.concatenate([h, t]), both, np.concatenate([t, h]), weights)


def kept(graph: KnowledgeGraph) -> tuple[IndexArray, IndexArray, IndexArray, FloatArray | None]:
    """Return the heads, relations, tails and weights of the triples that have a weight, each [E]."""
    arrays = graph.heads, graph.relations, graph.tails
    if graph.weights is None:
        return (*arrays, None)
    chosen = graph.weights > 0
    heads, relations, tails = (array[chosen] for array in arrays)
    return heads, relations, tails, graph.weights[chosen]


def side_weights(heads: IndexArray, relations: IndexArray, tails: IndexArray) -> FloatArray:
    """Return the weights of the queries for tails and for heads of each relation, float32 [R, 2]: 1 in the mean of the two.

    With so many tails for a head and so many heads for a tail, the tail is asked for with weight ``2 hpt / (tph + hpt)``.
    """
    count = int(relations.max(initial=-1)) + 1
    number = np.bincount(relations, minlength=count).astype(np.float64)
    heads_of, tails_of = (_distinct(relations, ends, count) for ends in (heads, tails))
    per_head, per_tail = number / np.maximum(heads_of, 1), number / np.maximum(tails_of, 1)
    total = np.maximum(per_head + per_tail, 1e-9)
    return np.stack([2 * per_tail / total, 2 * per_head / total], axis=1).astype(np.float32)


def _distinct(relations: IndexArray, ends: IndexArray, count: int) -> IndexArray:
    pairs = np.unique(relations.astype(np.int64) << 32 | ends)
    return np.bincount(pairs >> 32, minlength=count)


@dataclass(frozen=True)
class EntitySampler:
    """Draws K entities for each batch, with (1 + triples) to a power.

    Attributes
    ----------
    count : int
        K.
    table : AliasTable
        The distribution.
    correction : float32 [N]
        The logarithm of the count of each entity that is expected among K.
    key : int
        The stream of random numbers.
    """

    count: int
    table: AliasTable
    correction: FloatArray
    key: int

    @classmethod
    def of(cls, graph: KnowledgeGraph, negatives: EntityNegatives, seed: int) -> EntitySampler | None:
        """Return the sampler of a knowledge graph; None if all entities are negatives."""
        if negatives.count is None:
            return None
        heads, _, tails, _ = kept(graph)
        number = np.bincount(heads, minlength=graph.num_entities) + np.bincount(tails, minlength=graph.num_entities)
        weights: DoubleArray = (1.0 + number).astype(np.float64) ** negatives.exponent
        correction = np.log(negatives.count * weights / weights.sum()).astype(np.float32)
        return cls(negatives.count, over_nodes(weights), correction, stream(seed, Purpose.NEGATIVE))

    def draw(self, batch: int) -> IndexArray:
        """Return the entities of a batch, int32 [K]."""
        found = np.empty((1, self.count), np.int32)
        draw_negatives(self.table.prob, self.table.alias, np.uint64(self.key), batch, found)
        return found[0]
