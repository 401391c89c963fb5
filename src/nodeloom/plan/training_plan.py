"""What the plans of all trainings have in common."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

from nodeloom.plan.mode import Mode, Whole
from nodeloom.plan.sheet import Sheet

if TYPE_CHECKING:
    from nodeloom.model.optimizer import Optimizer
    from nodeloom.model.stage import Stage
    from nodeloom.plan.launch import BlockLaunch, Launch
    from nodeloom.plan.learning_rate import Schedule


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class TrainingPlan(Sheet):
    """What a training will do, in numbers: what its loop, callbacks and checkpoints read.

    Attributes
    ----------
    model, device : str
        The model; where it is trained.
    num_nodes, num_edges : int
        Of the graph; the entities and the triples of a knowledge graph.
    dim : int
        Values in a vector.
    stages : tuple of Stage
        What is trained one after the other, each with its objective.
    num_thread : int
        Threads.
    num_epoch : int
        Epochs; each is `num_edges` positive pairs.
    total_pair : int
        Positive pairs, of all parts together; a triple counts as one.
    tiles_per_pool : int
        Tiles between two looks at the progress.
    lr, weight_decay : float
        See the configuration.
    optimizer : Optimizer
        The optimizer.
    schedule : "linear", "constant" or callable
        Of the learning rate.
    seed : int
        The seed.
    memory : dict of str to int
        Bytes of main memory by what they are for.
    table_dtype : {"fp32", "bf16"}
        Number format of the tables.
    device_memory : dict of str to int
        Bytes on the GPU by what they are for; empty on the CPU.
    mode : Whole, Copies, Blocks or Ring
        Where the tables are, and what workers share.
    launch : Launch, BlockLaunch or None
        How whole tables, or blocks of a grid, are trained on a GPU; None on the CPU.
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
    tiles_per_pool: int
    lr: float
    weight_decay: float
    optimizer: Optimizer
    schedule: Schedule
    seed: int
    memory: dict[str, int]
    table_dtype: Literal["fp32", "bf16"] = "fp32"
    device_memory: dict[str, int] = dataclasses.field(default_factory=dict)
    mode: Mode = dataclasses.field(default_factory=Whole)
    launch: Launch | BlockLaunch | None = None
    num_worker: int = 1
    rate: float | None = None
    unit = "pairs"

    @property
    def seconds(self) -> float | None:
        """Expected seconds of training, if the rate is known."""
        return None if self.rate is None else self.total_pair / self.rate

    def shape_of(self, tensor: str) -> tuple[int, int]:
        """Return the shape of a table or a moment, as it stands in files."""
        return self.num_nodes, self.dim

    def not_trained(self) -> list[str]:
        """Return a sentence for each kind of rows that the training does not reach."""
        return []

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON types, but for its stages."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "stages"}
        plain["optimizer"] = self.optimizer.name
        plain["launch"] = None if self.launch is None else dataclasses.asdict(self.launch)
        plain["mode"] = {"name": type(self.mode).__name__, **dataclasses.asdict(self.mode)}
        if not isinstance(self.schedule, str):
            plain["schedule"] = getattr(self.schedule, "__name__", "function")
        sums = {"num_bytes": self.num_bytes, "num_device_bytes": self.num_device_bytes, "seconds": self.seconds}
        return plain | sums
