"""Models that are computed from the whole graph in seconds: propagation and ProNE."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from nodeloom.errors import ConfigError, describe
from nodeloom.estimators.base import NodeEmbedding, checked_graph
from nodeloom.keywords import known_keywords

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nodeloom.engine import Settings
    from nodeloom.engine.spectral import SpectralPlan
    from nodeloom.engine.spectral.training import SpectralResult
    from nodeloom.graph import Graph
    from nodeloom.io.vocabulary import Vocabulary
    from nodeloom.typing import Auto, FloatArray

Self = TypeVar("Self", bound="SpectralEmbedding")

START_LENGTH = 1.0
"""Length of the rows that a training by skip-gram starts from, see :meth:`SpectralEmbedding.start`.

BlogCatalog, 50 % of the labels, 250 epochs: 40.7/26.4 with 0.3, 40.3/27.2 with 1, 40.4/27.0 with 2, and 38.3/23.3 from random rows; 500
epochs at lr 0.01: 41.5/27.2 with 0.3, 41.9/28.7 with 1, 41.8/28.7 with 2, 41.7/28.5 with 3. YouTube-77k, 10 %: 46.3/40.5 with 1,
45.5/40.1 with 2, 44.8/39.5 with 3. Scores of edges want longer rows and a higher rate: AUC of hidden edges of Slashdot, residual 0, 500
epochs: 0.906 with 1 at the rate of auto, 0.909 with 1 at lr 0.05, 0.912 with 2, 0.914 with 3 at 0.04 and 4 at 0.05, 0.910 with 5 at 0.03
and 0.898 with 8; 0.895 with 3 at 0.01.
"""


class Start:
    """First values of a training: what a warm start needs of a model."""

    def __init__(self, vectors: FloatArray, contexts: FloatArray, names: Vocabulary) -> None:
        self.vectors_, self.context_vectors_, self.graph_names_ = vectors, contexts, names


@dataclass(kw_only=True, eq=False, repr=False)
class SpectralEmbedding(NodeEmbedding):
    """Base of the estimators that are computed; see :class:`nodeloom.Propagation` for parameters and attributes."""

    dim: int = field(default=128, kw_only=False)
    row_length: float | Auto = "auto"
    num_thread: int | Auto = "auto"
    deterministic: bool = False
    seed: int = 0
    device: str = "auto"
    gpus: Sequence[int] = ()
    gpu_memory_limit: int | str = "auto"
    memory_limit: int | str = "auto"
    verbose: bool | Auto = "auto"

    def _settings(self) -> Settings:
        """Check all parameters and return them as sections of the configuration."""
        return self._sections(self.get_params(), {})

    def plan(self, graph: Graph) -> SpectralPlan:  # type: ignore[override]
        """Say what the computation will do and cost: memory, and time measured on this machine, before anything runs.

        Parameters
        ----------
        graph : Graph
            The graph.

        Returns
        -------
        SpectralPlan
            Printable; ``rows()`` for tables, ``to_dict()`` for programs.

        Raises
        ------
        ConfigError, GraphError, MemoryLimitError
            If it would be refused.
        """
        from nodeloom.engine.spectral import make_spectral_plan
        from nodeloom.engine.spectral.calibrate import with_seconds

        return with_seconds(make_spectral_plan(checked_graph(graph), self._settings()), graph)

    @known_keywords()
    def fit(self: Self, graph: Graph, y: object = None, *, callbacks: Iterable[Any] | None = ()) -> Self:  # type: ignore[override]
        """Compute the vectors of the nodes of a graph.

        Parameters
        ----------
        graph : Graph
            The graph.
        y : None
            For scikit-learn's pipelines; ignored.
        callbacks : iterable
            Objects with any of ``on_train_begin(plan)``, ``on_pool_end(progress)`` (after every step), ``on_train_end(report)``.
            If ``on_pool_end`` returns True, propagation ends there and the model is `partial_`.

        Returns
        -------
        self

        Raises
        ------
        ConfigError
            If a parameter is not allowed.
        GraphError
            If there is nothing to learn from, or nothing tells nodes apart: a single edge, a star, a complete graph.
        TrainingError
            If values overflow. NaN is never returned.
        ParameterError
            If a callback could not be told anything.
        TrainingInterrupted
            After Ctrl-C or SIGTERM; it is a KeyboardInterrupt. A model of propagation has the vectors of the last step then, and is
            `partial_`; ProNE has vectors at its end only. A second Ctrl-C ends at once.
        """
        del y
        from nodeloom.engine.progress import checked_callbacks
        from nodeloom.engine.spectral import make_spectral_plan, run_spectral
        from nodeloom.estimators.progress import shown_progress

        settings = self._settings()
        told = checked_callbacks(callbacks)
        plan = make_spectral_plan(checked_graph(graph), settings)
        with shown_progress(type(self).__name__, self.verbose) as shown, self._keeping() as keep:
            result = run_spectral(
                graph, plan, callbacks=(*told, *shown), keep=lambda result: keep(graph, settings, result, plan)
            )
        self._take(graph, settings, result, plan)
        return self

    def _take(self, graph: Graph, settings: Settings, result: SpectralResult, plan: SpectralPlan) -> None:  # type: ignore[override]
        """Become the model of a computation."""
        from nodeloom.engine.checkpoint import graph_record
        from nodeloom.engine.spectral.training import context_vectors

        self.vectors_ = result.vertex
        self.context_vectors_ = context_vectors(graph, result.vertex, plan.num_thread)
        self.graph_names_ = graph.names
        self.report_, self.history_ = result.report.to_dict(), result.history
        self.partial_ = result.is_partial
        self._config, self._graph_record = settings.to_dict(), graph_record(graph)

    def _first_values(self, graph: Graph, dim: int) -> Start:
        """Return vectors as :meth:`start` does, computed now if the model is not fitted."""
        model = self if self.__sklearn_is_fitted__() else type(self)(**self.get_params()).fit(graph)
        return model.start(dim=dim)

    def start(self, length: float = START_LENGTH, *, dim: int | None = None) -> Start:
        """Return the vectors as first values for :class:`nodeloom.DeepWalk`, which ``fit(graph, init=this model)`` does by itself.

        Both tables get rows of one length: skip-gram takes the sigmoid of the product of a vertex and a context vector as a
        probability, and leaves rows that are too long or too short late.

        Parameters
        ----------
        length : float
            Length of the rows. 1 is best for classification, 3 for the scores of edges.
        dim : int, optional
            Columns wanted. Where the graph filled fewer than these and than the parameter `dim`, the others get random first values.

        Raises
        ------
        ConfigError
            If the length is not greater than 0.
        """
        if not length > 0:
            raise ConfigError(describe("start.length", expected="a number > 0", got=length))
        vertex, context = _of_length(self.vectors_, length), _of_length(self.context_vectors_, length)
        missing = min(dim or 0, self.dim) - vertex.shape[1]
        if missing > 0:
            from nodeloom.plan.defaults import initial_scale

            scale = initial_scale(self.dim)
            random = np.random.default_rng(self.seed).uniform(-scale, scale, (len(vertex), missing)).astype(np.float32)
            vertex = np.concatenate([vertex, random], axis=1)
            context = np.concatenate([context, np.zeros_like(random)], axis=1)
        return Start(vertex, context, self.graph_names_)


def _of_length(table: FloatArray, length: float) -> FloatArray:
    """Return rows scaled to a length, zeros excepted."""
    norms = np.linalg.norm(table, axis=1, keepdims=True)
    scaled: FloatArray = table * (length / np.where(norms > 0, norms, 1.0)).astype(np.float32)
    return scaled


@dataclass(kw_only=True, eq=False, repr=False)
class Propagation(SpectralEmbedding):
    """Whitened propagation (Cleora 3; subspace iteration of the random walk): the vector of a node is the mean of its neighbours'.

    Random vectors are averaged over neighbours, scaled to length 1 and whitened, 30 to 80 times: good vectors in seconds.

    Parameters
    ----------
    dim : int
        Values in a vector.
    num_iteration : int or "auto"
        Steps. auto: up to 30 on dense graphs, 40 at five edges per node and 80 at 2.5, until `tolerance` is reached.
    tolerance : float or "auto"
        End when a step changes the variances of the columns by less than this share of what they differ by; 0: never. auto:
        0.0001, or never if `num_iteration` is given.
    degree_exponent : float or "auto"
        What a node gives to its neighbours is divided by its degree to this power. auto: 0 on sparse graphs, up to 0.25 on
        graphs of 32 edges per node and more.
    residual : float or "auto"
        Share of its own vector that a node keeps in a step. auto: 0.5 on sparse graphs, down to 0 on graphs of 32 edges per
        node and more.
    whiten : bool
        Make columns uncorrelated after every step.
    direction : {"both", "out", "in"}
        On directed graphs: average over the tails of the edges that leave a node, over the heads of those that reach it, or both.
    num_scale : int
        Join the vectors after all steps, half of them, a quarter, ... in so many equal parts.
    row_length : float or "auto"
        Length of every vector. auto: 2.
    num_thread : int or "auto"
        CPU threads. auto: all that the process may use. The vectors are the same with any number.
    deterministic : bool
        Compute on the CPU, even if there is a GPU, so that a seed gives the same vectors to the last bit.
    seed : int
        Seed of the random vectors.
    device : {"auto", "cpu", "cuda", "cuda:N"}
        Where to compute. cuda: the first GPU that can be used. auto: the same, or the CPU if there is none.
    gpus : sequence of int
        Numbers of the GPUs to choose from; none: all. One of them is used.
    gpu_memory_limit : int, str or "auto"
        Bytes to use on a GPU at most. auto: what is free there. Vectors that do not fit pass through it in blocks.
    memory_limit : int, str or "auto"
        Bytes (or "8GB") of main memory to use at most; what needs more is refused. auto: what the machine has.
    verbose : bool or "auto"
        Whether to show a bar while it runs. auto: in a terminal or a notebook, if it takes longer than a second or two.

    Attributes
    ----------
    vectors_ : float32 [N, dim]
        Vectors in node order; zeros for nodes without edges. Fewer columns, with a warning, where the graph has no more on which neighbours
        agree: at most half as many as nodes with edges.
    context_vectors_ : float32 [N, dim]
        Sums of the vectors of the nodes that lead to each node over the root of its strength, for :meth:`score_edges`.
    graph_names_ : Vocabulary
        Names of the nodes.
    report_ : dict
        Seconds, steps and peak memory.
    partial_ : bool
        Whether training was stopped early.
    history_ : list of dict
        Progress after every step.

    Examples
    --------
    >>> from nodeloom import Graph, Propagation
    >>> graph = Graph.from_edges([[node, (node + 1) % 12] for node in range(12)])
    >>> Propagation(dim=2).fit(graph).vectors_.shape
    (12, 2)
    """

    _model = "propagation"

    num_iteration: int | Auto = "auto"
    tolerance: float | Auto = "auto"
    degree_exponent: float | Auto = "auto"
    residual: float | Auto = "auto"
    whiten: bool = True
    direction: Literal["both", "out", "in"] = "both"
    num_scale: int = 1


@dataclass(kw_only=True, eq=False, repr=False)
class ProNE(SpectralEmbedding):
    """ProNE (Zhang et al., IJCAI 2019): edges factorized, then filtered on the graph.

    The attributes are those of :class:`Propagation`.

    Parameters
    ----------
    dim : int
        Values in a vector.
    theta : float
        Width of the band that the filter lets through.
    mu : float
        Eigenvalue of the Laplacian around which it lets through.
    num_term : int
        Terms of the filter.
    num_negative : int
        The pointwise mutual information is shifted by the logarithm of this.
    negative_sample_exponent : float
        Noise is in proportion to degree to this power.
    row_length : float or "auto"
        Length of every vector. auto: 2.
    num_thread, deterministic, seed, device, gpus, gpu_memory_limit, memory_limit, verbose
        As in :class:`Propagation`.
    """

    _model = "ProNE"

    theta: float = 0.5
    mu: float = 0.2
    num_term: int = 10
    num_negative: int = 1
    negative_sample_exponent: float = 0.75
