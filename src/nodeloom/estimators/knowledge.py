"""What all models of knowledge graphs share: training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from nodeloom.errors import DataError, describe
from nodeloom.estimators.answers import TripleAnswers
from nodeloom.estimators.configured import Configured
from nodeloom.estimators.fitted_triples import FITTED, FittedTriples, checked_triples
from nodeloom.keywords import known_keywords
from nodeloom.log import logger

if TYPE_CHECKING:
    import os

    from nodeloom.engine import Settings, TrainedTables
    from nodeloom.engine.validation import Validation
    from nodeloom.graph import KnowledgeGraph
    from nodeloom.plan.triple_plan import TriplePlan
    from nodeloom.typing import Auto, FloatArray

Self = TypeVar("Self", bound="KnowledgeEmbedding")
_METRICS = ("mrr", "mr", "hits@1", "hits@3", "hits@10", "amri")
Schedule = str | Callable[[int, int], float]


@dataclass(kw_only=True, eq=False, repr=False)
class KnowledgeEmbedding(FittedTriples, TripleAnswers, Configured):
    """Base of the models of knowledge graphs; see :class:`nodeloom.ComplEx` for parameters and attributes."""

    dim: int = field(default=256, kw_only=False)
    num_epoch: int | Auto = "auto"
    triples_per_batch: int | Auto = "auto"
    num_shared_negative: int | str = "auto"
    negative_sample_exponent: float | Auto = "auto"
    bernoulli: bool = False
    filter_negatives: bool = False
    typed_negatives: bool = False
    loss: str = "auto"
    margin: float | Auto = "auto"
    adversarial_temperature: float | Auto = "auto"
    relation_lr_multiplier: float = 1.0
    optimizer: str | Mapping[str, Any] = "AdaGrad"
    adagrad_state: Literal["auto", "full", "row"] = "auto"
    lr: float | Auto = "auto"
    weight_decay: float | Auto = "auto"
    schedule: Schedule = "linear"
    validation_metric: str = "mrr"
    validation_side: Literal["both", "tail", "head"] = "both"
    validation_interval: int | Auto = "auto"
    patience: int = 5
    num_thread: int | Auto = "auto"
    deterministic: bool = False
    seed: int = 0
    device: str = "auto"
    gpus: Sequence[int] = ()
    gpu_memory_limit: int | str = "auto"
    table_dtype: Literal["auto", "fp32", "bf16"] = "auto"
    memory_limit: int | str = "auto"
    verbose: bool | Auto = "auto"

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
        validation: KnowledgeGraph | None = None,
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
        validation : KnowledgeGraph, optional
            Triples to check by: they are ranked without the known triples of either graph. The vectors are those of the best check, and
            training ends when `patience` runs out. Triples of names that the training graph lacks are left out, with a warning.
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
        from nodeloom.estimators.progress import shown_progress

        settings = self._settings()
        run = self._run_options(callbacks, checkpoint, checkpoint_interval, resume)
        plan = make_plan(checked_triples(graph), settings)
        checks = None if validation is None else self._validation(graph, validation, plan)
        with shown_progress(type(self).__name__, self.verbose) as shown, self._keeping() as keep:
            result = train(
                graph,
                plan,
                settings,
                init=init,
                **{**run, "callbacks": (*run["callbacks"], *shown)},
                keep=lambda result: keep(graph, settings, result, checks),
                validation=checks,
            )
        self._take(graph, settings, result, checks)
        return self

    def _validation(self, graph: KnowledgeGraph, validation: KnowledgeGraph, plan: TriplePlan) -> Validation:
        """Return the checks on triples for validation.

        Raises
        ------
        DataError
            If none has entities and relations of the training graph.
        """
        import numpy as np

        from nodeloom.engine.validation import Validation
        from nodeloom.tasks.ranking import Queries, metrics, rank

        given = checked_triples(validation)
        triples = given.triples
        if given.entity_names != graph.entity_names or given.relation_names != graph.relation_names:
            triples = given.with_names_of(graph).triples
            is_known = (triples < [graph.num_entities, graph.num_relations, graph.num_entities]).all(axis=1)
            if not is_known.all():
                logger.warning(
                    "%s of %s validation triples have an entity or a relation that the training triples lack: they are left out.",
                    f"{int((~is_known).sum()):,}", f"{len(triples):,}",
                )  # fmt: skip
            triples = triples[is_known]
        if not len(triples):
            where = f"{type(self).__name__}.fit(validation=...)"
            expected = "a triple of entities and relations of the training graph"
            raise DataError(describe(where, expected=expected, got="none"))
        queries = Queries.of(triples, [graph.triples, triples], graph.num_entities, graph.num_relations)
        side, metric = self.validation_side, self.validation_metric

        def judge(tables: dict[str, FloatArray]) -> dict[str, float]:
            ranks = rank(
                self._relational,
                tables["entity"],
                tables["relation"],
                triples,
                device=plan.device,
                num_thread=plan.num_thread,
                queries=queries,
            )
            found = metrics(ranks, side)
            return {name: found[name] for name in _METRICS if np.isfinite(found[name])}

        interval = self.validation_interval
        return Validation(
            judge,
            metric,
            ascending=metric != "mr",
            interval=max(1, plan.num_epoch // 20) if interval == "auto" else int(interval),
            patience=self.patience,
            fingerprint=given.fingerprint(),
        )

    def _take(
        self, graph: KnowledgeGraph, settings: Settings, result: TrainedTables, checks: Validation | None
    ) -> None:
        """Become the model of a training."""
        from nodeloom.engine.checkpoint import graph_record

        for name in FITTED:
            vars(self).pop(name, None)
        self._take_tables(result.tables, graph.entity_names, graph.relation_names)
        self.report_, self.history_ = result.report.to_dict(), result.history
        self.validation_ = [] if checks is None else checks.history
        self.partial_, self.num_epoch_ = result.is_partial, result.num_epoch
        self._config, self._graph_record = settings.to_dict(), graph_record(graph)

    def fit_transform(self, graph: KnowledgeGraph, y: object = None, **options: Any) -> FloatArray:
        """Fit and return the vectors of all entities, float32 [N, dim]; `options` as in :meth:`fit`."""
        return self.fit(graph, y, **options).entity_vectors_
