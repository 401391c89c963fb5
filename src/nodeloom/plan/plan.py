"""The plan: what a training will do, in numbers. Data only; :mod:`nodeloom.plan.planner` decides it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nodeloom.kernels.cpu.skipgram import TILE
from nodeloom.plan.mode import Blocks, Copies, Mode, Ring, Whole
from nodeloom.units import duration, rate, sizes

if TYPE_CHECKING:
    from nodeloom.model.objective import SharedNegatives, Walks
    from nodeloom.model.optimizer import Optimizer
    from nodeloom.model.stage import Stage
    from nodeloom.partition import Grid
    from nodeloom.plan.launch import BlockLaunch, Launch
    from nodeloom.plan.learning_rate import Schedule
    from nodeloom.plan.reach import Reach


@dataclasses.dataclass(frozen=True, repr=False)
class Plan:
    """What will be done, in numbers.

    Attributes
    ----------
    model, device : str
        The model; where it is trained.
    num_nodes, num_edges : int
        Of the graph.
    dim : int
        Values in a vector.
    stages : tuple of Stage
        What is trained one after the other, each with its objective.
    num_thread : int
        Threads.
    num_epoch : int
        Epochs; each is `num_edges` positive pairs.
    total_pair : int
        Positive pairs, of all parts together.
    walks_per_tile, tiles_per_pool : int
        Walks that share negatives; tiles between two looks at the progress.
    sink_share : float
        Share of the edge weight that leads to nodes without edges out of them, where walks end (directed graphs).
    reach : Reach
        Nodes that training does not reach.
    lr, weight_decay : float
        See the configuration.
    optimizer : Optimizer
        The optimizer.
    schedule : "linear", "constant" or callable
        Of the learning rate.
    seed : int
        The seed.
    table_dtype : {"fp32", "bf16"}
        Number format of the tables.
    sampler : {"device", "host"}
        Who draws the walks: where the tables are trained, or CPU threads for a GPU.
    memory : dict of str to int
        Bytes of main memory by what they are for.
    device_memory : dict of str to int
        Bytes on the GPU by what they are for; empty on the CPU.
    mode : Whole, Copies, Blocks or Ring
        Where the tables are, and what workers share.
    launch : Launch, BlockLaunch or None
        How whole tables, or blocks of a grid, are trained on a GPU; None on the CPU.
    reason : str
        Why there is a grid, and why of this shape.
    num_worker : int
        Workers that train together.
    rate : float or None
        Expected positive pairs per second, measured on this machine; None if not measured.
    """

    model: str
    device: str
    num_nodes: int
    num_edges: int
    dim: int
    stages: tuple[Stage, ...]
    num_thread: int
    num_epoch: int
    total_pair: int
    walks_per_tile: int
    tiles_per_pool: int
    sink_share: float
    reach: Reach
    lr: float
    weight_decay: float
    optimizer: Optimizer
    schedule: Schedule
    seed: int
    memory: dict[str, int]
    table_dtype: Literal["fp32", "bf16"] = "fp32"
    sampler: Literal["device", "host"] = "device"
    device_memory: dict[str, int] = dataclasses.field(default_factory=dict)
    mode: Mode = dataclasses.field(default_factory=Whole)
    launch: Launch | BlockLaunch | None = None
    reason: str = ""
    num_worker: int = 1
    rate: float | None = None

    @property
    def grid(self) -> Grid | None:
        """The parts that tables are trained in; None where they are trained whole."""
        return self.mode.grid if isinstance(self.mode, Blocks | Ring) else None

    @property
    def positives(self) -> Walks:
        """The positives of all stages."""
        return self.stages[0].objective.positives

    @property
    def negatives(self) -> SharedNegatives:
        """The negatives of all stages."""
        return self.stages[0].objective.negatives

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

    @property
    def num_bytes(self) -> int:
        """Bytes of main memory in all."""
        return sum(self.memory.values())

    @property
    def num_device_bytes(self) -> int:
        """Bytes on the GPU in all."""
        return sum(self.device_memory.values())

    @property
    def seconds(self) -> float | None:
        """Expected seconds of training, if the rate is known."""
        return None if self.rate is None else self.total_pair / self.rate

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
        rows += [("not trained", sentence) for sentence in self.reach.sentences()]
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

    def __repr__(self) -> str:
        width = max(len(name) for name, _ in self.rows())
        return "\n".join(f"{name:<{width}}  {text}" for name, text in self.rows())

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON types."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del plain["stages"]
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
        plain["optimizer"] = self.optimizer.name
        plain["launch"] = None if self.launch is None else dataclasses.asdict(self.launch)
        plain["mode"] = {"name": type(self.mode).__name__, **dataclasses.asdict(self.mode)}
        if not isinstance(self.schedule, str):
            plain["schedule"] = getattr(self.schedule, "__name__", "function")
        return {
            **plain,
            "num_bytes": self.num_bytes,
            "num_device_bytes": self.num_device_bytes,
            "seconds": self.seconds,
        }
