"""Whitened propagation: random vectors become those that neighbours agree on, as in Cleora 3.

One step replaces the vector of every node by the mean of its neighbours' vectors, scales it to length 1, and makes the columns
uncorrelated. Without the scaling this is subspace iteration: the columns approach the leading eigenvectors of the random walk,
which is what DeepWalk factorizes. The scaling takes out the degrees; whitening keeps columns from becoming the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.engine.spectral.operator import operators, row_sums
from nodeloom.engine.spectral.whitening import whitener
from nodeloom.plan.reach import unlinked
from nodeloom.rng import Purpose, stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeloom.engine.spectral.plan import SpectralPlan
    from nodeloom.engine.spectral.tables import Backend
    from nodeloom.graph import Graph
    from nodeloom.typing import DoubleArray


_SMALL_SUM = 1e-12
"""Sums of weights of a node below which a step is scaled: lengths of rows are squares in float32."""


class Propagation:
    """One propagation of a table, step by step.

    Attributes
    ----------
    table : table [N, width]
        The vectors so far.
    """

    def __init__(self, graph: Graph, plan: SpectralPlan, backend: Backend) -> None:
        self.plan, self.backend = plan, backend
        linked = ~unlinked(graph, plan.direction)
        self.num_linked = int(np.count_nonzero(linked))
        found = operators(graph, plan.direction, plan.degree_exponent)
        total: DoubleArray = np.sum([row_sums(matrix) for matrix in found], axis=0)
        self._shares = backend.column(((1.0 - plan.residual) / np.where(total > 0, total, 1.0)).astype(np.float32))
        # The scale of a step matters beside what stays, and where sums would leave float32.
        self._scaled = plan.residual > 0 or float(np.min(total, where=total > 0, initial=1.0)) < _SMALL_SUM
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
            self._spare = self._propagated(scaled=self._scaled)
            self.table, self._spare = self._spare, self.table
            total, gram = backend.moments(self.table, 1.0)
            mean, matrix, values = whitener(total, gram, self.num_linked)
            if plan.whiten:
                self.table = backend.transform(self.table, mean, matrix)
            spread = max(float((values[0] - values).sum()), 1e-30)
            change = float(np.abs(values - before).sum()) / spread
            before = values
            yield min(change, 1.0) if number else 1.0

    def telling(self) -> npt.NDArray[np.int64]:
        """Return the columns that tell nodes apart, numbers [k]: those that a step keeps longer than the residual alone would.

        On the others neighbours agree no more than any nodes do. At most half as many columns as nodes: with all there can be of a white
        table all rows are at the same angle to each other. AUC of edges by cosine on the karate club (34 nodes): 0.88 with 8 columns, 0.89
        with 12, 0.74 with 32, 0.5 with 33.
        """
        plan, backend, count = self.plan, self.backend, self.num_linked
        if not plan.whiten:
            return np.arange(plan.width)
        before, after = (
            np.diag(gram) - total**2 / count
            for total, gram in (
                backend.moments(self.table, None),
                backend.moments(self._propagated(scaled=True), None),
            )
        )
        least = max(plan.residual, 1.0 / max(1, count - 1)) ** 2 * (1 + 1e-3) + 1e-8
        return np.flatnonzero((before > 0) & (after > least * before))[: max(1, count // 2)]

    def keep(self, columns: npt.NDArray[np.int64]) -> Any:
        """Return the table with these columns alone."""
        if len(columns) == self.plan.width:
            return self.table
        width = self.plan.width
        return self.backend.transform(self.table, np.zeros(width), np.eye(width)[:, columns])

    def _propagated(self, *, scaled: bool) -> Any:
        """Return the table after one step, in the memory of the spare one."""
        plan, backend, out = self.plan, self.backend, self._spare
        backend.product(self.matrices[0], self.table, out)
        for matrix in self.matrices[1:]:
            backend.product(matrix, self.table, self._more)
            backend.combine(out, 1.0, self._more, 1.0)
        if scaled:
            backend.combine(out, self._shares, self.table, plan.residual)
        return out

    def release(self, columns: npt.NDArray[np.int64]) -> Any:
        """Give up all but these columns of the table, scale its rows to the length of the plan, and return it."""
        del self._spare, self._more
        table = self.keep(columns)
        del self.table
        self.backend.moments(table, self.plan.row_length)
        return table
