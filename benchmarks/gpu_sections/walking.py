"""Random walks on the card: steps per second, and the same walks as on the CPU."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from gpu_sections.card import DEVICE, ON_CARD, alternate, median, tensor
from gpu_sections.shapes import lifted, youtube_shaped
from nodeloom import Graph
from nodeloom.kernels.cpu import walks as cpu
from nodeloom.kernels.cpu.parallel import available_threads
from nodeloom.kernels.gpu import walks as gpu
from nodeloom.sampling import WalkSampler
from nodeloom.sampling.alias import over_nodes
from report import Report, Table, spread

NODES = 64
WALKS = 1 << 20
COPIES = 10
P, Q = 0.25, 4.0
COMPARED = 2000
TARGETS = {"youtube": 20e9, "large": 3e9, "p, q": 1e9}


@dataclass
class Kind:
    """Walks of one kind on one graph.

    Attributes
    ----------
    graph, name : str
        What they are called in tables.
    size : tuple of int
        Nodes and edges of the graph.
    walk : callable
        Fills a tensor [W, L + 1] on the card with walks from number 0 on.
    reference : callable
        Fills an array by the kernels of the CPU.
    target : float or None
        Steps per second, written step by step.
    """

    graph: str
    name: str
    size: tuple[int, int]
    walk: Callable[[torch.Tensor], None]
    reference: Callable[[np.ndarray], None]
    target: float | None


def on_youtube(name: str, graph: Graph, target: float | None, p: float = 1.0, q: float = 1.0) -> Kind:
    """Return walks on the YouTube-shaped graph."""
    sampler = WalkSampler.of(graph, p=p, q=q, num_thread=available_threads())
    csr = (tensor(graph.indptr), tensor(graph.indices))
    tables = tuple(tensor(array) for array in (*sampler.steps, *sampler.start))
    if (p, q) == (1.0, 1.0):

        def walk(out: torch.Tensor) -> None:
            gpu.first_order_walks(*csr, *tables, sampler.key, 0, out)
    else:
        weights = tensor(np.empty(0, np.float32) if graph.weights is None else graph.weights)
        hubs = (tensor(sampler.hubs.row), tensor(sampler.hubs.bits))

        def walk(out: torch.Tensor) -> None:
            gpu.second_order_walks(*csr, weights, *tables, *hubs, p, q, sampler.fold, sampler.key, 0, out)

    size = (graph.num_nodes, graph.num_edges)
    return Kind("YouTube-shaped", name, size, walk, lambda out: sampler.sample(0, out), target)


def on_large(graph: Graph, report: Report) -> Kind:
    """Return first-order walks on a lift of the YouTube-shaped graph."""
    begin = time.perf_counter()
    indptr, indices, degrees = lifted(graph, COPIES)
    start = over_nodes(degrees.astype(np.float64))
    report.say(f"walks: {COPIES} times as large a graph made in {time.perf_counter() - begin:.1f} s")
    key = WalkSampler.of(graph).key
    none = WalkSampler.of(graph).steps
    tables = tuple(tensor(array) for array in (*none, *start))

    def reference(out: np.ndarray) -> None:
        entries = indices.cpu().numpy()
        entries.setflags(write=False)  # as those of a Graph, which the kernel is compiled for
        cpu.first_order_walks(indptr.to(torch.int32).cpu().numpy(), entries, *none, *start, np.uint64(key), 0, out)

    return Kind(
        f"{COPIES} times as large", "first order", (len(degrees), len(indices) // 2),
        lambda out: gpu.first_order_walks(indptr, indices, *tables, key, 0, out), reference, TARGETS["large"],
    )  # fmt: skip


def kinds(options: argparse.Namespace, report: Report) -> Iterator[Kind]:
    """Yield what is measured, one after the other, so that one graph at a time takes memory."""
    graph = youtube_shaped(options.scale).graph
    yield on_youtube("first order", graph, TARGETS["youtube"])
    yield on_youtube(f"p {P:g}, q {Q:g}", graph, TARGETS["p, q"], P, Q)
    heads, tails, _ = graph.edge_columns()
    weights = np.random.default_rng(0).lognormal(size=len(heads)).astype(np.float32)
    weighted = Graph.from_edges(np.stack([heads, tails], axis=1), weights, num_nodes=graph.num_nodes)
    yield on_youtube("weighted", weighted, None)
    yield on_youtube(f"weighted, p {P:g}, q {Q:g}", weighted, None, P, Q)
    yield on_large(graph, report)


def measure(kind: Kind, num_walk: int, options: argparse.Namespace, report: Report, table: Table) -> list[bool]:
    """Time one kind in both ways to write walks; tell for each whether they are those of the CPU."""
    outs = {
        "step by step": torch.empty(NODES, num_walk, dtype=torch.int32, device=DEVICE).t(),
        "walk by walk": torch.empty(num_walk, NODES, dtype=torch.int32, device=DEVICE),
    }
    functions = {how: lambda out=out: kind.walk(out) for how, out in outs.items()}
    found = alternate(functions, 2 * options.repeats - 1, 3 if ON_CARD else 1)
    own = np.empty((min(COMPARED, num_walk), NODES), np.int32)
    kind.reference(own)
    equal = []
    for how, out in outs.items():
        equal.append(bool((out[: len(own)].cpu().numpy() == own).all()))
        rates = [num_walk * (NODES - 1) / seconds for seconds in found[how]]
        target = kind.target if how == "step by step" else None
        table.add(
            kind.graph, f"{kind.size[0]:,}", f"{kind.size[1]:,}", kind.name, how, spread([rate / 1e9 for rate in rates]),
            "yes" if equal[-1] else "**no**",
        )  # fmt: skip
        if target is not None:
            rate, least = median(rates), f"at least {target / 1e9:g} G steps/s"
            report.check(f"{kind.name} walks, {kind.graph}", least, f"{rate / 1e9:.2f}", rate >= target)
        report.say(
            f"walks, {kind.graph}, {kind.name}, {how}: {median(rates) / 1e9:.2f} G steps/s, as on the CPU: {equal[-1]}"
        )
        report.raw.setdefault("walks", {})[f"{kind.graph}, {kind.name}, {how}"] = {
            "seconds": found[how],
            "walks": num_walk,
        }
    return equal


def walking(options: argparse.Namespace, report: Report) -> None:
    """First-order, weighted and second-order walks on the YouTube-shaped graph, first-order ones on ten times as large a one."""
    num_walk = (1 << 14 if options.quick else WALKS) if ON_CARD else 64
    table = report.table(
        f"Walks of {NODES - 1} steps on the card",
        "graph", "nodes", "edges", "walks", "written", "G steps/s", "as on the CPU",
    )  # fmt: skip
    equal: list[bool] = []
    for kind in kinds(options, report):
        equal += measure(kind, num_walk, options, report, table)
    report.check(
        f"the first {min(COMPARED, num_walk)} walks of every kind", "those of the CPU kernels, to the last node",
        f"{sum(equal)} of {len(equal)}", all(equal),
    )  # fmt: skip
    report.note(
        f"{COPIES} times as large: not drawn as a planted partition, which takes a minute; it is a random lift of the YouTube-shaped "
        f"graph, made on the card: every node {COPIES} times, every edge between copies chosen by chance, all nodes numbered anew "
        "by chance. Degrees are those of the smaller graph."
    )
    report.note(
        "Weights of edges are lognormal, drawn by seed. Walks have a node for every step; the graphs have no dead ends. Training "
        "reads walks that were written step by step."
    )
