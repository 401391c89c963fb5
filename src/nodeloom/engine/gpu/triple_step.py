"""One step of training on a batch of triples: queries, scores, losses, gradients, and the rows that they change.

Products are of bf16 numbers with sums in fp32; the tables stay fp32. Scores with all entities are one matrix, whose gradients take its
place. Nothing here waits for the device or has a shape that depends on values, so that a step can be captured as a graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch

from nodeloom.kernels.gpu import _pairwise, _queries
from nodeloom.kernels.gpu._batch_rows import Members, change_rows
from nodeloom.kernels.gpu._losses import CODES, losses

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodeloom.model.relational import Relational, TripleLoss

_ALIGN = 64
"""Rows and columns of what products read are padded to a multiple: matrix units read 16 bytes at a time."""


class Batch(NamedTuple):
    """Triples as questions for their tails, on the device.

    Attributes
    ----------
    heads, relations, tails : int [B]
        Rows of the entities, and of the relations with two directions each.
    negatives : int [K] or None
        Entities that all questions share; None for all entities.
    correction : float32 [K] or None
        Logarithms of the expected counts of the negatives.
    weights : float32 [B] or None
        Weights of the questions; their mean is 1.
    """

    heads: torch.Tensor
    relations: torch.Tensor
    tails: torch.Tensor
    negatives: torch.Tensor | None = None
    correction: torch.Tensor | None = None
    weights: torch.Tensor | None = None


@dataclass(frozen=True)
class Learned:
    """A table with its moments; rows of relations are those of one direction.

    Attributes
    ----------
    rows, moment1, moment2 : float32 [N, D]
        The table and what the optimizer keeps; with row-wise moments `moment1` is [N, 1].
    row_wise : bool
        Whether it is.
    """

    rows: torch.Tensor
    moment1: torch.Tensor
    moment2: torch.Tensor
    row_wise: bool = False


class TripleStep:
    """Changes the tables by a batch.

    Parameters
    ----------
    scoring : Relational
        The model.
    loss : TripleLoss
        What is minimised.
    entity, relation : Learned
        The tables, [N, D] and [2 R, Dr].
    optimizer : int
        Code of the optimizer.
    settings : tuple of float
        Its settings.
    decay : float
        Weight decay.
    product : {"bf16", "fp32"}
        Number format of matrix products.
    whole : bool
        Whether the optimizer changes all entities at every step, those too that have no gradient.
    """

    def __init__(
        self,
        scoring: Relational,
        loss: TripleLoss,
        entity: Learned,
        relation: Learned,
        optimizer: int,
        settings: tuple[float, ...],
        *,
        decay: float = 0.0,
        product: str = "bf16",
        whole: bool = False,
    ) -> None:
        self.scoring, self.loss, self.entity, self.relation = scoring, loss, entity, relation
        self.optimizer, self.settings, self.decay, self.whole = optimizer, settings, decay, whole
        self._operator = _queries.CODES[scoring.operator]
        self._comparator = _queries.COMPARATORS[scoring.comparator]
        self._loss = CODES[loss.name.replace(" ", "_")]
        self._parts = scoring.num_modulus
        self._half = product == "bf16" and scoring.is_product
        self._num, self._dim = entity.rows.shape
        device = entity.rows.device
        self._every_row = torch.arange(self._num, device=device)
        self._padded_num = -(-self._num // _ALIGN) * _ALIGN if self._half else self._num
        self._padded_dim = -(-self._dim // _ALIGN) * _ALIGN if self._half else self._dim
        self._rounded: torch.Tensor | None = None

    def prepare(self, every_entity: bool) -> None:
        """Get ready for batches that are compared with all entities, or with few: after the tables were changed by others."""
        if not (self._half and every_entity):
            return
        if self._rounded is None:
            self._rounded = torch.zeros(
                self._padded_num, self._padded_dim, dtype=torch.bfloat16, device=self.entity.rows.device
            )
        self._rounded[: self._num, : self._dim] = self.entity.rows

    def step(
        self,
        batch: Batch,
        rate: torch.Tensor,
        relation_rate: torch.Tensor | None = None,
        mask: Callable[[torch.Tensor], object] | None = None,
    ) -> torch.Tensor:
        """Change the tables by a batch, and return the loss, float32 [].

        Parameters
        ----------
        batch : Batch
            The batch.
        rate, relation_rate : float32 [1]
            Learning rate, and that of relations if it differs.
        mask : callable, optional
            Sets scores [B, K or more] of entities that are no negatives to minus infinity, and leaves the truth as it is.
        """
        num, device = len(batch.heads), self.entity.rows.device
        entity, relation = self.entity.rows, self.relation.rows
        ids = batch.heads, batch.relations, batch.tails
        every, half = batch.negatives is None, self._half
        comparator = _queries.NO_TRUTH if every else self._comparator
        asked = torch.empty(num, self._dim, device=device)
        rounded = torch.zeros(num, self._padded_dim, dtype=torch.bfloat16, device=device) if half else None
        positive, d_positive, values = torch.empty(3, num, device=device).unbind()
        _queries.ask(self._operator, comparator, entity, relation, ids, asked, rounded=rounded, positive=positive)
        others = self._others(batch)
        scores = self._scores(rounded if half else asked, others)
        if mask is not None:
            mask(scores)
        slopes = scores
        keeps = self.scoring.comparator == "l2"  # whose gradients are told by the distances
        if keeps:
            slopes = torch.empty_like(scores)
        losses(
            self._loss, positive, scores, d_positive, slopes, values, margin=self.loss.margin, temperature=self._temperature,
            count=self._num if every else None, targets=batch.tails if every else None, correction=batch.correction,
            ids=batch.negatives, tails=None if every else batch.tails, weights=batch.weights,
        )  # fmt: skip
        d_asked, d_others = self._gradients(rounded if half else asked, others, scores, slopes)
        has_tails = not every or self.loss.dura > 0.0
        drawn = 0 if batch.negatives is None else len(batch.negatives)
        pieces = torch.empty(num + drawn + num * has_tails, self._dim, device=device)
        of_relations = torch.empty(num, relation.shape[1], device=device)
        if drawn:
            pieces[num : num + drawn] = d_others[:, : self._dim]
        _queries.answer(
            self._operator, comparator, entity, relation, ids, d_asked[:, : self._dim], pieces[:num], of_relations,
            out_tails=pieces[num + drawn :], positive=positive, d_positive=d_positive, dura=self.loss.dura / num,
            weights=batch.weights,
        )  # fmt: skip
        self._change(batch, pieces, of_relations, d_others if every else None, rate, relation_rate)
        return values.sum()

    @property
    def _temperature(self) -> float:
        return self.loss.temperature if self.loss.name.replace(" ", "_") == "self_adversarial" else 0.0

    def _others(self, batch: Batch) -> torch.Tensor:
        """Return the rows that the questions are compared with, in the number format of the products."""
        if batch.negatives is None:
            return self.entity.rows if self._rounded is None else self._rounded
        rows = self.entity.rows[batch.negatives]
        if not self._half:
            return rows
        out = torch.zeros(len(rows), self._padded_dim, dtype=torch.bfloat16, device=rows.device)
        out[:, : self._dim] = rows
        return out

    def _scores(self, asked: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        if self.scoring.is_product:
            return asked @ others.T
        out = torch.empty(len(asked), len(others), device=asked.device)
        _pairwise.scores(_pairwise.CODES[self.scoring.comparator], asked, others, out)
        return out

    def _gradients(
        self, asked: torch.Tensor, others: torch.Tensor, scores: torch.Tensor, slopes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the gradients of the questions and of the others, float32."""
        if self.scoring.is_product:
            return product(slopes, others), product(slopes.T, asked)
        mode = _pairwise.CODES[self.scoring.comparator]
        return (
            _pairwise.query_gradients(mode, asked, others, scores, slopes),
            _pairwise.query_gradients(mode, others, asked, scores.T, slopes.T),
        )

    def _change(
        self,
        batch: Batch,
        pieces: torch.Tensor,
        of_relations: torch.Tensor,
        products: torch.Tensor | None,
        rate: torch.Tensor,
        relation_rate: torch.Tensor | None,
    ) -> None:
        """Give every row the sum of its pieces."""
        entity, relation, n3 = self.entity, self.relation, self.loss.n3
        num = len(batch.heads)
        rows = [batch.heads]
        pulls = None
        if n3 > 0.0:
            pulls = torch.full((num,), n3 / num, device=entity.rows.device)
            if batch.weights is not None:
                pulls *= batch.weights
        pull = [] if pulls is None else [pulls]
        if batch.negatives is not None:
            rows.append(batch.negatives)
            if pulls is not None:
                pull.append(torch.zeros(len(batch.negatives), device=pulls.device))
        if len(pieces) > num or pulls is not None:
            rows.append(batch.tails)
            if pulls is not None:
                pull.append(pulls)
        dense = products is not None or self.whole
        change_rows(
            self.optimizer, entity.rows, entity.moment1, entity.moment2,
            Members.of(torch.cat(rows), self._every_row if dense else None), pieces, rate, self.settings,
            decay=self.decay, parts=self._parts, products=products, pull=torch.cat(pull) if pull else None,
            rounded=self._rounded if products is not None or self.whole else None, row_wise=entity.row_wise,
        )  # fmt: skip
        turns = self.scoring.operator == "rotate"
        change_rows(
            self.optimizer, relation.rows, relation.moment1, relation.moment2, Members.of(batch.relations), of_relations,
            rate if relation_rate is None else relation_rate, self.settings, decay=self.decay,
            parts=1 if turns else self._parts, pull=None if turns else pulls, row_wise=relation.row_wise,
        )  # fmt: skip


def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the product of two matrices in fp32, of bf16 ones too."""
    if a.dtype == torch.float32:
        return a @ b
    if not a.is_cuda:  # the interpreter
        return a.float() @ b.float()
    if _WIDENS:
        return torch.mm(a, b, out_dtype=torch.float32)
    return (a @ b).float()


def _widens() -> bool:
    """Whether torch writes a product of bf16 matrices in fp32."""
    numbers = torch.__version__.split("+")[0].split(".")
    return (int(numbers[0]), int(numbers[1])) >= (2, 8)


_WIDENS = _widens()
