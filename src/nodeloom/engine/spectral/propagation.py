"""Whitened propagation: random vectors become those that neighbours agree on, as in Cleora 3.

One step replaces the vector of every node by the mean of its neighbours' vectors, scales it to length 1, and makes the columns
uncorrelated. Without the scaling this is subspace iteration: the columns approach the leading eigenvectors of the random walk,
which is what DeepWalk factorizes. The scaling takes out the degrees; whitening keeps columns from becoming the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.engine.spectral.operator import operators, row_sums
from nodeloom.engine.spectral.tables import Backend
from nodeloom.engine.spectral.whitening import whitener
from nodeloom.rng import Purpose, stream
from nodeloom.typing import DoubleArray

if TYPE_CHECKING:
    from nodeloom.engine.spectral.plan import SpectralPlan
    from nodeloom.graph import Graph


class Propagation:
    """One propagation of a table, step by step.

    Attributes
    ----------
    table : table [N, width]
        The vectors so far.
    """

    def __init__(self, graph: Graph, plan: SpectralPlan, backend: Backend) -> None:
        self.plan, self.backend = plan, backend
        linked = {
            "out": graph.strengths > 0,
            "in": graph.in_strengths > 0,
        }.get(plan.direction, graph.strengths + graph.in_strengths > 0)
        self.num_linked = int(np.count_nonzero(linked))
        found = operators(graph, plan.direction, plan.degree_exponent)
        self._shares: Any = None
        if plan.residual:  # the scale of a step matters only beside what stays
            total: DoubleArray = np.sum([row_sums(matrix) for matrix in found], axis=0)
            shares = (1.0 - plan.residual) / np.where(total > 0, total, 1.0)
            self._shares = backend.column(shares.astype(np.float32))
        self.matrices = [backend.matrix(matrix) for matrix in found]
        key = stream(plan.seed, Purpose.PROPAGATION)
        self.table = backend.random(key, graph.num_nodes, plan.width)
        if plan.residual:  # what has no neighbours would keep its random vector
            backend.combine(self.table, backend.column(linked.astype(np.float32)), self.table, 0.0)
        self._spare = backend.empty_like(self.table)
        self._more = backend.empty_like(self.table) if len(found) > 1 else None

    def steps(self, most: int) -> Iterator[float]:
        """Make up to `most` steps, and yield after each how much the variances of the columns changed (1: wholly)."""
        plan, backend = self.plan, self.backend
        before = np.zeros(plan.width)
        for number in range(most):
            self._propagate()
            total, gram = backend.moments(self.table, 1.0)
            mean, matrix, values = whitener(total, gram, self.num_linked)
            if plan.whiten:
                self.table = backend.transform(self.table, mean, matrix)
            change = float(np.abs(values - before).sum() / max(values.sum(), 1e-30))
            before = values
            yield change if number else 1.0

    def _propagate(self) -> None:
        plan, backend, out = self.plan, self.backend, self._spare
        backend.product(self.matrices[0], self.table, out)
        for matrix in self.matrices[1:]:
            backend.product(matrix, self.table, self._more)
            backend.combine(out, 1.0, self._more, 1.0)
        if self._shares is not None:
            backend.combine(out, self._shares, self.table, plan.residual)
        self.table, self._spare = out, self.table

    def release(self) -> Any:
        """Give up all but the table, scale its rows to the length of the plan, and return it."""
        table = self.table
        del self.table, self._spare, self._more
        self.backend.moments(table, self.plan.row_length)
        return table
