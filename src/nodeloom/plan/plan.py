"""The plan: what a training will do, in numbers. Data only; :mod:`nodeloom.plan.planner` decides it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nodeloom.kernels.cpu.skipgram import TILE
from nodeloom.model.objective import SharedNegatives, Walks
from nodeloom.plan.mode import Blocks, Copies, Ring
from nodeloom.plan.training_plan import TrainingPlan
from nodeloom.units import duration, rate, sizes

if TYPE_CHECKING:
    from nodeloom.partition import Grid
    from nodeloom.plan.reach import Reach


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class Plan(TrainingPlan):
    """What will be done on a graph, in numbers: beside what all trainings have, its walks and its grid.

    Attributes
    ----------
    walks_per_tile : int
        Walks that share negatives.
    sink_share : float
        Share of the edge weight that leads to nodes without edges out of them, where walks end (directed graphs).
    reach : Reach
        Nodes that training does not reach.
    sampler : {"device", "host"}
        Who draws the walks: where the tables are trained, or CPU threads for a GPU.
    reason : str
        Why there is a grid, and why of this shape.
    """

    walks_per_tile: int
    sink_share: float
    reach: Reach
    sampler: Literal["device", "host"] = "device"
    reason: str = ""

    @property
    def grid(self) -> Grid | None:
        """The parts that tables are trained in; None where they are trained whole."""
        return self.mode.grid if isinstance(self.mode, Blocks | Ring) else None

    @property
    def positives(self) -> Walks:
        """The positives of all stages."""
        positives = self.stages[0].objective.positives
        assert isinstance(positives, Walks)
        return positives

    @property
    def negatives(self) -> SharedNegatives:
        """The negatives of all stages."""
        negatives = self.stages[0].objective.negatives
        assert isinstance(negatives, SharedNegatives)
        return negatives

    @property
    def chunks(self) -> int:
        """Sets of negatives per tile."""
        return -(-self.walks_per_tile * self.positives.nodes_per_walk // TILE)

    @property
    def full_pairs_per_tile(self) -> int:
        """Positive pairs of a tile whose walks are complete and never return to a node within the step."""
        return round(self._pairs_per_tile(0.0))

    @property
    def pairs_per_tile(self) -> int:
        """Positive pairs of a tile that are expected when walks end at sinks; no returns within the step are counted."""
        return max(1, round(self._pairs_per_tile(self.sink_share)))

    def _pairs_per_tile(self, sinks: float) -> float:
        # Place j of a walk is reached with probability (1 - sinks)^(j - 1), and has a pair with each of the step places before it.
        places = np.arange(1, self.positives.nodes_per_walk)
        one_side = float(np.sum(np.minimum(places, self.positives.augmentation_step) * (1.0 - sinks) ** (places - 1)))
        return self.walks_per_tile * one_side * (2 if self.positives.two_sided else 1)

    def not_trained(self) -> list[str]:
        """Return a sentence for each kind of nodes that the training does not reach."""
        return self.reach.sentences()

    def _pairs_per_node(self) -> str:
        nodes = max(1, self.num_nodes - self.reach.num_isolated)
        return f"{float(f'{self.total_pair / len(self.stages) / nodes:.2g}'):,.0f}"

    def rows(self) -> list[tuple[str, str]]:
        """Return the plan as (name, text) rows for people."""
        device = f"{self.device}, {self.num_thread} thread{'s' if self.num_thread > 1 else ''}"
        if self.num_worker > 1:
            device = f"{self.num_worker} workers, each {device}"
        if self.device != "cpu":
            drawn = "on the GPU" if self.sampler == "device" else f"by {self.num_thread} CPU threads"
            device = f"{self.device}, {self.table_dtype} tables, walks drawn {drawn}"
            if self.num_worker > 1:
                device = f"{self.num_worker} workers, this one on {device}"
        orders = " and ".join(f"order {1 if stage.tied else 2}" for stage in self.stages)
        model = f"{self.model} ({orders})" if self.model == "LINE" else self.model
        steered = (
            f", p {self.positives.p:g}, q {self.positives.q:g}"
            if (self.positives.p, self.positives.q) != (1.0, 1.0)
            else ""
        )
        schedule = self.schedule if isinstance(self.schedule, str) else getattr(self.schedule, "__name__", "function")
        rows = [
            ("model", f"{model}, dim {self.dim}"),
            ("device", device),
            ("graph", f"{self.num_nodes:,} nodes, {self.num_edges:,} edges"),
            (
                "walks",
                f"{self.positives.random_walk_length} edges long{steered}; pairs up to {self.positives.augmentation_step} steps apart",
            ),
            (
                "negatives",
                f"{self.negatives.count} shared by {TILE} nodes, weight {self.negatives.weight:g}, "
                f"degree^{self.negatives.exponent:g}",
            ),
            ("optimizer", f"{self.optimizer.name}, lr {self.lr:.3g} {schedule}, weight decay {self.weight_decay:.2g}"),
            (
                "training",
                f"{self.num_epoch:,} epochs = {self.total_pair:,} positive pairs, {self._pairs_per_node()} for each node",
            ),
        ]
        rows += [("not trained", sentence) for sentence in self.not_trained()]
        match self.mode:
            case Copies():
                rows.append(("tables", f"{self.reason}."))
            case Blocks(storage=storage):
                where = "in temporary files" if storage == "file" else "in main memory"
                rows.append(("grid", f"tables {where}. {self.reason}"))
            case Ring():
                rows.append(("grid", self.reason))
        if self.launch is not None:
            rows.append(("kernel", f"{self.launch}"))
        rows.append(("memory", sizes(self.memory)))
        if self.device_memory:
            rows.append(("GPU memory", sizes(self.device_memory)))
        if self.seconds is not None:
            assert self.rate is not None
            rows.append(("time", f"about {duration(self.seconds)} at {rate(self.rate)}, as measured here"))
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON types."""
        plain = super().to_dict()
        plain["parts"] = [
            {
                "order": 1 if stage.tied else 2,
                "first": stage.first,
                "dim": stage.dim,
                "row": stage.row,
                "seed": stage.seed,
            }
            for stage in self.stages
        ]
        positives, negatives = dataclasses.asdict(self.positives), self.negatives
        plain |= {"positive_reuse": positives.pop("reuse"), **positives, "num_shared_negative": negatives.count}
        plain |= {"negative_weight": negatives.weight, "negative_sample_exponent": negatives.exponent}
        plain["reach"] = dataclasses.asdict(self.reach)
        return plain
