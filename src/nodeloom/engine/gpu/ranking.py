"""Scores of queries on a GPU, for ranks and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from nodeloom.kernels.gpu import ranking as kernels
from nodeloom.kernels.gpu import relational as formulas

if TYPE_CHECKING:
    from nodeloom.model.relational import Relational
    from nodeloom.typing import DoubleArray, IndexArray, OffsetArray

_ROWS = 1 << 14  # of the entity table looked at together, if memory allows
_PAIR = 24  # bytes for a query and a row that are looked at together


class GpuScorer:
    """Scores queries with rows of the entity table, as :class:`nodeloom.engine.cpu.ranking.CpuScorer` does.

    Parameters
    ----------
    relational : Relational
        Operator and comparator.
    entity, relation : float32 [N, D], float32 [R, 2 Dr]
        The tables of the model: tensors, or arrays. An entity table in main memory that takes more than half the memory stays there,
        and is copied block by block.
    device : torch.device, str or None
        The GPU; None: where the tables are.
    memory : int
        Bytes that may be used on the GPU, besides tables that are there already.
    """

    def __init__(self, relational: Relational, entity: Any, relation: Any, device: Any, memory: int) -> None:
        self.relational = relational
        self.device = torch.device(entity.device if device is None else device)
        self.table: Any = entity
        if not isinstance(entity, torch.Tensor):
            self.table = _HostRows(entity, self.device)
            if 4 * entity.shape[0] * entity.shape[1] <= memory // 2:
                self.table = self.table[:]
                memory //= 2
        relation = self._tensor(relation).float()
        self.directions = relation.reshape(2 * len(relation), -1)
        self.num_row = max(1, min(_ROWS, len(entity), memory // (2 * _PAIR * 64)))
        self.num_query = max(1, min(1 << 14, memory // (2 * _PAIR * self.num_row)))
        self.numbers = max(1, memory // (2 * 32))

    def _tensor(self, values: Any) -> Any:
        if not isinstance(values, torch.Tensor):
            values = torch.from_numpy(np.array(values))
        return values.to(self.device)

    def num_nan(self) -> int:
        """Return how many entities and relations have a vector with NaN."""
        found = int(self.directions.reshape(len(self.directions) // 2, -1).isnan().any(1).sum())
        for first in range(0, len(self.table), self.num_row):
            found += int(self.table[first : first + self.num_row].isnan().any(1).sum())
        return found

    def ask(self, entities: IndexArray, rows: IndexArray) -> Any:
        """Return the queries of entities and relation rows, float32 [B, D] on the GPU."""
        heads = self.table[self._tensor(entities).long()]
        return formulas.queries(self.relational.operator, heads, self.directions[self._tensor(rows).long()])

    def pair_scores(self, asked: Any, rows: IndexArray, ids: IndexArray) -> DoubleArray:
        """Return the scores of queries ``rows`` with entities ``ids``, float64 [n]; minus infinity for NaN."""
        found: DoubleArray = self._pair_scores(asked, self._tensor(rows).long(), self._tensor(ids).long()).cpu().numpy()
        return found

    def _pair_scores(self, asked: Any, rows: Any, ids: Any) -> Any:
        out = torch.empty(len(rows), dtype=torch.float64, device=self.device)
        kernels.pair_scores(self.relational.comparator, asked, rows, self.table, ids, out, numbers_at_once=self.numbers)
        return out

    def count(
        self,
        asked: Any,
        among: IndexArray | None,
        indptr: OffsetArray,
        answers: IndexArray,
        known_indptr: OffsetArray,
        known: IndexArray,
    ) -> tuple[OffsetArray, OffsetArray]:
        """Return how many candidates score above each answer, and how many as it does; parameters as on the CPU."""
        starts, known_starts = self._tensor(indptr), self._tensor(known_indptr)
        ids, others = self._tensor(answers).long(), self._tensor(known).long()
        every = torch.arange(len(asked), device=self.device)
        truth = self._pair_scores(asked, torch.repeat_interleave(every, starts.diff()), ids)
        better, equal = torch.empty_like(ids), torch.empty_like(ids)
        rows = self.table if among is None else self.table[self._tensor(among).long()]
        kernels.count_rows(
            self.relational.comparator, asked, rows, starts, truth, better, equal,
            num_query=self.num_query, num_row=self.num_row, numbers_at_once=self.numbers,
        )  # fmt: skip
        if len(others):
            scores = self._pair_scores(asked, torch.repeat_interleave(every, known_starts.diff()), others)
            kernels.leave_out(
                starts, ids, truth, known_starts, others, scores, better, equal, pairs_at_once=max(1, self.numbers // 2)
            )
        return better.cpu().numpy(), equal.cpu().numpy()


class _HostRows:
    """Rows of a table in main memory, or of a memory map, which come to a GPU where they are asked for."""

    def __init__(self, rows: npt.NDArray[Any], device: Any) -> None:
        self.rows, self.device = rows, device

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, which: Any) -> Any:
        if isinstance(which, torch.Tensor):
            which = which.cpu().numpy()
        return torch.from_numpy(np.array(self.rows[which], np.float32)).to(self.device)
