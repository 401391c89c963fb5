"""The plan of a propagation or factorization: every "auto" as a number, memory and time, before anything runs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from nodeloom.config import SpectralTrain
from nodeloom.engine.device import find_gpu, resolve_device
from nodeloom.engine.machine import main_memory
from nodeloom.engine.spectral import choose
from nodeloom.engine.spectral.tables import COLUMN_BUFFERS, ROW_VALUES, column_bounds, group_bounds
from nodeloom.errors import ConfigError, GraphError, MemoryLimitError, describe
from nodeloom.kernels.cpu.parallel import available_threads
from nodeloom.log import logger
from nodeloom.plan.formats import gpu_limit
from nodeloom.plan.reach import isolated, unlinked
from nodeloom.plan.sheet import Sheet
from nodeloom.units import duration, size, sizes
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.graph import Graph
    from nodeloom.plan.settings import Settings

OVERSAMPLE = 16
"""Columns beyond dim in the search for the singular vectors of ProNE."""

SVD_STEPS = 4
"""Passes of the search for singular vectors, each a product with the matrix and one with its transpose."""

_GPU_SHARE = 0.9  # of the free memory of a GPU

LIBRARY_BYTES = 100 << 20
"""What the matrix library takes on a GPU for itself, 32 MiB on each of three streams."""


@dataclasses.dataclass(frozen=True, repr=False)
class SpectralPlan(Sheet):
    """What will be done, in numbers.

    Attributes
    ----------
    model, device : str
        The model; where it is computed.
    num_nodes, num_edges, dim : int
        Of the graph; values in a vector.
    width : int
        Columns of the tables that are worked on.
    num_thread : int
        Threads.
    num_iteration : int
        Steps of propagation at most; terms of the filter of ProNE.
    tolerance : float
        Propagation ends when a step changes less than this share of what variances differ by; 0: never.
    num_scale : int
        Numbers of steps whose vectors are joined.
    residual, degree_exponent, row_length, whiten, direction
        See the configuration.
    theta, mu, shift, negative_sample_exponent : float
        See the configuration; shift is num_negative.
    num_product : int
        Products of the graph with a table, at most.
    block_columns : int
        Columns of a table that are on the GPU at a time, where whole tables do not fit it; 0: all.
    seed : int
        The seed.
    num_without : int
        Nodes that have nobody to collect from, and get zeros.
    memory, device_memory : dict of str to int
        Bytes of main memory, and on the GPU, by what they are for.
    seconds : float or None
        Expected seconds, measured on this machine; None if not measured.
    """

    model: str
    device: str
    num_nodes: int
    num_edges: int
    dim: int
    width: int
    num_thread: int
    num_iteration: int
    tolerance: float
    num_scale: int
    residual: float
    degree_exponent: float
    row_length: float
    whiten: bool
    direction: str
    theta: float
    mu: float
    shift: float
    negative_sample_exponent: float
    num_product: int
    seed: int
    num_without: int
    block_columns: int = 0
    memory: dict[str, int] = dataclasses.field(default_factory=dict)
    device_memory: dict[str, int] = dataclasses.field(default_factory=dict)
    seconds: float | None = None

    def without_sentence(self) -> str:
        """Return what comes of nodes that have nobody to collect from; empty if there are none."""
        if not self.num_without:
            return ""
        way = {"out": "outgoing edges", "in": "incoming edges"}.get(self.direction, "edge to another node")
        have = "has" if self.num_without == 1 else "have"
        return f"{self.num_without:,} of {self.num_nodes:,} nodes {have} no {way}: their vectors are zeros."

    def rows(self) -> list[tuple[str, str]]:
        """Return the plan as (name, text) rows for people."""
        threads = f", {self.num_thread} thread{'s' if self.num_thread > 1 else ''}" if self.device == "cpu" else ""
        fewer = f", at most {most} columns" if (most := self.width * self.num_scale) < self.dim else ""
        blocks = f", tables in main memory, columns in blocks of {self.block_columns}" if self.block_columns else ""
        rows = [
            ("model", f"{self.model}, dim {self.dim}{fewer}, vectors of length {self.row_length:g}"),
            ("device", f"{self.device}{threads}{blocks}"),
        ]
        if self.model == "ProNE":
            rows += [
                ("factorization", f"{SVD_STEPS} passes over PMI of edges, shifted by the logarithm of {self.shift:g}"),
                ("filter", f"{self.num_iteration} terms, theta {self.theta:g}, mu {self.mu:g}"),
            ]
        else:
            ways = [f"degree exponent {self.degree_exponent:.2g}", "whitened" if self.whiten else "not whitened"]
            ways += [f"residual {self.residual:.2g}"] * bool(self.residual)
            ways += [f"{self.num_scale} scales joined"] * (self.num_scale > 1)
            ways += [f"direction {self.direction}"] * (self.direction != "undirected")
            until = "up to " if self.tolerance else ""
            rows.append(("propagation", f"{until}{self.num_iteration} steps, {', '.join(ways)}"))
        rows += [("zeros", sentence)] if (sentence := self.without_sentence()) else []
        rows.append(("memory", sizes(self.memory)))
        if self.device_memory:
            rows.append(("GPU memory", sizes(self.device_memory)))
        if self.seconds is not None:
            rows.append(("time", f"about {duration(self.seconds)}, as measured here"))
        return rows


def make_spectral_plan(graph: Graph, settings: Settings) -> SpectralPlan:
    """Resolve all settings for a graph.

    Raises
    ------
    GraphError
        If the graph has no edges between different nodes.
    ConfigError
        If there are fewer columns than scales.
    MemoryLimitError
        If the machine or the GPU has less memory than the plan needs.
    """
    train, resource = settings.of_kind(SpectralTrain), settings.resource
    if graph.num_edges - graph.num_loops == 0:
        raise GraphError(
            describe(
                "graph",
                expected="an edge between two different nodes",
                got=repr(graph),
                hint="There is nothing to learn from.",
            )
        )
    prone = train.model == "ProNE"
    scales = 1 if prone else train.num_scale
    if scales > resource.dim:
        raise ConfigError(
            describe(
                setting("train.num_scale"), expected=f"at most {setting('resource.dim')} ({resource.dim})", got=scales
            )
        )
    alone = isolated(graph)
    connected = graph.num_nodes - int(np.count_nonzero(alone))
    if connected == 2:
        hint = f"Take {setting('train.model', 'DeepWalk')}."
        raise GraphError(describe("graph", expected="edges between three nodes or more", got=repr(graph), hint=hint))
    auto = train.tolerance == "auto"
    tolerance = (choose.TOLERANCE if train.num_iteration == "auto" else 0.0) if auto else float(train.tolerance)
    threads = resource.threads  # the result is the same on any number of them
    terms = train.num_term
    residual = choose.residual(connected, graph.num_edges) if train.residual == "auto" else float(train.residual)
    steps = (
        choose.num_iteration(residual, connected, graph.num_edges)
        if train.num_iteration == "auto"
        else train.num_iteration
    )
    plan = SpectralPlan(
        model=train.model,
        device=resolve_device(resource, deterministic=train.deterministic),
        num_nodes=graph.num_nodes,
        num_edges=graph.num_edges,
        dim=resource.dim,
        num_without=int(np.count_nonzero(alone if prone else unlinked(graph, train.direction))),
        # Columns whose sums are 0 have a dimension less than there are nodes.
        width=min(resource.dim + OVERSAMPLE, connected) if prone else min(-(-resource.dim // scales), connected - 1),
        num_thread=available_threads() if threads == "auto" else threads,
        num_iteration=terms if prone else steps,
        tolerance=0.0 if prone else tolerance,
        num_scale=scales,
        residual=0.0 if prone else residual,
        degree_exponent=choose.degree_exponent(connected, graph.num_edges)
        if train.degree_exponent == "auto"
        else train.degree_exponent,
        row_length=choose.ROW_LENGTH if train.row_length == "auto" else train.row_length,
        whiten=train.whiten,
        direction=train.direction if graph.directed else "undirected",
        theta=train.theta,
        mu=train.mu,
        shift=float(settings.build.num_negative),
        negative_sample_exponent=train.negative_sample_exponent,
        num_product=(2 * SVD_STEPS + 2 * terms if prone else steps)
        * (2 if graph.directed and (prone or train.direction == "both") else 1),
        seed=train.seed,
    )
    return _placed(plan, graph, settings)


def _placed(plan: SpectralPlan, graph: Graph, settings: Settings) -> SpectralPlan:
    """Return the plan with its memory; a graph whose matrix does not fit a GPU nobody asked for goes to the CPU."""
    if plan.device != "cpu":
        gpu = find_gpu(int(plan.device.partition(":")[2] or 0))
        limit = gpu_limit(gpu.free_memory, settings.resource, _GPU_SHARE)
        plan = _fitted(plan, graph, limit)
        if plan.num_device_bytes > limit:
            if settings.resource.device != "auto":
                raise MemoryLimitError(
                    describe(
                        "plan",
                        expected=f"at most {size(limit)} on {plan.device} ({gpu.name})",
                        got=f"{sizes(plan.device_memory)}, even with one column at a time",
                        hint=f"Give {setting('resource.device', 'cpu')}.",
                    )
                )
            logger.warning(
                "computing on the CPU, since %s would need %s even with one column at a time, and has %s free.",
                plan.device, size(plan.num_device_bytes), size(limit),
            )  # fmt: skip
            plan = dataclasses.replace(plan, device="cpu", block_columns=0, device_memory={})
    plan = dataclasses.replace(plan, memory=_host_memory(plan, graph))
    limit_here = main_memory(settings.resource)
    if limit_here is not None and plan.num_bytes > limit_here:
        raise MemoryLimitError(
            describe(
                "plan",
                expected=f"at most {size(limit_here)} of memory",
                got=sizes(plan.memory),
                hint=f"Lower {setting('resource.dim')}, raise {setting('resource.memory_limit')} if it is set, "
                "or use a machine with more memory.",
            )
        )
    return plan


def _fitted(plan: SpectralPlan, graph: Graph, limit: int) -> SpectralPlan:
    """Return the plan with its memory on the GPU: whole tables if they fit, else as many columns as do, at least one."""
    plan = dataclasses.replace(plan, device_memory=_device_memory(plan, graph))
    if plan.num_device_bytes <= limit:
        return plan
    narrow = _device_memory(dataclasses.replace(plan, block_columns=1), graph)
    of_column = narrow["columns"]
    most = min(plan.width, max(1, (limit - sum(narrow.values())) // of_column + 1))
    # As few blocks as fit, of widths that are alike, in multiples of four for wide loads.
    number = len(column_bounds(plan.width, most))
    columns = -(-plan.width // number)
    if most >= 4:
        columns = min(-(-columns // 4) * 4, most // 4 * 4)
    plan = dataclasses.replace(plan, block_columns=columns)
    return dataclasses.replace(plan, device_memory=_device_memory(plan, graph))


def _num_table(plan: SpectralPlan) -> int:
    """Return the tables that are worked on at a time.

    Propagation: two. ProNE: two of the recurrence, the result, the product that is being made and one on the way to it.
    """
    return (5 if plan.model == "ProNE" else 2) + (plan.direction == "both")


def _host_memory(plan: SpectralPlan, graph: Graph) -> dict[str, int]:
    """Return the bytes of main memory by purpose."""
    memory = {"graph": graph.nbytes}
    one, vectors = plan.num_nodes * plan.width * 4, plan.num_nodes * plan.dim * 4
    if plan.device != "cpu" and not plan.block_columns:
        memory["vectors"] = 2 * vectors  # and context vectors
    else:
        memory["tables"] = max(_num_table(plan) * one, 2 * vectors)
        if plan.num_scale > 1:
            memory["vectors"] = vectors + one * (plan.block_columns > 0)  # a table in blocks is copied into rows
    nnz = len(graph.indices)
    memory["matrix"] = plan.num_nodes * 8 + nnz * 8 * (plan.model == "ProNE")
    if graph.directed and plan.direction != "out":
        memory["matrix"] += nnz * (graph.indices.itemsize + 4) + plan.num_nodes * 8
    if plan.device == "cpu":
        memory["buffers"] = len(group_bounds(plan.num_nodes, plan.width)) * plan.width * (plan.width + 1) * 8
    return memory


def _device_memory(plan: SpectralPlan, graph: Graph) -> dict[str, int]:
    """Return the bytes on a GPU by purpose."""
    one = plan.num_nodes * plan.width * 4
    if plan.block_columns:
        memory = {"columns": COLUMN_BUFFERS * plan.num_nodes * plan.block_columns * 4}
    else:
        memory = {"tables": _num_table(plan) * one}
    nnz = len(graph.indices)
    both = plan.model == "ProNE" or (graph.directed and plan.direction == "both")
    # Offsets, columns and entries; the offsets before they are narrowed, and the factors of the columns.
    memory["matrix"] = (1 + both) * (nnz * (graph.indices.itemsize + 4) + graph.indptr.nbytes) + plan.num_nodes * 12
    # Moments of each stream, what turns a table, two values per row, and rows that are turned where tables are whole.
    memory["buffers"] = LIBRARY_BYTES + 4 * plan.width * (plan.width + 1) * 8 + plan.num_nodes * 8
    if not plan.block_columns:
        memory["buffers"] += 12 * min(one // 4, ROW_VALUES)
    return memory
