"""The plan: every "auto" as a number, the memory and the time, before anything runs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nodeloom.engine import choose
from nodeloom.engine.budget import device_memory, host_memory, main_memory, sizes
from nodeloom.engine.device import find_gpu, resolve_device
from nodeloom.engine.formats import gpu_limit, in_formats
from nodeloom.engine.optimizer import Optimizer, optimizer_of
from nodeloom.engine.parts import Part, parts_of
from nodeloom.engine.pools import TILES_PER_GPU_POOL, TILES_PER_POOL, with_pools
from nodeloom.engine.reach import Reach
from nodeloom.engine.schedule import Schedule
from nodeloom.engine.settings import Settings
from nodeloom.engine.tiers import grid_on_cpu, grid_on_gpu, wanted
from nodeloom.engine.torchrun import num_workers
from nodeloom.engine.walk_shape import sink_share, walk_shape
from nodeloom.errors import ConfigError, GraphError, MemoryLimitError, describe
from nodeloom.kernels.cpu.skipgram import TILE
from nodeloom.log import logger
from nodeloom.units import size
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.engine.workers.group import Workers
    from nodeloom.graph import Graph
    from nodeloom.partition import Grid


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
    parts : tuple of Part
        What is trained one after the other.
    num_thread : int
        Threads.
    num_epoch : int
        Epochs; each is `num_edges` positive pairs.
    total_pair : int
        Positive pairs, of all parts together.
    augmentation_step, random_walk_length, num_shared_negative, positive_reuse : int
        See the configuration.
    walks_per_tile, tiles_per_pool : int
        Walks that share negatives; tiles between two looks at the progress.
    sink_share : float
        Share of the edge weight that leads to nodes without edges out of them, where walks end (directed graphs).
    reach : Reach
        Nodes that training does not reach.
    two_sided : bool
        Whether both directions of a pair are trained (undirected graphs).
    negative_weight : float
        num_negative times negative_weight: the weight of the negatives of a positive pair.
    negative_sample_exponent, hub_threshold, p, q, lr, weight_decay : float
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
    grid : Grid or None
        The parts that tables are trained in; None where they are trained whole.
    in_files : bool
        Whether the tables of a grid lie in temporary files.
    episode_chunk : int
        In a grid on a GPU: walks that are there at a time while pairs are sorted.
    reason : str
        Why there is a grid, and why of this shape.
    num_worker : int
        Workers that train together.
    worker_tables : {"copies", "split"} or None
        What each of several workers has: whole tables, or a row of the grid.
    num_merge : int
        How often whole tables of workers are merged in the training of a part.
    whole_walks : bool
        Whether workers train whole walks in their blocks, and not pair by pair.
    rate : float or None
        Expected positive pairs per second, measured on this machine; None if not measured.
    """

    model: str
    device: str
    num_nodes: int
    num_edges: int
    dim: int
    parts: tuple[Part, ...]
    num_thread: int
    num_epoch: int
    total_pair: int
    augmentation_step: int
    random_walk_length: int
    num_shared_negative: int
    positive_reuse: int
    walks_per_tile: int
    tiles_per_pool: int
    two_sided: bool
    sink_share: float
    reach: Reach
    negative_weight: float
    negative_sample_exponent: float
    hub_threshold: float
    p: float
    q: float
    lr: float
    weight_decay: float
    optimizer: Optimizer
    schedule: Schedule
    seed: int
    memory: dict[str, int]
    table_dtype: Literal["fp32", "bf16"] = "fp32"
    sampler: Literal["device", "host"] = "device"
    device_memory: dict[str, int] = dataclasses.field(default_factory=dict)
    grid: Grid | None = None
    in_files: bool = False
    episode_chunk: int = 0
    reason: str = ""
    num_worker: int = 1
    worker_tables: Literal["copies", "split"] | None = None
    num_merge: int = 0
    whole_walks: bool = False
    rate: float | None = None

    @property
    def nodes_per_walk(self) -> int:
        """Nodes of a walk."""
        return self.random_walk_length + 1

    @property
    def chunks(self) -> int:
        """Sets of negatives per tile."""
        return -(-self.walks_per_tile * self.nodes_per_walk // TILE)

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
        places = np.arange(1, self.nodes_per_walk)
        one_side = float(np.sum(np.minimum(places, self.augmentation_step) * (1.0 - sinks) ** (places - 1)))
        return self.walks_per_tile * one_side * (2 if self.two_sided else 1)

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

    def rows(self) -> list[tuple[str, str]]:
        """Return the plan as (name, text) rows for people."""
        from nodeloom.engine.plan_text import plan_rows

        return plan_rows(self)

    def __repr__(self) -> str:
        width = max(len(name) for name, _ in self.rows())
        return "\n".join(f"{name:<{width}}  {text}" for name, text in self.rows())

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON types."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        plain["parts"] = [dataclasses.asdict(part) for part in self.parts]
        plain["reach"] = dataclasses.asdict(self.reach)
        plain["optimizer"] = self.optimizer.name
        plain["grid"] = None if self.grid is None else dataclasses.asdict(self.grid)
        if not isinstance(self.schedule, str):
            plain["schedule"] = getattr(self.schedule, "__name__", "function")
        return {
            **plain,
            "num_bytes": self.num_bytes,
            "num_device_bytes": self.num_device_bytes,
            "seconds": self.seconds,
        }


def make_plan(graph: Graph, settings: Settings) -> Plan:
    """Resolve all settings for a graph.

    Parameters
    ----------
    graph : Graph
        The graph.
    settings : Settings
        What the user asked for.

    Raises
    ------
    GraphError
        If the graph has no edges between different nodes.
    ConfigError
        If values contradict each other once "auto" is resolved.
    MemoryLimitError
        If the machine has less memory than the plan needs.
    """
    train, build, resource = settings.train, settings.build, settings.resource
    workers = None
    if num_workers(resource) > 1:
        from nodeloom.engine.workers.agreement import agreed

        workers = agreed(settings, graph)
    if graph.num_edges - graph.num_loops == 0:
        hint = "There is nothing to learn from."
        raise GraphError(describe("graph", expected="an edge between two different nodes", got=repr(graph), hint=hint))
    sinks = sink_share(graph)
    step, length = walk_shape(settings, graph.directed, sinks)
    optimizer = build.optimizer
    reach = Reach.of(graph)
    connected = graph.num_nodes - reach.num_isolated
    epochs = choose.num_epoch(connected, graph.num_edges) if train.num_epoch == "auto" else train.num_epoch
    plan = Plan(
        model=train.model,
        device=_device_of(settings, workers),
        num_nodes=graph.num_nodes,
        num_edges=graph.num_edges,
        dim=resource.dim,
        parts=parts_of(train.model, train.order, resource.dim, train.seed),
        num_thread=settings.num_thread,
        num_epoch=epochs,
        total_pair=0,
        augmentation_step=step,
        random_walk_length=length,
        num_shared_negative=choose.num_shared_negative(step, epochs)
        if train.num_shared_negative == "auto"
        else train.num_shared_negative,
        positive_reuse=train.positive_reuse,
        walks_per_tile=max(1, TILE // (length + 1)),
        tiles_per_pool=1,
        two_sided=not graph.directed,
        sink_share=sinks,
        reach=reach if train.model != "LINE" or train.order != 1 else dataclasses.replace(reach, num_sink=0),
        negative_weight=float(build.num_negative * train.negative_weight),
        negative_sample_exponent=train.negative_sample_exponent,
        hub_threshold=choose.HUB_THRESHOLD if train.hub_threshold == "auto" else train.hub_threshold,
        p=train.p if train.model == "node2vec" else 1.0,
        q=train.q if train.model == "node2vec" else 1.0,
        lr=choose.learning_rate(optimizer.type, epochs) if optimizer.lr == "auto" else optimizer.lr,
        weight_decay=choose.weight_decay(optimizer.type, connected, graph.num_edges)
        if optimizer.weight_decay == "auto"
        else optimizer.weight_decay,
        optimizer=optimizer_of(optimizer),
        schedule=optimizer.schedule,
        seed=train.seed,
        memory={},
    )
    if workers is not None:
        return _with_workers(plan, graph, settings, workers)
    if plan.device != "cpu":
        return _on_gpu(plan, graph, settings)
    return _on_cpu(plan, graph, settings)


def _device_of(settings: Settings, workers: Workers | None) -> str:
    if workers is None:
        return resolve_device(settings.resource, deterministic=settings.train.deterministic)
    from nodeloom.engine.workers.devices import device_of_worker

    return device_of_worker(settings.resource, workers, deterministic=settings.train.deterministic)


def _with_workers(plan: Plan, graph: Graph, settings: Settings, workers: Workers) -> Plan:
    """Return the plan for several workers: whole tables or parts for each on GPUs, and parts on CPUs."""
    from nodeloom.engine.workers.agreement import check_plan

    if plan.device != "cpu":
        from nodeloom.engine.workers.gpu_shape import tables_on_gpus

        found = tables_on_gpus(with_pools(plan, TILES_PER_GPU_POOL), graph, settings, workers)
        if found is not None:
            return check_plan(workers, found)
        plan = dataclasses.replace(plan, device="cpu")
    if settings.resource.worker_tables == "copies":
        where = setting("resource.worker_tables")
        hint = f"The CPUs of a host share its memory: one process with more threads is as fast. Leave {where} out."
        raise ConfigError(describe(where, expected="'auto' or 'split' on CPUs", got="copies", hint=hint))
    from nodeloom.engine.workers.shape import grid_of_workers

    return check_plan(workers, grid_of_workers(with_pools(plan, TILES_PER_POOL), graph, settings, workers))


def _on_cpu(plan: Plan, graph: Graph, settings: Settings) -> Plan:
    """Return the plan with its pools and its memory, for the CPU; in a grid if it was asked for or the tables do not fit."""
    plan = with_pools(plan, TILES_PER_POOL)
    plan = dataclasses.replace(plan, memory=host_memory(plan, graph))
    limit = main_memory(settings)
    if wanted(settings) is not None:
        return _within_memory(grid_on_cpu(plan, graph, settings, limit, "num_partition asks for parts."), settings)
    if limit is not None and plan.num_bytes > limit:
        reason = f"{size(plan.num_bytes)} are needed and there are {size(limit)}, so tables lie in files."
        return grid_on_cpu(plan, graph, settings, limit, reason)
    return plan


def _within_memory(plan: Plan, settings: Settings) -> Plan:
    """Return the plan if the machine has the main memory that it needs."""
    limit = main_memory(settings)
    if limit is not None and plan.num_bytes > limit:
        raise MemoryLimitError(
            describe(
                "plan",
                expected=f"at most {size(limit)} of memory",
                got=sizes(plan.memory),
                hint=f"Lower {setting('resource.dim')}, use SGD (other optimizers keep more tables), or use a machine with more memory.",
            )
        )
    return plan


def _on_gpu(plan: Plan, graph: Graph, settings: Settings) -> Plan:
    """Return the plan with its pools, tables and sampler, for a GPU; of those that fit its memory the most precise, then the fastest.

    A graph that does not fit a GPU nobody asked for is trained on the CPU.
    """
    resource = settings.resource
    plan = with_pools(plan, TILES_PER_GPU_POOL)
    gpu = find_gpu(int(plan.device.partition(":")[2] or 0))
    limit = gpu_limit(gpu, settings)
    plans = in_formats(plan, settings)
    plans = [dataclasses.replace(p, memory=host_memory(p, graph), device_memory=device_memory(p, graph)) for p in plans]
    reason = f"Tables and graph do not fit the {size(limit)} of {plan.device}."
    if wanted(settings) is not None:
        reason = "num_partition asks for parts."
    elif fitting := [p for p in plans if p.num_device_bytes <= limit]:
        return _within_memory(fitting[0], settings)
    if (in_parts := grid_on_gpu(plans, graph, settings, limit, reason)) is not None:
        return in_parts
    if resource.device == "auto":
        logger.warning(
            "training on the CPU, since %s would need %s and has %s free.",
            plan.device, size(plans[-1].num_device_bytes), size(limit),
        )  # fmt: skip
        return _on_cpu(dataclasses.replace(plan, device="cpu"), graph, settings)
    asked = [key for key in ("table_dtype", "sampler") if getattr(resource, key) != "auto"]
    free = "".join(f", leave {setting(f'resource.{key}')} to auto" for key in asked)
    free += "" if wanted(settings) is None else f", change {setting('build.num_partition')}"
    raise MemoryLimitError(
        describe(
            "plan",
            expected=f"at most {size(limit)} on {plan.device} ({gpu.name})",
            got=f"{sizes(plans[-1].device_memory)} with {plans[-1].table_dtype} tables",
            hint=f"Lower {setting('resource.dim')}, use SGD (other optimizers keep more tables){free}, or give "
            f"{setting('resource.device', 'cpu')}.",
        )
    )
