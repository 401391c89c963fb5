"""The plan of a training on a knowledge graph."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from nodeloom.model.objective import EntityNegatives, Triples
from nodeloom.plan.training_plan import TrainingPlan
from nodeloom.units import duration, rate, sizes

if TYPE_CHECKING:
    from nodeloom.model.objective import Objective
    from nodeloom.model.relational import Relational, TripleLoss


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class TriplePlan(TrainingPlan):
    """What will be done on a knowledge graph, in numbers. A tile is a batch of triples; its pairs are triples.

    Attributes
    ----------
    num_relations : int
        Relations.
    relation_lr : float
        Learning rate of relations over that of entities.
    """

    num_relations: int
    relation_lr: float = 1.0
    unit = "triples"

    @property
    def objective(self) -> Objective:
        """What is minimised."""
        return self.stages[0].objective

    @property
    def triples(self) -> Triples:
        """The positives."""
        positives = self.objective.positives
        assert isinstance(positives, Triples)
        return positives

    @property
    def negatives(self) -> EntityNegatives:
        """The negatives."""
        negatives = self.objective.negatives
        assert isinstance(negatives, EntityNegatives)
        return negatives

    @property
    def scoring(self) -> Relational:
        """How triples are scored."""
        assert self.objective.scoring is not None
        return self.objective.scoring

    @property
    def loss(self) -> TripleLoss:
        """The loss and its regularizers."""
        assert self.objective.loss is not None
        return self.objective.loss

    @property
    def num_query(self) -> int:
        """Queries of a batch, at most: two for each of its triples."""
        return 2 * -(-self.triples.num_triple // self.triples.num_batch)

    @property
    def num_negative(self) -> int:
        """Entities that a query is compared with beside its truth, at most."""
        return self.num_nodes if self.negatives.count is None else self.negatives.count

    def shape_of(self, tensor: str) -> tuple[int, int]:
        """Return the shape of a table or a moment, as it stands in files."""
        for spec in self.objective.tables:
            if tensor == spec.name:
                return spec.num_rows, spec.dim
            if tensor.startswith(f"{spec.name}_moment"):
                return spec.num_rows, spec.moment.dim
        return self.num_nodes, self.dim

    def rows(self) -> list[tuple[str, str]]:
        """Return the plan as (name, text) rows for people."""
        loss, negatives, triples = self.loss, self.negatives, self.triples
        device = f"{self.device}, {self.num_thread} thread{'s' if self.num_thread > 1 else ''}"
        if self.device != "cpu":
            device = f"{self.device}, {self.table_dtype} tables"
        details = [f"margin {loss.margin:g}"] if loss.name in ("self adversarial", "margin") else []
        details += [f"alpha {loss.temperature:g}"] if loss.name == "self adversarial" else []
        details += [f"{name} {value:g}" for name, value in (("N3", loss.n3), ("DURA", loss.dura)) if value]
        drawn = f"{self.num_negative} shared by a batch, (1 + triples)^{negatives.exponent:g}"
        if negatives.count is None:
            drawn = f"all {self.num_nodes:,} entities"
        drawn += ", no known triples" * negatives.without_known + ", of the slot" * negatives.typed
        schedule = self.schedule if isinstance(self.schedule, str) else getattr(self.schedule, "__name__", "function")
        decay = f", weight decay {self.weight_decay:.2g}" if self.weight_decay else ""
        rows = [
            ("model", f"{self.model}, dim {self.dim}"),
            ("device", device),
            (
                "knowledge graph",
                f"{self.num_nodes:,} entities, {self.num_relations:,} relations, {self.num_edges:,} triples",
            ),
            ("loss", ", ".join([loss.name, *details])),
            ("negatives", drawn),
            ("optimizer", f"{self.optimizer.name}, lr {self.lr:.3g} {schedule}{decay}"),
            (
                "training",
                f"{self.num_epoch:,} epochs of {triples.num_batch:,} batches of {triples.per_batch:,.0f} triples",
            ),
            ("memory", sizes(self.memory)),
        ]
        if self.device_memory:
            rows.append(("GPU memory", sizes(self.device_memory)))
        if self.seconds is not None and self.rate is not None:
            expected = rate(self.rate, self.unit)
            rows.append(("time", f"about {duration(self.seconds)} at {expected}, as measured here"))
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON types."""
        plain = super().to_dict()
        del plain["launch"]
        plain |= {"positives": dataclasses.asdict(self.triples), "negatives": dataclasses.asdict(self.negatives)}
        plain |= {"scoring": dataclasses.asdict(self.scoring), "loss": dataclasses.asdict(self.loss)}
        plain["tables"] = {spec.name: [spec.num_rows, spec.dim] for spec in self.objective.tables}
        return plain
