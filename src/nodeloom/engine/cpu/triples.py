"""Batches of triples trained by threads of the CPU: their products by BLAS, the rest by compiled loops."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.kernels.cpu import relational_loss as losses
from nodeloom.kernels.cpu._relational_rows import COMPARATORS, OPERATORS
from nodeloom.kernels.cpu.parallel import collect, slices
from nodeloom.kernels.cpu.relational import compare, distance_gradients
from nodeloom.kernels.cpu.triples import answer, ask, group, leave_out, update
from nodeloom.plan.triple_memory import query_slices
from nodeloom.sampling.answers import LeftOut
from nodeloom.sampling.triples import EntitySampler, TripleSampler
from nodeloom.schedule import Landed, OnDevice, TrainTiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nodeloom.engine.tables import Tables
    from nodeloom.graph import KnowledgeGraph
    from nodeloom.model.stage import Stage
    from nodeloom.plan.triple_plan import TriplePlan
    from nodeloom.typing import DoubleArray, FloatArray

_CANDIDATES = 128
_ROWS = 512
_LOSSES = {"cross entropy": 0, "self adversarial": 1, "logistic": 1, "margin": 2}
_NONE = np.empty(0, np.int32)


class CpuTriples:
    """The CPU as a device of a knowledge graph.

    The slices that threads take do not depend on how many threads there are, nor does any number.

    Parameters
    ----------
    graph : KnowledgeGraph
        The knowledge graph.
    plan : TriplePlan
        The plan.
    stage : Stage
        What to train.
    tables : Tables
        Its tables; changed.
    """

    depth = 0
    sent: Sequence[int] = ()

    def __init__(self, graph: KnowledgeGraph, plan: TriplePlan, stage: Stage, tables: Tables) -> None:
        self.plan = plan
        self._triples = TripleSampler(graph, plan.triples, stage.seed)
        self._negatives = EntitySampler.of(graph, plan.negatives, stage.seed)
        entity, self._moments = (found := tables.of(stage.objective.head))[0], found[1:]
        relation, *moments = tables.of(stage.objective.relation)
        width = relation.shape[1] // 2
        self._entity: FloatArray = entity
        self._relation: FloatArray = relation.reshape(-1, width)
        self._relation_moments = tuple(moment.reshape(-1, width) for moment in moments)
        self._places = np.full(len(entity), -1, np.int32), np.full(len(self._relation), -1, np.int32)
        self._buffers = Buffers(plan, entity.shape[1], width)
        is_filtered = plan.negatives.without_known or plan.negatives.typed
        self._left_out = LeftOut(graph, plan.negatives) if is_filtered else None
        self._landed = Landed(0, 0.0, 0.0)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Hold the threads, named ``nodeloom_...``."""
        from threadpoolctl import ThreadpoolController

        self._blas = ThreadpoolController()
        with ThreadPoolExecutor(self.plan.num_thread, thread_name_prefix="nodeloom") as self._threads:
            yield

    def run(self, operation: OnDevice, lr: DoubleArray) -> int:
        """Carry out an operation; what is asked is drawn where it is trained, not ahead."""
        if isinstance(operation, TrainTiles):
            total = self.plan.num_epoch * self.plan.triples.num_batch
            last = min(operation.first + operation.count, total)
            with np.errstate(over="ignore"):
                rates = lr.astype(np.float32)
            pairs, loss = 0, 0.0
            with self._blas.limit(limits=1, user_api="blas"):  # every slice has a thread, whose product needs no others
                for number in range(operation.first, last):
                    count, value = self.train(number, rates[number - operation.first])
                    pairs += count
                    loss += count * value
            self._landed = Landed(pairs, loss, float(pairs))
        return 0

    def land(self) -> Landed:
        """Return what has come of the last training."""
        return self._landed

    def settle(self) -> None:
        """Nothing is under way between two operations."""

    def train(self, number: int, lr: np.float32) -> tuple[int, float]:
        """Train a batch; return its triples and the mean loss of its queries."""
        plan, buffers = self.plan, self._buffers
        asked = self._triples.batch(number)
        count = len(asked.heads)
        drawn: Any = _NONE
        if self._negatives is None:
            candidates, correction = self._entity, np.empty(0, np.float32)
            columns: Any = np.arange(len(candidates), dtype=np.int32)
        else:
            drawn = self._negatives.draw(number)
            columns = drawn
            candidates = np.take(self._entity, drawn, axis=0, out=buffers.candidates, mode="clip")
            correction = (
                self._negatives.correction[drawn] if plan.loss.name == "cross entropy" else np.empty(0, np.float32)
            )
        rows = buffers.of(count, len(candidates))
        weights = asked.weights / np.float32(count)
        scoring, loss = plan.scoring, plan.loss
        codes = OPERATORS[scoring.operator], COMPARATORS[scoring.comparator]
        code, margin = _LOSSES[loss.name], np.float32(0 if loss.name == "logistic" else loss.margin)
        temperature = np.float32(loss.temperature if loss.name == "self adversarial" else 0)
        regularizers = np.float32(loss.n3), np.float32(loss.dura)

        parts = slices(count, query_slices(plan, count))
        number_of = {first: number for number, (first, _) in enumerate(parts)}

        def queries(first: int, last: int) -> float:
            own = slice(first, last)
            triples = asked.heads[own], asked.relations[own], asked.tails[own]
            scores, positive, slope = rows.scores[own], rows.positive[own], rows.d_positive[own]
            ask(*codes, self._entity, self._relation, *triples, rows.asked[own], positive)
            compare(scoring.comparator, rows.asked[own], candidates, scores)
            leave_out(scores, triples[2], drawn, correction)
            if self._left_out is not None:
                scores[self._left_out.of(*triples[:2], drawn)] = -np.inf
            value = losses.loss_rows(
                code, margin, temperature, positive, scores, scores.max(axis=1), weights[own], slope
            )
            if scoring.is_product:
                np.matmul(scores, candidates, out=rows.d_queries[own])
            else:
                shared = rows.shares[number_of[first]]
                distance_gradients(codes[1], rows.asked[own], candidates, scores, rows.d_queries[own], shared)
            answer(
                *codes, scoring.num_modulus, *regularizers, self._entity, self._relation, *triples, rows.asked[own], weights[own], slope,
                rows.d_queries[own], rows.d_heads[own], rows.d_relations[own], rows.d_tails[own],
            )  # fmt: skip
            return float(value)

        def negatives(first: int, last: int) -> None:
            if scoring.is_product:
                np.matmul(rows.scores[:, first:last].T, rows.asked, out=rows.d_candidates[first:last])
            else:
                rows.shares[: len(parts), first:last].sum(axis=0, out=rows.d_candidates[first:last])

        value = sum(self._each(queries, parts))
        self._each(negatives, slices(len(candidates), -(-len(candidates) // _CANDIDATES)))
        ids = np.concatenate([asked.heads, asked.tails, columns])
        self._update(self._entity, self._moments, rows.d_entities, ids, self._places[0], lr)
        relation_lr = lr * np.float32(plan.relation_lr)
        self._update(
            self._relation, self._relation_moments, rows.d_relations, asked.relations, self._places[1], relation_lr
        )
        return count // 2, value

    def _update(
        self,
        table: FloatArray,
        moments: tuple[FloatArray, ...],
        gradients: FloatArray,
        ids: Any,
        places: Any,
        lr: np.float32,
    ) -> None:
        """Move the rows of a table that have gradients."""
        found, bounds, order = (np.empty(len(ids) + extra, np.int32) for extra in (0, 1, 0))
        count = group(ids, places, found, bounds, order)
        optimizer, decay = self.plan.optimizer, np.float32(self.plan.weight_decay)
        given = optimizer.code, table, *moments, gradients, found, bounds, order
        self._each(
            lambda first, last: update(*given, first, last, decay, lr, optimizer.settings),
            slices(count, min(self.plan.num_thread, -(-count // _ROWS))),
        )

    def _each(self, function: Callable[[int, int], Any], parts: list[tuple[int, int]]) -> list[Any]:
        """Call a function on slices, by all threads."""
        if self.plan.num_thread == 1 or len(parts) == 1:
            return [function(*part) for part in parts]
        return collect(self._threads, function, parts)


class Buffers:
    """Arrays for a batch of Q queries with K candidates, allocated once.

    Parameters
    ----------
    plan : TriplePlan
        Says how many there are at most.
    dim, width : int
        Values of an entity row and of a relation row.
    """

    def __init__(self, plan: TriplePlan, dim: int, width: int) -> None:
        most, count = 2 * -(-plan.triples.num_triple // plan.triples.num_batch), plan.num_negative
        self.candidates = np.empty((count if plan.negatives.count else 0, dim), np.float32)
        self._scores = np.empty(most * count, np.float32)
        self._numbers = np.empty((2, most), np.float32)
        self._rows = np.empty((2, most, dim), np.float32)
        self._entities = np.empty((2 * most + count, dim), np.float32)
        self._relations = np.empty((most, width), np.float32)
        num_share = 0 if plan.scoring.is_product else query_slices(plan, most)
        self._shares = np.empty((num_share, count, dim), np.float32)

    def of(self, num_query: int, num_candidate: int) -> Rows:
        """Return the arrays of a batch."""
        return Rows(self, num_query, num_candidate)


class Rows:
    """Views of the buffers for one batch, [Q, ...] and [K, ...]."""

    def __init__(self, buffers: Buffers, num_query: int, num_candidate: int) -> None:
        self.scores = buffers._scores[: num_query * num_candidate].reshape(num_query, num_candidate)
        self.positive, self.d_positive = buffers._numbers[:, :num_query]
        self.asked, self.d_queries = buffers._rows[:, :num_query]
        self.d_entities = buffers._entities[: 2 * num_query + num_candidate]
        self.d_heads, self.d_tails = self.d_entities[:num_query], self.d_entities[num_query : 2 * num_query]
        self.d_candidates = self.d_entities[2 * num_query :]
        self.d_relations = buffers._relations[:num_query]
        self.shares = buffers._shares
