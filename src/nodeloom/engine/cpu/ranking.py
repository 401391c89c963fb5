"""Scores of queries on the CPU, for ranks and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.kernels.cpu import ranking as kernels
from nodeloom.kernels.cpu import relational as formulas
from nodeloom.kernels.cpu.parallel import available_threads

if TYPE_CHECKING:
    from nodeloom.model.relational import Relational
    from nodeloom.typing import DoubleArray, FloatArray, IndexArray, OffsetArray


class CpuScorer:
    """Scores queries with rows of the entity table.

    Parameters
    ----------
    relational : Relational
        Operator and comparator.
    entity, relation : float32 [N, D], float32 [R, 2 Dr]
        The tables of the model; the entity table may be a memory map.
    num_thread : int or None
        Threads; None: as many as there are CPUs.
    """

    def __init__(
        self, relational: Relational, entity: FloatArray, relation: FloatArray, num_thread: int | None = None
    ) -> None:
        self.relational, self.entity = relational, entity
        self.directions = np.asarray(relation).reshape(2 * len(relation), -1)
        self.num_thread = num_thread or available_threads()

    def ask(self, entities: IndexArray, rows: IndexArray) -> FloatArray:
        """Return the queries of entities and relation rows, float32 [B, D]."""
        with np.errstate(all="ignore"):  # infinite and missing values are allowed
            heads = np.asarray(self.entity[entities], np.float32)
            asked = formulas.queries(self.relational.operator, heads, np.asarray(self.directions[rows], np.float32))
        return np.ascontiguousarray(asked, np.float32)

    def num_nan(self) -> int:
        """Return how many entities and relations have a vector with NaN."""
        return sum(
            int(np.isnan(table[first : first + 4096]).any(axis=1).sum())
            for table in (self.entity, self.directions.reshape(len(self.directions) // 2, -1))
            for first in range(0, len(table), 4096)
        )

    def pair_scores(self, asked: FloatArray, rows: IndexArray, ids: IndexArray) -> DoubleArray:
        """Return the scores of queries ``rows`` with entities ``ids``, float64 [n]; minus infinity for NaN."""
        out = np.empty(len(rows))
        kernels.pair_scores(self.relational.comparator, asked, rows, self.entity, ids, out, num_thread=self.num_thread)
        return out

    def best(
        self, asked: FloatArray, k: int, known_indptr: OffsetArray, known: IndexArray
    ) -> tuple[OffsetArray, DoubleArray]:
        """Return the k entities that score best for each query, without those that are known, and their scores, [Q, k] each.

        Where there are fewer, ids are -1.
        """
        ids, scores = np.empty((len(asked), k), np.int64), np.empty((len(asked), k))
        kernels.best_rows(
            self.relational.comparator, asked, self.entity, known_indptr, known, ids, scores, num_thread=self.num_thread
        )
        return ids, scores

    def above(
        self, asked: FloatArray, least: float, k: int, known_indptr: OffsetArray, known: IndexArray
    ) -> tuple[OffsetArray, OffsetArray, DoubleArray]:
        """Return the queries, entities and scores of the k best pairs from a bound on, and of those that tie with the last of them."""
        return kernels.rows_above(self.relational.comparator, asked, self.entity, least, k, known_indptr, known)

    def count(
        self,
        asked: FloatArray,
        among: IndexArray | None,
        indptr: OffsetArray,
        answers: IndexArray,
        known_indptr: OffsetArray,
        known: IndexArray,
    ) -> tuple[OffsetArray, OffsetArray]:
        """Return how many candidates score above each answer, and how many as it does, without those that are known.

        Parameters
        ----------
        asked : float32 [Q, D]
            Queries from :meth:`ask`.
        among : int [C] or None
            Entities that are candidates; None: all.
        indptr, answers : int64 [Q + 1], int32 [n]
            The answers of each query.
        known_indptr, known : int64 [Q + 1], int32 [K]
            Candidates known to answer each query, ascending; the answer itself is counted all the same.
        """
        every = np.arange(len(asked))
        truth = self.pair_scores(asked, np.repeat(every, np.diff(indptr)), answers)
        better, equal = np.empty(len(answers), np.int64), np.empty(len(answers), np.int64)
        rows: npt.NDArray[Any] = self.entity if among is None else self.entity[among]
        kernels.count_rows(
            self.relational.comparator, asked, rows, indptr, truth, better, equal, num_thread=self.num_thread
        )
        if len(known):
            scores = self.pair_scores(asked, np.repeat(every, np.diff(known_indptr)), known)
            kernels.leave_out(indptr, answers, truth, known_indptr, known, scores, better, equal)
        return better, equal
