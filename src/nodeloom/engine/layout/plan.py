"""The plan of a map: every "auto" as a number, and memory, before anything runs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from nodeloom.config import ResourceConfig
from nodeloom.config.layout import AnyLayoutConfig, LargeVisConfig, LayoutConfig
from nodeloom.engine.device import find_gpu, resolve_device
from nodeloom.engine.layout.field import MOST_NODES, grid_of
from nodeloom.engine.machine import main_memory
from nodeloom.errors import ConfigError, DataError, MemoryLimitError, describe
from nodeloom.kernels.cpu.parallel import available_threads
from nodeloom.plan.formats import gpu_limit
from nodeloom.plan.sheet import Sheet
from nodeloom.units import duration, size, sizes
from nodeloom.words import setting

LEAST_POINTS = 4
TOLD = 10
"""Steps between two tellings of callbacks."""

LIMIT = 5.0
"""Most that a point moves along an axis in a step; the kernel is 1 wide."""

NEIGHBORS = 15
NEIGHBORS_PER_PERPLEXITY = 1.5
_GPU_SHARE = 0.9


@dataclasses.dataclass(frozen=True, repr=False)
class LayoutPlan(Sheet):
    """What will be done, in numbers.

    Attributes
    ----------
    model, device : str
        The model; where it is computed.
    num_points, dim : int
        Points; dimensions of the map.
    num_neighbor : int
        Neighbors of a point; 0 if affinities are given.
    perplexity : float
        Effective number of them; 0 if affinities are given.
    metric : str
        Which are near; empty if neighbors or affinities are given.
    exaggeration, early_exaggeration : float
        What attraction is multiplied by at the end, and in the first `num_early` iterations.
    num_iteration, num_early : int
        Iterations in all, and those of the beginning.
    lr : float or None
        Learning rate; None: see :meth:`rate`. That of LargeVis falls to 0 linearly, unless `schedule` is "constant".
    num_epoch, num_negative, negative_weight, sharpness, schedule
        Of LargeVis; see its estimator. 0 for t-SNE. Iterations are sweeps then, in which each point draws an edge on average.
    num_thread, seed : int
        Threads; the seed.
    memory, device_memory : dict of str to int
        Bytes of main memory, and on the GPU, by what they are for.
    search_memory : int or None
        Bytes that the search for neighbors may use beside the data; None if not limited.
    seconds : float or None
        Expected seconds of search and iterations, those of iterations measured on this machine; None if not measured.
    """

    model: str
    device: str
    num_points: int
    dim: int
    num_neighbor: int
    perplexity: float
    metric: str
    exaggeration: float
    early_exaggeration: float
    num_iteration: int
    num_early: int
    lr: float | None
    num_thread: int
    seed: int
    num_epoch: int = 0
    num_negative: int = 0
    negative_weight: float = 0.0
    sharpness: float = 0.0
    schedule: str = "linear"
    memory: dict[str, int] = dataclasses.field(default_factory=dict)
    device_memory: dict[str, int] = dataclasses.field(default_factory=dict)
    search_memory: int | None = None
    seconds: float | None = None

    def rate(self, exaggeration: float) -> float:
        """Return the learning rate at an exaggeration: the gradient of a point is in proportion to one over the points.

        Larger rates make small maps worse: iris has a loss of 7.93 after 60 iterations at 0.1 of the points, and diverges at 0.5; digits
        (1,797 points) has 11.06 at 0.1, 11.25 at 0.5. MNIST keeps .353 of its neighbors at 0.25, .356 at 0.5 and at 1.
        """
        if self.lr is not None:
            return self.lr
        largest = min(0.5, 0.1 * max(1.0, self.num_points / 1000) ** 0.4)
        return self.num_points * min(1 / exaggeration, largest)

    def sweep_rate(self, sweep: int) -> float:
        """Return the learning rate of a sweep of LargeVis."""
        left = 1.0 if self.schedule == "constant" else 1 - sweep / self.num_iteration
        return (1.0 if self.lr is None else self.lr) * left

    def pieces(self) -> Iterator[tuple[int, int]]:
        """Yield the first step and the number of steps of the pieces between which callbacks are told, and nothing changes."""
        told = max(TOLD, self.num_iteration // 25) if self.num_epoch else TOLD
        step = 0
        for end in (self.num_early, self.num_iteration):
            while step < end:
                number = min(told, end - step)
                yield step, number
                step += number

    def forces(self, step: int) -> tuple[float, float, float, float]:
        """Return exaggeration, learning rate, momentum and the most that a point moves along an axis, in a step of t-SNE."""
        exaggeration = self.early_exaggeration if step < self.num_early else self.exaggeration
        return exaggeration, self.rate(exaggeration), 0.5 if step < self.num_early else 0.8, LIMIT

    def rows(self) -> list[tuple[str, str]]:
        """Return the plan as (name, text) rows for people."""
        threads = f", {self.num_thread} thread{'s' if self.num_thread > 1 else ''}" if self.device == "cpu" else ""
        rows = [
            ("model", f"{self.model}, {self.num_points:,} points in {self.dim} dimensions"),
            ("device", f"{self.device}{threads}"),
        ]
        if self.num_neighbor:
            near = f", {self.metric}" if self.metric else ", given"
            rows.append(("neighbors", f"{self.num_neighbor} a point{near}, perplexity {self.perplexity:g}"))
        else:
            rows.append(("affinities", "given"))
        if self.num_epoch:
            drawn = f"{self.num_negative} negatives of weight {self.negative_weight:g} for each edge"
            rows += [("epochs", f"{self.num_epoch}, {drawn}"), ("memory", sizes(self.memory))]
            return self._with_device(rows)
        early = f"{self.num_early} with exaggeration {self.early_exaggeration:g}, then " if self.num_early else ""
        late = f"{self.num_iteration - self.num_early} with exaggeration {self.exaggeration:g}"
        rows += [("iterations", early + late), ("memory", sizes(self.memory))]
        return self._with_device(rows)

    def _with_device(self, rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
        if self.device_memory:
            rows.append(("GPU memory", sizes(self.device_memory)))
        if self.seconds is not None:
            rows.append(("time", f"about {duration(self.seconds)} of search and layout, the latter as measured here"))
        return rows


@dataclasses.dataclass(frozen=True)
class Task:
    """What a plan has to know of the data.

    Attributes
    ----------
    num_points : int
        Points.
    num_value : int
        Values of a vector; 0 if there are no vectors.
    num_neighbor : int
        Neighbors of a point that are given; 0 if none are.
    num_entry : int
        Affinities that are given; 0 if none are.
    metric : str
        What "auto" means for `metric`.
    data_bytes : int
        Bytes of the data in main memory.
    """

    num_points: int
    num_value: int = 0
    num_neighbor: int = 0
    num_entry: int = 0
    metric: str = "euclidean"
    data_bytes: int = 0


def make_layout_plan(
    model: str, task: Task, layout: AnyLayoutConfig, resource: ResourceConfig, *, warm: bool = False
) -> LayoutPlan:
    """Resolve all settings.

    Parameters
    ----------
    model : str
        Name of the estimator, for messages.
    task : Task
        The data.
    layout, resource
        The settings.
    warm : bool
        Whether points begin where they were in an earlier map.

    Raises
    ------
    DataError
        If there are too few points.
    ConfigError
        If there are more neighbors, or a larger perplexity, than the points allow.
    MemoryLimitError
        If the machine or the GPU has less memory than the plan needs.
    """
    if task.num_points < LEAST_POINTS:
        raise DataError(describe(model, expected=f"at least {LEAST_POINTS} points", got=task.num_points))
    neighbors, perplexity = (0, 0.0) if task.num_entry else _neighbors(task, layout)
    threads = resource.threads
    plan = LayoutPlan(
        model=model,
        device=resolve_device(resource, deterministic=False),
        num_points=task.num_points,
        dim=layout.dim,
        num_neighbor=neighbors,
        perplexity=perplexity,
        metric="" if not task.num_value else task.metric if layout.metric == "auto" else layout.metric,
        exaggeration=1.0,
        early_exaggeration=1.0,
        num_iteration=0,
        num_early=0,
        lr=None if layout.lr == "auto" else layout.lr,
        num_thread=available_threads() if threads == "auto" else threads,
        seed=layout.seed,
    )
    if isinstance(layout, LargeVisConfig):
        plan = _of_largevis(plan, layout, task)
    elif isinstance(layout, LayoutConfig):
        plan = _of_tsne(plan, layout, warm)
    return _placed(plan, task, resource)


def _of_tsne(plan: LayoutPlan, layout: LayoutConfig, warm: bool) -> LayoutPlan:
    auto = min(750, round(350 * max(1.0, plan.num_points / 200_000) ** 0.45))
    iterations = auto if layout.num_iteration == "auto" else int(layout.num_iteration)
    return dataclasses.replace(
        plan,
        exaggeration=layout.exaggeration,
        early_exaggeration=max(layout.early_exaggeration, layout.exaggeration),
        num_iteration=iterations,
        num_early=0 if warm else round(iterations * 2 / 7),
    )


def _of_largevis(plan: LayoutPlan, layout: LargeVisConfig, task: Task) -> LayoutPlan:
    """Return the plan with as many sweeps as edges are drawn for a point: both ends of one move."""
    entries = task.num_entry or 1.5 * plan.num_points * plan.num_neighbor  # of MNIST, in both directions
    return dataclasses.replace(
        plan,
        num_iteration=max(10, round(layout.num_epoch * entries / plan.num_points)),
        lr=1.0 if plan.lr is None else plan.lr,
        num_epoch=layout.num_epoch,
        num_negative=layout.num_negative,
        negative_weight=layout.negative_weight,
        sharpness=layout.sharpness,
        schedule=layout.schedule,
    )


def _neighbors(task: Task, layout: AnyLayoutConfig) -> tuple[int, float]:
    """Return how many neighbors a point has, and the perplexity."""
    most = task.num_neighbor or task.num_points - 1
    kind = "neighbors that are given" if task.num_neighbor else "points"
    number, perplexity = layout.num_neighbor, layout.perplexity
    limit = f"at most {most}, as the {kind} allow"
    if number != "auto" and number > most:
        raise ConfigError(describe(setting("layout.num_neighbor"), expected=limit, got=number))
    if perplexity != "auto" and perplexity > (most if number == "auto" else number):
        if number != "auto":
            limit = f"at most {setting('layout.num_neighbor')} ({number})"
        raise ConfigError(describe(setting("layout.perplexity"), expected=limit, got=perplexity))
    if number == "auto" and task.num_neighbor:
        number = task.num_neighbor
    elif number == "auto":
        wanted = NEIGHBORS if perplexity == "auto" else max(2, math.ceil(NEIGHBORS_PER_PERPLEXITY * float(perplexity)))
        number = min(wanted, most)
    number = int(number)
    return number, max(1.0, number / NEIGHBORS_PER_PERPLEXITY) if perplexity == "auto" else float(perplexity)


def expected_span(num_points: int, dim: int) -> float:
    """Return about how far points extend at the end: MNIST, 70,000 points, 160 in two dimensions and 50 in three."""
    return float(0.6 * num_points**0.5) if dim == 2 else float(1.2 * num_points ** (1 / 3))


def _placed(plan: LayoutPlan, task: Task, resource: ResourceConfig) -> LayoutPlan:
    """Return the plan with its memory."""
    points = plan.num_points
    entries = task.num_entry or 2 * points * plan.num_neighbor
    nodes = grid_of(expected_span(points, plan.dim), plan.dim)[0]
    # The grid, its spectrum and that of the kernel, on a grid twice as long along each axis, and one more while it is transformed.
    grid = 4 * nodes**plan.dim + 2 * (2 * nodes) ** plan.dim * 4 * 2
    tables = points * (6 * plan.dim + 3) * 4
    memory = {"data": task.data_bytes, "affinities": entries * 8 + points * 8}
    if not task.num_entry:
        memory["neighbors"] = points * (
            plan.num_neighbor * (8 + 24) + 8 * min(task.num_value, 128)
        )  # the search beside them
    memory["layout"] = tables + (grid if plan.device == "cpu" else 0)
    plan = dataclasses.replace(plan, memory=memory)
    if plan.device != "cpu":
        wide = min(4 * MOST_NODES[plan.dim] if plan.dim == 2 else 2 * MOST_NODES[3], 4 * nodes)
        plan = dataclasses.replace(
            plan,
            device_memory={"affinities": entries * 8 + points * 8, "layout": tables + 6 * 4 * wide**plan.dim},
        )
        gpu = find_gpu(int(plan.device.partition(":")[2] or 0))
        limit = gpu_limit(gpu.free_memory, resource, _GPU_SHARE)
        if plan.num_device_bytes > limit:
            got, hint = sizes(plan.device_memory), f"Give {setting('resource.device', 'cpu')}."
            raise MemoryLimitError(
                describe("plan", expected=f"at most {size(limit)} on {plan.device}", got=got, hint=hint)
            )
    limit_here = main_memory(resource)
    if limit_here is not None and plan.num_bytes > limit_here:
        hint = f"Lower {setting('layout.num_neighbor')}, or raise {setting('resource.memory_limit')} if it is set."
        raise MemoryLimitError(
            describe("plan", expected=f"at most {size(limit_here)} of memory", got=sizes(plan.memory), hint=hint)
        )
    if isinstance(resource.memory_limit, int):
        plan = dataclasses.replace(plan, search_memory=resource.memory_limit - task.data_bytes)
    return plan
