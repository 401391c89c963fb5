"""Spectral methods from a plan to vectors, with callbacks and orderly interruption."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.engine.progress import checked_callbacks, peak_memory, tell
from nodeloom.engine.spectral.operator import backward, row_sums
from nodeloom.engine.spectral.plan import SVD_STEPS, SpectralPlan
from nodeloom.engine.spectral.progress import SpectralProgress, SpectralReport
from nodeloom.engine.spectral.prone import ProNE
from nodeloom.engine.spectral.propagation import Propagation
from nodeloom.engine.spectral.tables import Backend, CpuTables
from nodeloom.engine.steps import Steps
from nodeloom.errors import GraphError, TrainingError, TrainingInterrupted, describe
from nodeloom.interrupt import StopRequest
from nodeloom.log import logger
from nodeloom.words import setting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from nodeloom.graph import Graph
    from nodeloom.typing import FloatArray


@dataclasses.dataclass(frozen=True)
class SpectralResult:
    """What a spectral method gives.

    Attributes
    ----------
    vertex : float32 [N, dim]
        The vectors; fewer columns where the graph has no more to tell.
    report : SpectralReport
        Time, steps, memory.
    history : list of dict
        Progress after every step, as JSON types.
    is_partial : bool
        Whether it was stopped early.
    """

    vertex: FloatArray
    report: SpectralReport
    history: list[dict[str, Any]]
    is_partial: bool = False


def backend_of(plan: SpectralPlan) -> AbstractContextManager[Any]:
    """Return a context that gives the backend of a plan."""
    if plan.device == "cpu":
        return CpuTables(plan.num_thread).running()
    if plan.block_columns:
        from nodeloom.engine.spectral.gpu_columns import BlockedGpuTables

        return BlockedGpuTables(plan.device, plan.block_columns).running()
    from nodeloom.engine.spectral.gpu_tables import GpuTables

    return GpuTables(plan.device).running()


def run_spectral(
    graph: Graph,
    plan: SpectralPlan,
    *,
    callbacks: Iterable[Any] = (),
    keep: Callable[[SpectralResult], object] | None = None,
) -> SpectralResult:
    """Compute the vectors of a graph.

    Parameters
    ----------
    graph : Graph
        The graph.
    plan : SpectralPlan
        Its plan.
    callbacks : iterable
        Objects with any of ``on_train_begin(plan)``, ``on_pool_end(progress)`` (after every step) and ``on_train_end(report)``.
    keep : callable, optional
        Is given what propagation has reached before an interruption, or an exception of a callback, is raised.

    Raises
    ------
    TrainingInterrupted
        After Ctrl-C or SIGTERM, at the end of a step.
    TrainingError
        If values are NaN or infinite.
    GraphError
        If all vectors are the same.
    """
    told = checked_callbacks(callbacks)
    if sentence := plan.without_sentence():
        logger.warning("%s", sentence)
    tell(told, "on_train_begin", plan)
    steps = Steps(plan.model, told, "; it keeps no checkpoint, start it again")
    run = _Run(graph, plan, steps)
    with StopRequest() as stop, backend_of(plan) as backend:
        run.backend = backend
        vertex = run.prone(stop) if plan.model == "ProNE" else run.propagation(stop)
        device_memory = getattr(backend, "peak_memory", lambda: 0)()
    steps.mention(stop)
    if not np.isfinite(vertex).all():
        raise TrainingError(
            f"{plan.model}: vectors are not finite. Are there extreme weights in the graph? Scale them."
        )
    if steps.ended is None:
        _check(graph, plan, vertex)
    last = steps.history[-1]
    report = SpectralReport(
        seconds=steps.seconds,
        num_step=len(steps.history),
        change=last["change"],
        converged=last["change"] is not None and last["change"] < plan.tolerance,
        peak_memory=peak_memory(),
        num_thread=plan.num_thread,
        device=plan.device,
        peak_device_memory=device_memory,
    )
    return steps.given_back(SpectralResult(vertex, report, steps.history, steps.is_partial), keep)


class _Run:
    """One computation: what its steps share."""

    backend: Backend

    def __init__(self, graph: Graph, plan: SpectralPlan, steps: Steps) -> None:
        self.graph, self.plan, self.steps = graph, plan, steps

    def after_step(self, num_step: int, change: float | None, stop: StopRequest) -> bool:
        """Tell the callbacks; return whether to end here."""
        step = len(self.steps.history) + 1
        progress = SpectralProgress(step, num_step, change, *self.steps.clock(step, num_step))
        return self.steps.end_after(progress, dataclasses.asdict(progress), step, num_step, stop)

    def propagation(self, stop: StopRequest) -> FloatArray:
        """Propagate, and return the vectors of all scales side by side."""
        plan, work = self.plan, Propagation(self.graph, self.plan, self.backend)
        ends = scale_ends(plan.num_iteration, plan.num_scale)
        vectors, parts = None, list[slice]()
        if plan.num_scale > 1:
            vectors = np.empty((plan.num_nodes, plan.num_scale * plan.width), np.float32)
        for number, change in enumerate(work.steps(plan.num_iteration), 1):
            enough = self.after_step(plan.num_iteration, change, stop)
            if vectors is not None:
                now = [end for end in ends if end == number or (enough and end > number)]
                columns = self._telling(work) if now else np.empty(0, np.int64)
                for _ in now:
                    place = slice(parts[-1].stop if parts else 0, (parts[-1].stop if parts else 0) + len(columns))
                    vectors[:, place] = self.backend.download(work.keep(columns))
                    parts.append(place)
            elif change < plan.tolerance:
                break
            if enough:
                break
        if vectors is None:
            columns = self._telling(work)
            return self.backend.download(work.release(columns))
        vectors = np.ascontiguousarray(vectors[:, : min(parts[-1].stop, plan.dim)])
        for part in (vectors[:, place] for place in parts):  # rows of every scale weigh the same
            length = np.linalg.norm(part, axis=1, keepdims=True)
            part *= plan.row_length / np.sqrt(plan.num_scale) / np.where(length > 0, length, 1.0)
        return vectors

    def _telling(self, work: Propagation) -> npt.NDArray[np.int64]:
        columns = work.telling()
        if not len(columns):
            raise _nothing(self.graph, self.plan)
        return columns

    def prone(self, stop: StopRequest) -> FloatArray:
        """Factorize and filter."""
        work = ProNE(self.graph, self.plan, self.backend)
        for _ in work.steps():
            if self.after_step(SVD_STEPS + self.plan.num_iteration + 1, None, stop):
                raise self.steps.ended or TrainingInterrupted(
                    "ProNE has vectors at its end only: nothing is kept of one that a callback ends."
                )
        return self.backend.download(work.table)


def scale_ends(num_iteration: int, num_scale: int) -> list[int]:
    """Return after how many steps each scale is taken: all of them for the last, half as many for the one before, ..."""
    return [max(1, num_iteration >> (num_scale - 1 - i)) for i in range(num_scale)]


def _nothing(graph: Graph, plan: SpectralPlan) -> GraphError:
    hint = f"Take {setting('train.model', 'DeepWalk')}."
    hint += f" Or raise {setting('resource.dim')}." if plan.dim == 1 else ""
    expected, got = "nodes whose neighbours tell them apart from others", f"none in {graph!r}"
    return GraphError(describe(plan.model, expected=expected, got=got, hint=hint))


def _check(graph: Graph, plan: SpectralPlan, vertex: FloatArray) -> None:
    """Refuse vectors that tell no nodes apart, and say how they are not as asked.

    Raises
    ------
    GraphError
        If all vectors are the same.
    """
    filled = vertex.any(axis=1)
    number = int(np.count_nonzero(filled))
    length = float(np.linalg.norm(vertex[filled].mean(axis=0, dtype=np.float64))) if number else plan.row_length
    if length > (1 - 1e-5) * plan.row_length:
        raise _nothing(graph, plan)
    if vertex.shape[1] < plan.dim:
        logger.warning(
            "%s: vectors have %d columns instead of %d: there are no more on which neighbours agree.",
            plan.model, vertex.shape[1], plan.dim,
        )  # fmt: skip
    if (more := len(vertex) - number - plan.num_without) > 0:
        logger.warning("%s: %s more vectors are zeros.", plan.model, f"{more:,}")


def context_vectors(graph: Graph, vertex: FloatArray, num_thread: int) -> FloatArray:
    """Return for every node the sum of the vectors of the nodes that lead to it over the root of its strength, float32 [N, dim].

    The score of an edge is then how much its head is like the nodes that have edges to its tail, times the root of how many
    they are. AUC of hidden edges (BlogCatalog, Slashdot, YouTube-77k; propagation): 0.651, 0.646, 0.821 with the vectors themselves
    as context vectors, 0.824, 0.766, 0.902 with means, 0.880, 0.844, 0.917 so, and 0.879, 0.850, 0.917 with sums; ProNE: 0.852, 0.811,
    0.878; 0.850, 0.818, 0.901; 0.954, 0.906, 0.921; 0.935, 0.908, 0.921.
    """
    matrix = backward(graph, 0.0)
    incoming = row_sums(matrix)
    with CpuTables(num_thread).running() as backend:
        out = backend.empty_like(vertex)
        backend.product(matrix, vertex, out)
        backend.combine(out, backend.column(np.where(incoming > 0, incoming, 1.0) ** -0.5), out, 0.0)
    return out
