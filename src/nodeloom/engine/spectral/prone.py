"""ProNE (Zhang et al., IJCAI 2019): factorize the shifted PMI of edges, then filter the vectors on the graph.

The factorization is a truncated singular value decomposition found by subspace iteration; the filter is a Gaussian band pass of
the Laplacian of the graph, written as a sum of Chebyshev polynomials whose coefficients are Bessel functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.engine.spectral.operator import backward, forward, row_sums
from nodeloom.engine.spectral.plan import SVD_STEPS
from nodeloom.engine.spectral.tables import Backend, Matrix
from nodeloom.engine.spectral.whitening import powers, principal
from nodeloom.rng import Purpose, stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeloom.engine.spectral.plan import SpectralPlan
    from nodeloom.graph import Graph
    from nodeloom.typing import FloatArray

_SMALLEST = 1e-38


def shifted_pmi(graph: Graph, shift: float, exponent: float) -> tuple[Matrix, Matrix]:
    """Return the matrix that is factorized, and its transpose.

    Its entries are ``log(w_ij / strength_i) - log(shift p_j)`` for edges (i, j), where p is proportional to the strength of j to
    `exponent`, as negatives are drawn.

    Parameters
    ----------
    graph : Graph
        The graph.
    shift : float
        Negatives per edge.
    exponent : float
        Of the noise.
    """
    weight_in = np.maximum(graph.in_strengths, 0.0)
    noise = np.where(weight_in > 0, np.where(weight_in > 0, weight_in, 1.0) ** exponent, 0.0)
    of_tail = np.log(np.maximum(shift * noise / noise.sum(), _SMALLEST)).astype(np.float32)
    ones = np.ones(graph.num_nodes, np.float32)
    ahead, back = forward(graph, 0.0), backward(graph, 0.0)
    strengths = row_sums(ahead)
    of_head = np.log(np.where(strengths > 0, strengths, 1.0)).astype(np.float32)
    return (
        Matrix(ahead.indptr, ahead.indices, _entries(ahead, of_head, of_tail), ones),
        Matrix(back.indptr, back.indices, _entries(back, of_tail, of_head), ones),
    )


def _entries(matrix: Matrix, of_row: FloatArray, of_column: FloatArray) -> FloatArray:
    values = -of_column[matrix.indices]
    values -= np.repeat(of_row, np.diff(matrix.indptr))
    if len(matrix.weights):
        values += np.log(np.maximum(matrix.weights, np.float32(1e-45)))
    return values


class Chebyshev:
    """The filter: a Gaussian band pass of the normalised Laplacian of the graph with self-loops.

    Parameters
    ----------
    graph : Graph
        The graph; edges of a directed graph count from both ends.
    backend : Backend
        Where tables are.
    num_term : int
        Terms of the sum.
    theta : float
        Width of the band.
    mu : float
        Where it lies: eigenvalues of the Laplacian around it are let through.
    """

    def __init__(self, graph: Graph, backend: Backend, *, num_term: int, theta: float, mu: float) -> None:
        self.backend, self.num_term, self.theta, self.mu = backend, num_term, theta, mu
        found = [forward(graph, 0.0)] + ([backward(graph, 0.0)] if graph.directed else [])
        self.matrices = [backend.matrix(matrix) for matrix in found]
        strengths = np.sum([row_sums(matrix) for matrix in found], axis=0)
        # A self-loop weighs what edges weigh in the mean, so the unit of weights does not matter.
        self.loop = float(strengths.sum()) / max(1, sum(len(matrix.indices) for matrix in found))
        self.inverse = backend.column((-1.0 / (strengths + self.loop)).astype(np.float32))

    def run(self, table: Any) -> Iterator[Any]:
        """Yield after each term, None at first and the filtered table at the end; `table` is used up.

        Four more tables of its shape are in use, five for a directed graph.
        """
        from scipy.special import iv

        backend = self.backend
        spare, product = backend.empty_like(table), backend.empty_like(table)
        more = backend.empty_like(table) if len(self.matrices) > 1 else None
        # T0 = X, T1 = M(M X) / 2 - X, Tk = M(M Tk-1) - 2 Tk-1 - Tk-2 with M = L - mu, as in the code of the authors.
        result = backend.scaled(table, 1.0 - float(iv(0, self.theta)))
        before, last = table, backend.empty_like(table)
        self._twice(before, last, spare, more)
        backend.combine(last, 0.5, before, -1.0)
        backend.combine(result, 1.0, last, 2.0 * float(iv(1, self.theta)))
        yield None
        for term in range(2, self.num_term):
            self._twice(last, product, spare, more)
            backend.combine(before, -1.0, last, -2.0)
            backend.combine(before, 1.0, product, 1.0)
            before, last = last, before
            backend.combine(result, 1.0, last, (2.0 if term % 2 else -2.0) * float(iv(term, self.theta)))
            yield None
        # The result is X less the filtered X; it is summed up once more over neighbours and the node itself.
        self._add_neighbors(result, spare, more)
        backend.combine(spare, 1.0, result, self.loop)
        yield spare

    def _add_neighbors(self, table: Any, out: Any, more: Any) -> None:
        self.backend.product(self.matrices[0], table, out)
        for matrix in self.matrices[1:]:
            self.backend.product(matrix, table, more)
            self.backend.combine(out, 1.0, more, 1.0)

    def _modulated(self, table: Any, out: Any, more: Any) -> None:
        """Set `out` to (L - mu) table, L being 1 minus the walk with self-loops."""
        self._add_neighbors(table, out, more)
        self.backend.combine(out, 1.0, table, self.loop)
        self.backend.combine(out, self.inverse, table, 1.0 - self.mu)

    def _twice(self, table: Any, out: Any, spare: Any, more: Any) -> None:
        self._modulated(table, spare, more)
        self._modulated(spare, out, more)


def rescaled(backend: Backend, table: Any, dim: int, row_length: float | None) -> Any:
    """Return U sqrt(S) of the singular value decomposition U S V' of a table, its first `dim` columns, rows scaled to a length.

    There are fewer columns if the others would be noise.
    """
    _, gram = backend.moments(table, None)
    values, vectors = principal(gram)
    dim = min(dim, max(1, int(np.count_nonzero(powers(values, 1.0)))))
    turn = vectors[:, :dim] * powers(values, -0.25)[:dim]  # values are squares of singular values
    out = backend.transform(table, np.zeros(len(gram)), turn)
    if row_length is not None:
        backend.moments(out, row_length)
    return out


def orthonormal(backend: Backend, table: Any) -> Any:
    """Return a table whose columns are orthonormal and span the same space, in place."""
    _, gram = backend.moments(table, None)
    values, vectors = principal(gram)
    return backend.transform(table, np.zeros(len(gram)), vectors * powers(values, -0.5))


class ProNE:
    """The factorization and the filter, step by step.

    Attributes
    ----------
    table : table [N, D]
        The result, at the end.
    """

    def __init__(self, graph: Graph, plan: SpectralPlan, backend: Backend) -> None:
        self.graph, self.plan, self.backend = graph, plan, backend
        self.table: Any = None

    def steps(self) -> Iterator[None]:
        """Do the work, and yield after every step."""
        plan, backend = self.plan, self.backend
        ahead, back = (
            backend.matrix(matrix) for matrix in shifted_pmi(self.graph, plan.shift, plan.negative_sample_exponent)
        )
        q = backend.random(stream(plan.seed, Purpose.PROPAGATION), plan.num_nodes, plan.width)
        y = backend.empty_like(q)
        for _ in range(SVD_STEPS):
            backend.product(ahead, q, y)
            y = orthonormal(backend, y)
            backend.product(back, y, q)
            q = orthonormal(backend, q)
            yield None
        backend.product(ahead, q, y)
        del q, ahead, back
        start = rescaled(backend, y, plan.dim, None)
        del y
        yield None
        work = Chebyshev(self.graph, backend, num_term=plan.num_iteration, theta=plan.theta, mu=plan.mu)
        filtered = None
        for result in work.run(start):
            filtered = result
            yield None
        self.table = rescaled(backend, filtered, plan.dim, plan.row_length)
