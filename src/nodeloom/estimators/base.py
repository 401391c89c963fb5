"""What all node-embedding estimators share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

import numpy as np

from nodeloom.errors import ConfigError, DataError, GraphError, ModelError, NodeloomError, describe
from nodeloom.estimators.parameters import Parameters
from nodeloom.typing import Auto, DoubleArray, FloatArray, NodeName

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from nodeloom.engine import Plan, Settings
    from nodeloom.engine.initial import Vectors
    from nodeloom.graph import Graph
    from nodeloom.io.vocabulary import Vocabulary
    from nodeloom.tasks.tables import Table

Self = TypeVar("Self", bound="NodeEmbedding")
Schedule = str | Callable[[int, int], float]


class NotFittedError(NodeloomError, AttributeError):
    """A result was asked for before ``fit``."""


class NodeEmbedding(Parameters):
    """Base of the estimators; see :class:`nodeloom.DeepWalk` for parameters and attributes."""

    _model: ClassVar[str]

    vectors_: FloatArray
    context_vectors_: FloatArray
    graph_names_: Vocabulary
    report_: dict[str, Any]
    history_: list[dict[str, Any]]

    # ------------------------------------------------------------------------------------------------ training

    def _settings(self) -> Settings:
        """Check all parameters and return them as sections of the configuration.

        Raises
        ------
        ConfigError
            Names every parameter that is not allowed.
        """
        where = type(self).__name__
        params = self.get_params()
        optimizer = params.pop("optimizer")
        values = dict(optimizer) if isinstance(optimizer, Mapping) else {"type": optimizer}
        for key in ("lr", "weight_decay", "schedule"):
            given = params.pop(key)
            if key in values and given not in (values[key], self._defaults()[key]):
                raise ConfigError(
                    describe(f"{where}.{key}", expected=f"that of optimizer ({values[key]!r}), or none", got=given)
                )
            values.setdefault(key, given)
        return self._sections(params, values)

    def _sections(self, params: Mapping[str, Any], optimizer: Mapping[str, Any]) -> Settings:
        """Put parameters into the sections they belong to, and check them and the keys of the optimizer."""
        from nodeloom.config import (
            BuildConfig,
            OptimizerConfig,
            ResourceConfig,
            TrainConfig,
            check_training,
            validated,
        )
        from nodeloom.config.relations import of_workers
        from nodeloom.engine import Settings
        from nodeloom.engine.torchrun import num_workers

        where = type(self).__name__
        sections: dict[str, dict[str, Any]] = {"train": {"model": self._model}, "build": {}, "resource": {}}
        for name, value in params.items():
            home = next(
                key
                for key, section in (("train", TrainConfig), ("build", BuildConfig), ("resource", ResourceConfig))
                if name in section.model_fields
            )
            sections[home][name] = value
        checked = validated(OptimizerConfig, dict(optimizer), where)
        settings = Settings(
            train=validated(TrainConfig, sections["train"], where),
            build=validated(BuildConfig, {**sections["build"], "optimizer": checked}, where),
            resource=validated(ResourceConfig, sections["resource"], where),
        )
        check_training(train=settings.train, optimizer=checked, resource=settings.resource, where=where)
        if "num_worker" in params:
            number = num_workers(settings.resource, f"{where}.num_worker")
            # torchrun may have started several without being asked here
            for problem in of_workers(settings.train, settings.resource, number):
                raise ConfigError(problem.message(f"{where}.{problem.path[-1]}"))
        return settings

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
        from nodeloom.engine.calibrate import with_rate
        from nodeloom.engine.workers.membership import together

        settings = self._settings()
        with together(settings.resource.worker_timeout):
            return with_rate(make_plan(checked_graph(graph), settings), compiled_only=compiled_only)

    def fit(
        self: Self,
        graph: Graph,
        y: object = None,
        *,
        init: Vectors | None = None,
        callbacks: Iterable[Any] = (),
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
            Objects with any of ``on_train_begin(plan)``, ``on_pool_end(progress)``, ``on_train_end(report)``.
        checkpoint : path, optional
            File to write checkpoints to.
        checkpoint_interval : float
            Seconds between two of them: what a killed run loses at most.
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
        TrainingInterrupted
            After Ctrl-C or SIGTERM, with the checkpoint written.
        WorkerError
            If another worker has failed, or cannot be reached.
        """
        del y
        from nodeloom.engine import make_plan, train
        from nodeloom.engine.checkpoint import graph_record
        from nodeloom.engine.workers.membership import together

        settings = self._settings()
        kept = None if checkpoint is None else Path(checkpoint)
        with together(settings.resource.worker_timeout, checkpoint=kept):
            plan = make_plan(checked_graph(graph), settings)
            if init is not None and resume is None:
                init = _start(init, graph)
            result = train(
                graph,
                plan,
                settings,
                init=init,
                callbacks=callbacks,
                checkpoint=kept,
                checkpoint_interval=checkpoint_interval,
                resume=None if resume is None else Path(resume),
            )
        if result.vertex is None or result.context is None:  # they are at the first worker
            for name in ("vectors_", "context_vectors_", "graph_names_", "report_", "history_"):
                vars(self).pop(name, None)
            self._is_elsewhere = True
            return self
        self._is_elsewhere = False
        self.vectors_, self.context_vectors_ = result.vertex, result.context
        self.graph_names_ = graph.names
        self.report_, self.history_ = result.report.to_dict(), result.history
        self._config, self._graph_record = settings.to_dict(), graph_record(graph)
        return self

    def transform(self, nodes: Iterable[NodeName] | Graph | None = None) -> FloatArray:
        """Return the vectors of nodes by name, float32 [k, dim]; of all nodes, in node order, without names.

        A graph stands for its nodes: a scikit-learn pipeline hands it on as it is.

        Raises
        ------
        DataError
            If a name is unknown. Vectors exist for the nodes of the fitted graph only; to add nodes, fit the grown graph with
            ``init=`` this model.
        """
        vectors = self._fitted("vectors_")
        if nodes is None:
            return vectors
        if _is_graph(nodes):
            if nodes.names == self.graph_names_:
                return vectors
            nodes = nodes.names
        return vectors[self.graph_names_.find(nodes)]

    def fit_transform(self, graph: Graph, y: object = None, **options: Any) -> FloatArray:
        """Fit and return the vectors of all nodes, float32 [N, dim]; `options` as in :meth:`fit`."""
        return self.fit(graph, y, **options).vectors_

    # ------------------------------------------------------------------------------------------------- results

    def __sklearn_is_fitted__(self) -> bool:
        return "vectors_" in vars(self)

    def _fitted(self, name: str) -> Any:
        if getattr(self, "_is_elsewhere", False):
            raise NotFittedError(
                f"{type(self).__name__}: the vectors are at worker 0, and this is another one. Use them there, or save them there."
            )
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(f"{type(self).__name__}: not fitted yet. Call fit(graph) first.")
        return getattr(self, name)

    def __getitem__(self, name: NodeName) -> FloatArray:
        """Return the vector of a node, float32 [dim]; KeyError if there is no such node."""
        vectors = self._fitted("vectors_")
        if name not in self.graph_names_:
            raise KeyError(name)
        return vectors[int(self.graph_names_.find([name])[0])]

    def __contains__(self, name: object) -> bool:
        return name in self._fitted("graph_names_")

    def __len__(self) -> int:
        return len(self._fitted("vectors_"))

    def node_vectors(self, table: Table = "auto") -> FloatArray:
        """Return the vectors that stand for the nodes in search, classification and export, float32 [N, dim] or [N, 2 dim].

        Parameters
        ----------
        table : {"auto", "vertex", "context", "joined"}
            vertex: ``vectors_``. context: ``context_vectors_``. joined: both side by side. auto: vertex; joined for a directed graph with
            nodes that no edge leaves, whose vertex vectors are not trained and are zeros.
        """
        from nodeloom.tasks import node_vectors

        vectors = self._fitted("vectors_")
        if table == "auto" and not self._graph_record.get("directed", True):
            return cast("FloatArray", vectors)
        return node_vectors(vectors, self.context_vectors_, table)

    def nearest(self, name: NodeName, k: int = 10, *, metric: str = "cosine") -> list[tuple[NodeName, float]]:
        """Return the `k` nodes nearest to a node, nearest first, as (name, score).

        Parameters
        ----------
        name : str or int
            The node.
        k : int
            How many.
        metric : {"cosine", "dot", "euclidean"}
            Score of :meth:`node_vectors`; for euclidean a distance.
        """
        from nodeloom.tasks import nearest

        vectors = self.node_vectors()
        node = int(self.graph_names_.find([name])[0])
        ids, scores = nearest(vectors, node, k, metric=metric)  # type: ignore[arg-type]
        return [(self.graph_names_[int(i)], float(score)) for i, score in zip(ids[0], scores[0], strict=True)]

    def score_edges(self, heads: Iterable[NodeName], tails: Iterable[NodeName]) -> DoubleArray | FloatArray:
        """Return the score of edges between named nodes, [k]: vertex vector of the head times context vector of the tail.

        Its sigmoid is the probability that training gave the pair against negatives; scores rank candidates.

        Raises
        ------
        DataError
            If a name is unknown, or there are not as many heads as tails.
        """
        from nodeloom.tasks import score_pairs

        vectors = self._fitted("vectors_")
        h, t = self.graph_names_.find(heads), self.graph_names_.find(tails)
        if len(h) != len(t):
            raise DataError(describe("score_edges", expected=f"as many tails as heads ({len(h)})", got=len(t)))
        return score_pairs(vectors, self.context_vectors_, h, t)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model to a ``.safetensors`` file, atomically, and return the path; :func:`nodeloom.load` reads it.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        from nodeloom.io.model_file import ModelData, model_path, write_model

        tensors = {"vertex": np.ascontiguousarray(self._fitted("vectors_"))}
        if self.context_vectors_ is not self.vectors_:
            tensors["context"] = np.ascontiguousarray(self.context_vectors_)
        target = model_path(Path(path))
        state = {"finished": True, "report": self.report_}
        write_model(target, ModelData(tensors, self.graph_names_, self._config, state, self._graph_record))
        return target


def _start(init: Vectors, graph: Graph) -> Vectors:
    """Return first values: of a model that is computed in seconds after computing it if need be, and scaled."""
    from nodeloom.estimators.spectral import SpectralEmbedding

    if not isinstance(init, SpectralEmbedding):
        return init
    if not init.__sklearn_is_fitted__():
        init = type(init)(**init.get_params()).fit(graph)
    return init.start()


def _is_graph(value: object) -> TypeIs[Graph]:
    from nodeloom.graph import Graph

    return isinstance(value, Graph)


def checked_graph(graph: object) -> Graph:
    """Return a graph, or say what to do with what is none."""
    from nodeloom.graph import Graph

    if not isinstance(graph, Graph):
        hint = "Make one with Graph.from_file, from_edges, from_scipy, from_networkx, from_pandas or another from_..."
        raise GraphError(describe("fit", expected="a nodeloom.Graph", got=type(graph).__name__, hint=hint))
    return graph


__all__ = ["Auto", "ModelError", "NodeEmbedding", "NotFittedError"]
