"""What all node-embedding estimators share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from nodeloom.errors import GraphError, ModelError, describe
from nodeloom.estimators.configured import Configured
from nodeloom.estimators.fitted import FITTED, FittedVectors, NotFittedError
from nodeloom.keywords import known_keywords
from nodeloom.typing import Auto, FloatArray

if TYPE_CHECKING:
    from nodeloom.engine import Plan, Settings, TrainedTables
    from nodeloom.engine.initial import Vectors
    from nodeloom.graph import Graph

Self = TypeVar("Self", bound="NodeEmbedding")
Schedule = str | Callable[[int, int], float]


class NodeEmbedding(FittedVectors, Configured):
    """Base of the estimators; see :class:`nodeloom.DeepWalk` for parameters and attributes."""

    def plan(self, graph: Graph, *, compiled_only: bool = False) -> Plan:
        """Say what training on a graph will do and cost: memory, and time measured on this machine, before anything runs.

        Parameters
        ----------
        graph : Graph
            The graph.
        compiled_only : bool
            Leave the time unknown if kernels would have to be compiled to measure it, which takes seconds.

        Returns
        -------
        Plan
            Printable; ``rows()`` for tables, ``to_dict()`` for programs.

        Raises
        ------
        ConfigError, GraphError, MemoryLimitError
            If training would be refused.
        """
        from nodeloom.engine import make_plan
        from nodeloom.engine.modes import with_rate
        from nodeloom.transport.session import worker_session

        settings = self._settings()
        with worker_session(settings.resource.worker_timeout) as transport:
            return with_rate(make_plan(checked_graph(graph), settings, transport), compiled_only=compiled_only)

    @known_keywords()
    def fit(
        self: Self,
        graph: Graph,
        y: object = None,
        *,
        init: Vectors | None = None,
        callbacks: Iterable[Any] | None = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_interval: float = 60.0,
        resume: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Learn vectors for the nodes of a graph.

        Parameters
        ----------
        graph : Graph
            The graph.
        y : None
            For scikit-learn's pipelines; ignored.
        init : model, optional
            Warm start: rows are carried over by name, new nodes begin at the mean of their neighbours. A grown graph then needs
            few epochs. A :class:`nodeloom.Propagation` or :class:`nodeloom.ProNE` that is not fitted yet is fitted to the graph first;
            the vectors of either are scaled to what skip-gram starts well from.
        callbacks : iterable
            Objects with any of ``on_train_begin(plan)``, ``on_pool_end(progress)``, ``on_train_end(report)``. If ``on_pool_end``
            returns True, training ends there and the model is `partial_`.
        checkpoint : path, optional
            File to write checkpoints to.
        checkpoint_interval : float
            Seconds between two of them, each written at the end of a step: a killed run loses no more than that and a step.
        resume : path, optional
            Checkpoint to go on from, with the same graph and the same parameters.

        Returns
        -------
        self

        Raises
        ------
        ConfigError
            If a parameter is not allowed.
        GraphError
            If there is nothing to learn from.
        TrainingError
            If the vectors diverge. NaN is never returned.
        ParameterError
            If a callback could not be told anything.
        TrainingInterrupted
            After Ctrl-C or SIGTERM; it is a KeyboardInterrupt. The checkpoint is written, and the model has the vectors as they
            were then, and is `partial_`; so it is after an exception of a callback. A second Ctrl-C ends at once.
        WorkerError
            If another worker has failed, or cannot be reached.
        """
        del y
        from nodeloom.engine import make_plan, train
        from nodeloom.estimators.progress import shown_progress
        from nodeloom.transport.session import worker_session

        settings = self._settings()
        run = self._run_options(callbacks, checkpoint, checkpoint_interval, resume)
        checked_graph(graph)
        with worker_session(settings.resource.worker_timeout, checkpoint=run["checkpoint"]) as transport:
            plan = make_plan(graph, settings, transport)
            if init is not None and resume is None:
                init = init._first_values(graph, plan.dim) if isinstance(init, NodeEmbedding) else init
            with shown_progress(type(self).__name__, self.verbose) as shown, self._keeping() as keep:
                result = train(
                    graph,
                    plan,
                    settings,
                    init=init,
                    **{**run, "callbacks": (*run["callbacks"], *shown)},
                    transport=transport,
                    keep=lambda result: keep(graph, settings, result),
                )
        self._take(graph, settings, result)
        return self

    def _take(self, graph: Graph, settings: Settings, result: TrainedTables) -> None:
        """Become the model of a training."""
        from nodeloom.engine.checkpoint import graph_record

        for name in FITTED:
            vars(self).pop(name, None)
        self._is_elsewhere = result.vertex is None or result.context is None  # they are at the first worker
        if result.vertex is None or result.context is None:
            return
        self.vectors_, self.context_vectors_ = result.vertex, result.context
        self.graph_names_ = graph.names
        self.report_, self.history_ = result.report.to_dict(), result.history
        self.partial_, self.num_epoch_ = result.is_partial, result.num_epoch
        self._config, self._graph_record = settings.to_dict(), graph_record(graph)

    def _first_values(self, graph: Graph, dim: int) -> Vectors:
        """Return what a training that starts from this model takes of it."""
        return self

    def fit_transform(self, graph: Graph, y: object = None, **options: Any) -> FloatArray:
        """Fit and return the vectors of all nodes, float32 [N, dim]; `options` as in :meth:`fit`."""
        return self.fit(graph, y, **options).vectors_


_WAYS = {
    "igraph": "from_igraph(graph)",
    "networkx": "from_networkx(graph)",
    "pandas": "from_pandas(frame)",
    "polars": "from_polars(frame)",
    "pyarrow": "from_arrow(table)",
    "scipy": "from_scipy(matrix)",
    "torch": "from_pyg(edge_index)",
    "torch_geometric": "from_pyg(data)",
}


def checked_graph(graph: object) -> Graph:
    """Return a graph, or raise GraphError with the way to make one of the value."""
    from nodeloom.graph import Graph

    if isinstance(graph, Graph):
        return graph
    home = type(graph).__module__.split(".")[0]
    way = _WAYS.get(home) or ("from_file(path)" if isinstance(graph, str | os.PathLike) else "from_edges(edges)")
    kind = type(graph).__qualname__ if home == "builtins" else f"{home}.{type(graph).__qualname__}"
    raise GraphError(describe("graph", expected="a nodeloom.Graph", got=kind, hint=f"Make one with Graph.{way}."))


__all__ = ["Auto", "ModelError", "NodeEmbedding", "NotFittedError"]
