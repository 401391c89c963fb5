"""The filter of ProNE on the vectors of any model."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, TypeVar

from nodeloom.errors import ConfigError, ModelError, describe
from nodeloom.estimators.base import NodeEmbedding, checked_graph

if TYPE_CHECKING:
    from nodeloom.graph import Graph
    from nodeloom.typing import Auto

Model = TypeVar("Model", bound=NodeEmbedding)


def enhance(
    model: Model,
    graph: Graph,
    *,
    theta: float = 0.5,
    mu: float = 0.2,
    num_term: int = 10,
    row_length: float = 2.0,
    num_thread: int | Auto = "auto",
) -> Model:
    """Return a model whose vectors were filtered on the graph, by the spectral propagation of ProNE (Zhang et al., IJCAI 2019).

    A Gaussian band pass of the normalised Laplacian smooths vectors over the graph and keeps what tells its regions apart; a
    singular value decomposition gives the columns weights that fall slowly. Vectors of a short training gain most. Context
    vectors are made anew, as those of :class:`nodeloom.Propagation`. The time is that of about `2 num_term` passes over the edges.

    Parameters
    ----------
    model : fitted model
        It stays as it is.
    graph : Graph
        The graph; its nodes have the names of the model's, in the same order.
    theta : float
        Width of the band.
    mu : float
        Eigenvalue of the Laplacian around which it lies.
    num_term : int
        Terms of the filter.
    row_length : float
        Length of every vector.
    num_thread : int or "auto"
        CPU threads. auto: all that the process may use.

    Raises
    ------
    ModelError
        If the model is not fitted to nodes of these names.
    ConfigError
        If a number is not allowed.

    Examples
    --------
    >>> from nodeloom import Graph, Propagation, enhance
    >>> graph = Graph.from_edges([[node, (node + 1) % 12] for node in range(12)])
    >>> enhance(Propagation(dim=4).fit(graph), graph).vectors_.shape
    (12, 4)
    """
    from nodeloom.engine.spectral.prone import Chebyshev, rescaled
    from nodeloom.engine.spectral.tables import CpuTables
    from nodeloom.engine.spectral.training import context_vectors
    from nodeloom.kernels.cpu.parallel import available_threads

    checked_graph(graph)
    for name, value, allowed, holds in (
        ("theta", theta, "a number > 0", _is_number(theta) and theta > 0),
        ("mu", mu, "a number from 0 to 2", _is_number(mu) and 0 <= mu <= 2),
        ("num_term", num_term, "an integer >= 2", _is_number(num_term, int) and num_term >= 2),
        ("row_length", row_length, "a number > 0", _is_number(row_length) and row_length > 0),
        (
            "num_thread",
            num_thread,
            "an integer >= 1, or 'auto'",
            num_thread == "auto" or (_is_number(num_thread, int) and num_thread >= 1),
        ),
    ):
        if not holds:
            raise ConfigError(describe(f"enhance.{name}", expected=allowed, got=value))
    if not isinstance(model, NodeEmbedding) or not model.__sklearn_is_fitted__():
        raise ModelError(describe("enhance", expected="a fitted model", got=model, hint="Call fit(graph) first."))
    if model.graph_names_ != graph.names:
        raise ModelError(
            describe(
                "enhance",
                expected="a graph with the nodes of the model, in the same order",
                got=repr(graph),
                hint="Fit the graph, with init= the model.",
            )
        )
    threads = available_threads() if num_thread == "auto" else num_thread
    result = copy.copy(model)
    with CpuTables(threads).running() as backend:
        work = Chebyshev(graph, backend, num_term=num_term, theta=theta, mu=mu)
        *_, filtered = work.run(backend.upload(model.vectors_))
        result.vectors_ = rescaled(backend, filtered, filtered.shape[1], row_length)
    result.context_vectors_ = context_vectors(graph, result.vectors_, threads)
    return result


def _is_number(value: object, *kinds: type) -> bool:
    return isinstance(value, kinds or (int, float)) and not isinstance(value, bool)
