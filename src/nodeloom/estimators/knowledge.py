"""What all models of knowledge graphs share: training."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from nodeloom.errors import ConfigError, describe
from nodeloom.estimators.configured import Configured
from nodeloom.estimators.fitted import path_of
from nodeloom.estimators.fitted_triples import FITTED, FittedTriples, checked_triples
from nodeloom.keywords import known_keywords

if TYPE_CHECKING:
    import os

    from nodeloom.engine import Settings, TrainedTables
    from nodeloom.graph import KnowledgeGraph
    from nodeloom.plan.triple_plan import TriplePlan
    from nodeloom.typing import FloatArray

Self = TypeVar("Self", bound="KnowledgeEmbedding")
Schedule = str | Callable[[int, int], float]


class KnowledgeEmbedding(FittedTriples, Configured):
    """Base of the models of knowledge graphs; see :class:`nodeloom.ComplEx` for parameters and attributes."""

    def plan(self, graph: KnowledgeGraph, *, compiled_only: bool = False) -> TriplePlan:
        """Say what training on a knowledge graph will do and cost: memory, and time measured on this machine, before anything runs.

        Parameters
        ----------
        graph : KnowledgeGraph
            The knowledge graph.
        compiled_only : bool
            Leave the time unknown, since kernels would have to be compiled to measure it, which takes seconds.

        Returns
        -------
        TriplePlan
            Printable; ``rows()`` for tables, ``to_dict()`` for programs.

        Raises
        ------
        ConfigError, DataError, GraphError, MemoryLimitError
            If training would be refused.
        """
        from nodeloom.engine import make_plan
        from nodeloom.engine.modes import with_rate

        return with_rate(make_plan(checked_triples(graph), self._settings()), compiled_only=compiled_only)

    @known_keywords()
    def fit(
        self: Self,
        graph: KnowledgeGraph,
        y: object = None,
        *,
        init: Any = None,
        callbacks: Iterable[Any] | None = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_interval: float = 60.0,
        resume: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Learn vectors for the entities and relations of a knowledge graph.

        Parameters
        ----------
        graph : KnowledgeGraph
            The triples to learn from.
        y : None
            For scikit-learn's pipelines; ignored.
        init : model, optional
            Warm start: rows of entities and relations are carried over by name; a new entity begins at the mean of the queries that its
            triples make of known entities, a new relation at random.
        callbacks : iterable
            Objects with any of ``on_train_begin(plan)``, ``on_pool_end(progress)``, ``on_train_end(report)``. If ``on_pool_end``
            returns True, training ends there and the model is `partial_`.
        checkpoint : path, optional
            File to write checkpoints to.
        checkpoint_interval : float
            Seconds between two of them.
        resume : path, optional
            Checkpoint to go on from, with the same triples and the same parameters.

        Returns
        -------
        self

        Raises
        ------
        ConfigError
            If a parameter is not allowed.
        DataError, GraphError
            If `graph` is none, or there is nothing to learn from.
        TrainingError
            If the vectors diverge. NaN is never returned.
        ParameterError
            If a callback could not be told anything.
        TrainingInterrupted
            After Ctrl-C or SIGTERM; it is a KeyboardInterrupt. The checkpoint is written, and the model has the vectors as they were then.
        """
        del y
        from nodeloom.engine import make_plan, train
        from nodeloom.engine.progress import checked_callbacks
        from nodeloom.estimators.progress import shown_progress

        settings = self._settings()
        told = checked_callbacks(callbacks)
        kept = None if checkpoint is None else path_of("checkpoint", checkpoint)
        begun = None if resume is None else path_of("resume", resume)
        if not isinstance(checkpoint_interval, int | float) or not checkpoint_interval >= 0:
            raise ConfigError(describe("checkpoint_interval", expected="seconds >= 0", got=checkpoint_interval))
        plan = make_plan(checked_triples(graph), settings)
        with shown_progress(type(self).__name__, self.verbose) as shown, self._keeping() as keep:
            result = train(
                graph,
                plan,
                settings,
                init=init,
                callbacks=(*told, *shown),
                checkpoint=kept,
                checkpoint_interval=checkpoint_interval,
                resume=begun,
                keep=lambda result: keep(graph, settings, result),
            )
        self._take(graph, settings, result)
        return self

    def _take(self, graph: KnowledgeGraph, settings: Settings, result: TrainedTables) -> None:
        """Become the model of a training."""
        from nodeloom.engine.checkpoint import graph_record

        for name in FITTED:
            vars(self).pop(name, None)
        self._take_tables(result.tables, graph.entity_names, graph.relation_names)
        self.report_, self.history_ = result.report.to_dict(), result.history
        self.partial_, self.num_epoch_ = result.is_partial, result.num_epoch
        self._config, self._graph_record = settings.to_dict(), graph_record(graph)

    def fit_transform(self, graph: KnowledgeGraph, y: object = None, **options: Any) -> FloatArray:
        """Fit and return the vectors of all entities, float32 [N, dim]; `options` as in :meth:`fit`."""
        return self.fit(graph, y, **options).entity_vectors_
