"""Training: the parts of a model one after the other, with callbacks, checkpoints and orderly interruption."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.engine.checkpoint import Checkpoints, ModelTables
from nodeloom.engine.initial import warm_tables
from nodeloom.engine.loop import divergence_error
from nodeloom.engine.modes import allocate, loop_of, peak_device_memory
from nodeloom.engine.progress import Progress, Report, checked_callbacks, peak_memory, tell
from nodeloom.errors import ConfigError, NodeloomError, TrainingInterrupted
from nodeloom.graph import KnowledgeGraph
from nodeloom.interrupt import StopRequest
from nodeloom.log import logger
from nodeloom.plan.reach import isolated, untrained
from nodeloom.schedule import Position
from nodeloom.transport.alone import ALONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from nodeloom.engine.loop import Loop
    from nodeloom.engine.tables import Tables
    from nodeloom.engine.validation import Validation
    from nodeloom.graph import Graph
    from nodeloom.model.stage import Stage
    from nodeloom.plan.settings import Settings
    from nodeloom.plan.training_plan import TrainingPlan
    from nodeloom.transport.base import Transport
    from nodeloom.typing import FloatArray

CHECKPOINT_INTERVAL = 60.0
"""Seconds between two checkpoints."""


@dataclass(frozen=True)
class TrainedTables:
    """What a training gives.

    Attributes
    ----------
    vertex : float32 [N, dim] or None
        The vectors; None with other workers than the first.
    context : float32 [N, dim] or None
        Context vectors; the same array as `vertex` for LINE's first order.
    tables : dict of str to float32 [rows, dim]
        All tables by name; none with other workers than the first.
    report : Report
        Time, rate, loss, memory.
    history : list of dict
        About a hundred points of progress, as JSON types.
    num_epoch : float
        Epochs that were trained: fewer than planned if the training was stopped.
    is_partial : bool
        Whether it was.
    """

    vertex: FloatArray | None
    context: FloatArray | None
    tables: dict[str, FloatArray]
    report: Report
    history: list[dict[str, Any]]
    num_epoch: float
    is_partial: bool = False


def train(
    graph: Graph | KnowledgeGraph,
    plan: TrainingPlan,
    settings: Settings,
    *,
    callbacks: Iterable[Any] = (),
    init: Any = None,
    checkpoint: str | Path | None = None,
    checkpoint_interval: float = CHECKPOINT_INTERVAL,
    resume: str | Path | None = None,
    transport: Transport = ALONE,
    keep: Callable[[TrainedTables], object] | None = None,
    validation: Validation | None = None,
) -> TrainedTables:
    """Train a model on a graph.

    Parameters
    ----------
    graph : Graph or KnowledgeGraph
        The graph.
    plan, settings
        From :func:`nodeloom.engine.make_plan`, and what it was made from.
    callbacks : iterable
        See :class:`nodeloom.engine.progress.Callback`.
    init : model, optional
        First values, by name.
    checkpoint : path, optional
        Write checkpoints here.
    checkpoint_interval : float
        Seconds between two of them.
    resume : path, optional
        Go on from this checkpoint.
    transport : Transport
        All workers, as the plan was made for.
    keep : callable, optional
        Is given what was learned before an interruption, or an exception of a callback, is raised.
    validation : Validation, optional
        Checks of a model of one part. The tables of the best one are returned.

    Raises
    ------
    TrainingInterrupted
        After Ctrl-C or SIGTERM. The pool of walks is finished and a checkpoint written before.
    TrainingError
        If values diverge.
    OutputError
        If `checkpoint` cannot be written, before training begins.
    ModelError, ConfigError
        If `resume` or `init` does not fit the graph or the settings.
    """
    if init is not None and resume is not None:
        raise ConfigError("init, resume: expected at most one of them, got both. A checkpoint brings its own vectors.")
    told = checked_callbacks(callbacks)
    checkpoints = Checkpoints(graph, plan, settings, checkpoint, checkpoint_interval, transport)
    checkpoints.validation = validation
    run = _Run(graph, plan, settings, told, checkpoints, keep, transport)
    first, position = 0, Position()
    if resume is not None:
        run.tables, first, position = run.checkpoints.read(resume)
        if len(plan.stages) > 1:  # they are written to, and the file they are mapped from is replaced
            run.tables.tensors = {name: np.array(table) for name, table in run.tables.tensors.items()}
    elif init is not None:
        run.tables = warm_tables(graph, plan, init)
    for sentence in plan.not_trained():
        logger.warning("%s", sentence)
    tell(run.callbacks, "on_train_begin", plan)
    ended_early = False
    with StopRequest() as stop:
        for index in range(first, len(plan.stages)):
            ended_early = run.part(index, position, resume, stop)
            if ended_early:
                break
            position = Position(seconds=run.last.seconds)
    if stop.requested:
        logger.warning("Ctrl-C came in the last step: the training is complete, and kept.")
    if validation is not None and validation.tables:
        run.tables.tensors.update(validation.tables)
    result = run.result(is_partial=ended_early and not run.out_of_patience)
    tell(run.callbacks, "on_train_end", result.report)
    return result


class _Run:
    """One training: what :func:`train` carries from part to part."""

    def __init__(
        self,
        graph: Graph | KnowledgeGraph,
        plan: TrainingPlan,
        settings: Settings,
        callbacks: tuple[Any, ...],
        checkpoints: Checkpoints,
        keep: Callable[[TrainedTables], object] | None,
        transport: Transport,
    ) -> None:
        self.transport = transport
        self.graph, self.plan, self.settings = graph, plan, settings
        self.callbacks, self.checkpoints, self.keep = callbacks, checkpoints, keep
        self.tables = ModelTables(plan)
        self.history: list[dict[str, Any]] = []
        self.pairs_before = 0
        self.out_of_patience = False
        self.last = Position()
        self.sent: tuple[int, ...] = ()
        self.waited = 0.0

    def part(self, index: int, position: Position, resume: str | Path | None, stop: StopRequest) -> bool:
        """Train one part from `position`, and put its tables with the others; return whether a callback has ended it early."""
        plan, stage = self.plan, self.plan.stages[index]
        store = allocate(plan, stage, self.graph, self.transport)
        if position.num_pair or position.num_tile:  # in the first episode of a grid there are no tiles yet
            self.tables.get(index, store, missing=str(resume))
        else:
            store.initialize()
            _fill(store, self.tables, index)
            _clear(store, self.graph, stage)
        if len(plan.stages) == 1:
            self.tables.tensors.clear()  # they are in the store now
        loop = loop_of(self.graph, plan, stage, store, self.transport)
        self.pairs_before = index * loop.total_pair
        self.last = position
        enough, finished = False, True
        for _ in loop.run(position):
            self._judge(loop, store, position)
            ended: BaseException | bool | None = self._tell(self._progress(index, position), stop)
            stopping, enough, due = self._agreed(
                stop.requested or isinstance(ended, BaseException),
                ended is True or self.out_of_patience,
                self.checkpoints.due(),
            )
            if stopping or enough or due:
                loop.settle()
                progress = self._progress(index, position)  # trainings in flight have ended too
            finished = position.num_pair >= loop.total_pair and index == len(plan.stages) - 1
            if isinstance(ended, BaseException) or (stopping and not finished):  # what is finished is given back
                path = self.checkpoints.write(self.tables, index, store, position)
                self._keep(index, stage, store)
                try:
                    raise ended if isinstance(ended, BaseException) else self._interrupted(progress, path)
                except TrainingInterrupted as error:
                    error.checkpoint = path
                    raise
                finally:
                    ended = None  # else it would keep this frame, and with it the memory of the device
            if (due or enough) and position.num_pair < loop.total_pair:
                self.checkpoints.write_or_warn(self.tables, index, store, position)
            if enough and not finished:
                break
        if not store.is_sound():
            raise divergence_error(plan, position.num_pair)
        _clear(store, self.graph, stage)
        self.sent += tuple(loop.sent)
        self.waited += loop.waited
        self.tables.finish(index, store)
        return enough and not finished

    def _judge(self, loop: Loop, store: Tables, position: Position) -> None:
        """Check the tables, if it is time for it."""
        validation, total = self.checkpoints.validation, loop.total_pair
        if validation is None:
            return
        epoch = position.num_pair / self.plan.num_edges
        if validation.due(epoch, finished=position.num_pair >= total):
            loop.settle()
            self.out_of_patience = validation.check(position.num_pair / self.plan.num_edges, position.seconds, store)

    def _tell(self, progress: Progress, stop: StopRequest) -> BaseException | bool:
        """Tell the callbacks where training is; return what one of them raised, or whether one wants to end the training."""
        try:
            return tell(self.callbacks, "on_pool_end", progress)
        except TrainingInterrupted as error:
            return error
        except (Exception, KeyboardInterrupt) as error:
            second = isinstance(error, KeyboardInterrupt) and stop.requested  # and should end at once
            if second or self.plan.num_worker > 1:  # the other workers would wait for the tables of this one
                raise
            return error

    def _keep(self, index: int, stage: Stage, store: Tables) -> None:
        """Give away what was learned so far, if it is sound."""
        if self.keep is not None and store.is_sound():
            _clear(store, self.graph, stage)
            self.tables.finish(index, store)
            self.keep(self.result(is_partial=True))

    def _agreed(self, *flags: bool) -> tuple[bool, ...]:
        """Return the flags, each set if it is that of any worker: all of them do the same."""
        numbers = np.array(flags, np.int64)
        self.transport.all_reduce(numbers)
        return tuple(bool(number) for number in numbers)

    def _progress(self, index: int, position: Position) -> Progress:
        plan = self.plan
        done = self.pairs_before + position.num_pair
        rate = max(done, 1) / max(position.seconds, 1e-9)  # the first pool may have no pairs
        progress = Progress(
            epoch=position.num_pair / plan.num_edges,
            num_epoch=plan.num_epoch,
            num_pair=min(done, plan.total_pair),
            total_pair=plan.total_pair,
            loss=position.loss,
            lr=position.lr,
            rate=rate,
            seconds=position.seconds,
            seconds_left=max(0.0, (plan.total_pair - done) / rate),
            part=index,
            num_part=len(plan.stages),
            unit=plan.unit,
        )
        if not self.history or done - self.history[-1]["num_pair"] >= plan.total_pair / 100 or done >= plan.total_pair:
            self.history.append(dataclasses.asdict(progress))
        return progress

    def result(self, *, is_partial: bool) -> TrainedTables:
        """Return the tables and what the training came to."""
        pairs = self.pairs_before + self.last.num_pair
        seconds = self.last.seconds
        report = Report(
            seconds=seconds,
            num_pair=pairs,
            rate=pairs / max(seconds, 1e-9),
            loss=self.last.loss,
            peak_memory=peak_memory(),
            peak_device_memory=peak_device_memory(self.plan),
            num_thread=self.plan.num_thread,
            device=self.plan.device,
            num_worker=self.plan.num_worker,
            sent_bytes=sum(self.sent),
            num_sent=len(self.sent),
            waited_seconds=self.waited,
            unit=self.plan.unit,
        )
        ended = is_partial or self.out_of_patience
        done = min(1.0, pairs / self.plan.total_pair) if ended else 1.0
        objective = self.plan.stages[-1].objective
        vertex = self.tables.tensors.get(objective.head)
        context = self.tables.tensors.get(objective.tail, vertex)
        learned = {spec.name for stage in self.plan.stages for spec in stage.objective.tables}
        tables = {name: table for name, table in self.tables.tensors.items() if name in learned}
        return TrainedTables(vertex, context, tables, report, self.history, done * self.plan.num_epoch, is_partial)

    def _interrupted(self, progress: Progress, path: Path | None) -> NodeloomError:
        where = f"training stopped at epoch {progress.epoch:,.1f} of {progress.num_epoch:,}"
        if path is None:
            return TrainingInterrupted(f"{where}; nothing was written, since no checkpoint was asked for.")
        return TrainingInterrupted(f"{where}; it can go on from {path}.", path)


def _clear(store: Tables, graph: Graph | KnowledgeGraph, stage: Stage) -> None:
    """Set the rows that no pair reaches to 0: first values, or what negatives alone made of them, would pass for vectors."""
    objective = stage.objective
    if isinstance(graph, KnowledgeGraph):  # negatives tell unseen entities from true answers
        return
    for name, rows in {objective.tail: isolated(graph), objective.head: untrained(graph, tied=stage.tied)}.items():
        if rows.any():
            store.write(name, np.broadcast_to(np.float32(0.0), (graph.num_nodes, stage.dim)), rows)


def _fill(store: Tables, tables: ModelTables, index: int) -> None:
    """Copy warm tables over the first values of a store, but for rows of zeros, which know nothing.

    A part that begins after a resume finds its warm columns in the checkpoint; on a cold start its columns are zeros.
    """
    stage = tables.plan.stages[index]
    for name in store.specs:
        if name in tables.tensors:
            columns = tables.tensors[name][:, stage.first : stage.first + store.width(name)]
            rows = np.asarray(columns.any(axis=1))
            store.write(name, columns, rows)
