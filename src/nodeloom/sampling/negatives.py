"""Negatives: nodes drawn in proportion to a power of their degree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nodeloom.kernels.cpu.negatives import draw_negatives
from nodeloom.rng import Purpose, mix, stream
from nodeloom.sampling.alias import AliasTable, over_nodes

if TYPE_CHECKING:
    from nodeloom.graph import Graph
    from nodeloom.typing import DoubleArray, IndexArray


def noise_weights(graph: Graph, exponent: float) -> DoubleArray:
    """Return the weight of every node as a negative, in_strength(v) ^ exponent up to a factor, float64 [N]; 0 without edges into it."""
    strengths = graph.in_strengths
    targets = strengths > 0
    # Shares of the largest weight, so that no exponent overflows.
    largest = strengths[targets].max() if exponent > 0 else strengths[targets].min()
    weights = np.zeros(len(strengths))
    weights[targets] = (strengths[targets] / largest) ** exponent
    return weights


@dataclass(frozen=True)
class NegativeSampler:
    """Draws from P(v) ~ in_strength(v) ^ exponent over the nodes that have edges into them.

    On an undirected graph that is the (weighted) degree. On a directed one a negative stands where a tail would, so the
    weights are those of tails: sources alone are never negatives.
    """

    table: AliasTable
    key: int

    @classmethod
    def of(cls, graph: Graph, *, exponent: float, seed: int) -> NegativeSampler:
        """Return the sampler of a graph."""
        return cls(over_nodes(noise_weights(graph, exponent)), stream(seed, Purpose.NEGATIVE))

    def sample(self, first_item: int, out: IndexArray, *, reuse: int = 0) -> None:
        """Fill `out` [M, K] with the negatives of items ``first_item ...``; each `reuse` of an item has its own."""
        key = np.uint64(mix(self.key + reuse) if reuse else self.key)
        draw_negatives(self.table.prob, self.table.alias, key, first_item, out)
