"""Batches of triples trained on a GPU: a step is recorded once for each size of batches, and played for all batches of a pool.

The host draws no triples and no negatives: it says which batches a pool has, and learns of their loss when the pool has ended.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nodeloom.engine.gpu.device import Device, explained
from nodeloom.engine.gpu.triple_step import Batch, Learned, TripleStep
from nodeloom.kernels.gpu._triple_batches import leave_out, take
from nodeloom.kernels.gpu._triton import key_bits
from nodeloom.kernels.gpu.negatives import draw_negatives
from nodeloom.rng import MASK, Purpose, mix, stream
from nodeloom.sampling.answers import LeftOut
from nodeloom.sampling.triples import EntitySampler, kept, side_weights
from nodeloom.schedule import Landed, OnDevice, TrainTiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nodeloom.engine.tables import Tables
    from nodeloom.graph import KnowledgeGraph
    from nodeloom.model.stage import Stage
    from nodeloom.plan.triple_plan import TriplePlan
    from nodeloom.typing import DoubleArray


class GpuTriples:
    """A GPU as a device of a knowledge graph; the counterpart of :class:`nodeloom.engine.cpu.triples.CpuTriples`.

    Parameters
    ----------
    graph : KnowledgeGraph
        The knowledge graph.
    plan : TriplePlan
        The plan, of a GPU.
    stage : Stage
        What to train.
    tables : Tables
        Its tables; changed.

    Raises
    ------
    MemoryLimitError
        If the device has not enough memory after all.
    """

    depth = 0
    sent: Sequence[int] = ()

    def __init__(self, graph: KnowledgeGraph, plan: TriplePlan, stage: Stage, tables: Tables) -> None:
        self.plan, self.device = plan, Device(plan.device)
        self._landed = Landed(0, 0.0, 0.0)
        self._order = stream(stage.seed, Purpose.TRIPLE_ORDER)
        with explained(plan.device, of_triples=True):
            self._build(graph, plan, stage, tables)

    def _build(self, graph: KnowledgeGraph, plan: TriplePlan, stage: Stage, tables: Tables) -> None:
        device, upload = self.device, self.device.upload
        heads, relations, tails, weights = kept(graph)
        self._triples = tuple(upload(np.ascontiguousarray(ids, np.int32)) for ids in (heads, relations, tails))
        self._weights = (
            None if weights is None else upload((weights / weights.mean(dtype=np.float64)).astype(np.float32))
        )
        self._sides = upload(side_weights(heads, relations, tails)) if plan.triples.bernoulli else None
        drawn = EntitySampler.of(graph, plan.negatives, stage.seed)
        self._drawn = None if drawn is None else (upload(drawn.table.prob), upload(drawn.table.alias), drawn.key)
        corrected = drawn is not None and plan.loss.name == "cross entropy"
        self._correction = upload(drawn.correction) if corrected and drawn is not None else None
        self._mask = Mask.made(graph, plan, device)
        entity, relation = (tables.of(name) for name in (stage.objective.head, stage.objective.relation))
        width = relation[0].shape[1] // 2
        self._step = TripleStep(
            plan.scoring, plan.loss, Learned(*entity, row_wise=tables.specs[stage.objective.head].row_wise),
            Learned(*(rows.reshape(-1, width) for rows in relation)), plan.optimizer.code,
            tuple(float(value) for value in plan.optimizer.settings), decay=plan.weight_decay,
            product="bf16" if device.is_real else "fp32",
        )  # fmt: skip
        most, pool = 2 * -(-plan.triples.num_triple // plan.triples.num_batch), plan.tiles_per_pool
        self._asked = [device.empty(most, dtype=torch.int32) for _ in range(3)]
        self._asked_weights = device.empty(most, dtype=torch.float32) if self._has_weights else None
        self._keys, self._firsts = (device.empty(pool, dtype=torch.int64) for _ in range(2))
        self._rates = device.empty(pool, dtype=torch.float32)
        self._negatives = device.empty(pool if drawn else 0, drawn.count if drawn else 0, dtype=torch.int32)
        self._place = device.empty(1, dtype=torch.int64)
        self._loss = device.empty(1, dtype=torch.float64)
        self._stream = device.stream()
        self._recorded: dict[int, Any] = {}

    @property
    def _has_weights(self) -> bool:
        return self._weights is not None or self._sides is not None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Wait for everything at the end."""
        with explained(self.plan.device, of_triples=True):
            self.device.synchronize()  # tables are initialized and read on other streams
            self._step.prepare(self._drawn is None)
            self.device.synchronize()
            try:
                yield
            finally:
                self._recorded.clear()
                self.device.synchronize()

    def run(self, operation: OnDevice, lr: DoubleArray) -> int:
        """Train the batches of a pool, whatever they come to: :meth:`land` waits for it."""
        if isinstance(operation, TrainTiles):
            total = self.plan.num_epoch * self.plan.triples.num_batch
            last = min(operation.first + operation.count, total)
            with explained(self.plan.device, of_triples=True):
                self._train(range(operation.first, last), lr[: last - operation.first])
        return 0

    def land(self) -> Landed:
        """Wait for the pool, and return its triples and its loss."""
        with explained(self.plan.device, of_triples=True):
            self.device.wait_for(self._stream)
            loss = float(self._loss)
        pairs = self._landed.pairs
        return Landed(pairs, loss, float(pairs))

    def settle(self) -> None:
        """Wait for everything."""
        with explained(self.plan.device, of_triples=True):
            self.device.synchronize()

    def _train(self, numbers: range, lr: DoubleArray) -> None:
        bounds = [self.plan.triples.bounds(number) for number in numbers]
        sizes = [last - first for _, first, last in bounds]
        keys = [key_bits(mix((self._order + epoch) & MASK)) for epoch, _, _ in bounds]
        with np.errstate(over="ignore"):  # a rate that is too large ends as a TrainingError
            rates = lr.astype(np.float32)
        with self.device.on(self._stream):
            self._keys[: len(keys)] = self.device.upload(np.array(keys, np.int64))
            self._firsts[: len(keys)] = self.device.upload(np.array([first for _, first, _ in bounds], np.int64))
            self._rates[: len(keys)] = self.device.upload(rates)
            self._place.zero_()
            self._loss.zero_()
            if self._drawn is not None:
                prob, alias, key = self._drawn
                draw_negatives(prob, alias, key, numbers.start, self._negatives[: len(keys)])
            for size in sizes:
                self._play(size)
        self._landed = Landed(sum(sizes), 0.0, 0.0)

    def _play(self, size: int) -> None:
        """Train the batch whose turn it is: the first of a size as it is, to compile what is missing; the second is recorded."""
        if not self.device.is_real:
            self._train_batch(size)
            return
        recorded = self._recorded.setdefault(size, None)
        if recorded is None:
            self._train_batch(size)
            self._recorded[size] = "compiled"
            return
        if recorded == "compiled":
            recorded = self._recorded[size] = torch.cuda.CUDAGraph()
            with torch.cuda.graph(recorded, stream=self._stream):
                self._train_batch(size)
        recorded.replay()

    def _train_batch(self, size: int) -> None:
        ids = tuple(rows[: 2 * size] for rows in self._asked)
        weights = None if self._asked_weights is None else self._asked_weights[: 2 * size]
        take(self._place, self._keys, self._firsts, self._triples, self._weights, self._sides, ids, weights)
        negatives = correction = None
        if self._drawn is not None:
            negatives = self._negatives.index_select(0, self._place)[0]
            correction = None if self._correction is None else self._correction.index_select(0, negatives)
        rate = self._rates.index_select(0, self._place)
        heads, relations, tails = ids
        batch = Batch(heads, relations, tails, negatives, correction, weights)
        relation_rate = None if self.plan.relation_lr == 1.0 else rate * self.plan.relation_lr
        loss = self._step.step(batch, rate, relation_rate, None if self._mask is None else self._mask.of(batch))
        self._loss += loss.double() * size
        self._place += 1


class Mask:
    """Scores of entities that do not count as negatives; the counterpart of :class:`nodeloom.sampling.answers.LeftOut`.

    Parameters
    ----------
    num_entity : int
        Entities.
    known, slots : tuple of tensors, or None
        The answers of a question, and the entities of a slot, by key: see :func:`nodeloom.kernels.gpu._triple_batches.leave_out`.
    """

    def __init__(self, num_entity: int, known: Any, slots: Any) -> None:
        self._num_entity, self._known, self._slots = num_entity, known, slots

    @classmethod
    def made(cls, graph: KnowledgeGraph, plan: TriplePlan, device: Device) -> Mask | None:
        """Return that of a plan; None if all entities count."""
        if not (plan.negatives.without_known or plan.negatives.typed):
            return None
        left_out = LeftOut(graph, plan.negatives)
        known, slots = (
            None if found is None else tuple(device.upload(array) for array in (found.keys, found.bounds, found.items))
            for found in (left_out.known, left_out.slots)
        )
        return cls(graph.num_entities, known, slots)

    def of(self, batch: Batch) -> Callable[[torch.Tensor], None]:
        """Return what sets the scores of a batch to minus infinity."""
        rows = batch.relations.long()
        truth = batch.tails if batch.negatives is not None else (batch.tails, self._num_entity)

        def mask(scores: torch.Tensor) -> None:
            if self._known is not None:
                keys = rows * self._num_entity + batch.heads
                leave_out(scores, keys, self._known, batch.negatives, truth, others=False)
            if self._slots is not None:
                leave_out(scores, rows, self._slots, batch.negatives, truth, others=True)

        return mask
