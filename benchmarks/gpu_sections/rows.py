"""Training against the bare traffic of its rows, at several widths."""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import torch

from baselines.gather_update import Variant, bytes_of, gather_update, variants
from common import HERE
from gpu_sections.card import DEVICE, DTYPES, ON_CARD, alternate, median, tensor
from gpu_sections.shapes import youtube_shaped
from nodeloom import Graph
from nodeloom.kernels.gpu.negatives import draw_negatives
from nodeloom.kernels.gpu.optimizer import SGD
from nodeloom.kernels.gpu.skipgram import train_walks
from nodeloom.kernels.gpu.walks import first_order_walks
from nodeloom.plan.formats import WIDEST_BF16
from nodeloom.sampling import NegativeSampler, WalkSampler
from report import Report

DIMS = (32, 64, 128, 256, 512)
WALKS = 1 << 17
NODES, STEP, NEGATIVES, NEGATIVE_WEIGHT, DECAY, LR = 64, 5, 16, 5.0, 0.003, 0.002
TARGET_SHARE, LEAST_SHARE = 0.85, 0.60
TORCH = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass
class Samples:
    """Walks and negatives as the engine makes them.

    Attributes
    ----------
    num_nodes : int
        Of the graph.
    walks : int32 [W, 64]
        Written step by step, so their strides are 1 and W.
    negatives : int32 [W, 1, K]
        Of each walk.
    """

    num_nodes: int
    walks: torch.Tensor
    negatives: torch.Tensor

    @classmethod
    def of(cls, graph: Graph, num_walk: int) -> Samples:
        """Draw walks and negatives on a graph."""
        walks_of, negatives_of = WalkSampler.of(graph), NegativeSampler.of(graph, exponent=0.75, seed=0)
        csr = [
            tensor(a) for a in (graph.indptr, graph.indices, walks_of.steps.prob, walks_of.steps.alias, *walks_of.start)
        ]
        walks = torch.empty(NODES, num_walk, dtype=torch.int32, device=DEVICE).t()
        first_order_walks(*csr, walks_of.key, 0, walks)
        negatives = torch.empty(num_walk, NEGATIVES, dtype=torch.int32, device=DEVICE)
        draw_negatives(*(tensor(array) for array in negatives_of.table), negatives_of.key, 0, negatives)
        return cls(graph.num_nodes, walks, negatives.view(num_walk, 1, NEGATIVES))


@dataclass
class Measured:
    """Seconds of both kernels on the same samples, and the pairs of a training."""

    train: list[float]
    bound: dict[Variant, list[float]]
    pairs: int
    bytes: int

    @property
    def best(self) -> Variant:
        """The fastest way to move the rows."""
        return min(self.bound, key=lambda variant: median(self.bound[variant]))

    @property
    def share(self) -> float:
        """Share of the rate at which the rows can be moved."""
        return median(self.bound[self.best]) / median(self.train)


def measure(samples: Samples, dim: int, dtype: str, repeats: int) -> Measured:
    """Time training and all variants of the bound, in turn."""
    vertex = ((torch.rand(samples.num_nodes, dim, device=DEVICE) - 0.5) / dim**0.5).to(TORCH[dtype])
    context = torch.zeros_like(vertex)
    num_walk = len(samples.walks)
    none = torch.empty(0, device=DEVICE)
    lr = torch.full((num_walk,), LR, device=DEVICE)
    statistics = torch.zeros(2, dtype=torch.float64, device=DEVICE)
    num_pairs = torch.zeros(1, dtype=torch.int64, device=DEVICE)
    product = {"product": "bf16"} if ON_CARD else {}  # as the engine has it; the interpreter cannot

    def train() -> None:
        train_walks(
            vertex, context, none, none, none, none, samples.walks, samples.negatives, lr, STEP, True, NEGATIVE_WEIGHT,
            DECAY, SGD, np.zeros(4, np.float32), statistics, seed=1, num_pairs=num_pairs,
            **product,
        )  # fmt: skip

    functions = {"train": train}
    ways = {str(variant): variant for variant in variants(dim, TORCH[dtype])}
    for name, variant in ways.items():
        functions[name] = lambda variant=variant: gather_update(
            vertex, context, samples.walks, samples.negatives, variant
        )
    inner = 3 if ON_CARD else 1
    found = alternate(functions, repeats, inner)
    assert torch.isfinite(vertex.float()).all(), "training diverged"
    return Measured(
        train=found["train"],
        bound={variant: found[name] for name, variant in ways.items()},
        pairs=int(num_pairs.item()) // (1 + repeats * inner),
        bytes=bytes_of(num_walk, NODES, NEGATIVES, dim, vertex.element_size()),
    )


def compile_all(dims: tuple[int, ...] = DIMS) -> list[subprocess.Popen[bytes]]:
    """Start programs that compile the kernels of every width, side by side, into the cache; for :func:`rows` to wait for."""
    if not ON_CARD:
        return []
    program = str(HERE / "children" / "gpu_compile.py")
    return [
        subprocess.Popen(
            [sys.executable, program, str(dim), dtype], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for dim in dims
        for dtype in DTYPES
    ]


def rows(options: argparse.Namespace, report: Report) -> None:
    """Tables of all widths and both types."""
    graph = youtube_shaped(options.scale).graph
    samples = Samples.of(graph, 64 if not ON_CARD else 4096 if options.quick else WALKS)
    table = report.table(
        f"Training kernel against its rows alone, {graph.num_nodes:,} nodes, step {STEP}, {NEGATIVES} negatives",
        "tables", "dim", "training, G pairs/s", "training, GB/s", "rows alone, GB/s", "share", "rows alone by",
    )  # fmt: skip
    raw = report.raw.setdefault("rows", {})
    for dtype in DTYPES if ON_CARD else DTYPES[:1]:
        for dim in (32,) if options.quick else DIMS:
            if dtype == "bf16" and dim > WIDEST_BF16:
                continue
            found = measure(samples, dim, dtype, max(1, 2 * options.repeats - 1))
            seconds, bound = median(found.train), median(found.bound[found.best])
            table.add(
                dtype, dim, f"{found.pairs / seconds / 1e9:.2f}", f"{found.bytes / seconds / 1e9:.0f}",
                f"{found.bytes / bound / 1e9:.0f}", f"{100 * found.share:.0f} %", found.best,
            )  # fmt: skip
            least = TARGET_SHARE if dim == 128 else LEAST_SHARE
            report.check(
                f"share of the rate of its rows alone, {dtype}, dim {dim}", f"at least {100 * least:.0f} %",
                f"{100 * found.share:.0f} %", found.share >= least,
            )  # fmt: skip
            raw[f"{dtype} {dim}"] = {
                "train": found.train, "bound": {str(v): times for v, times in found.bound.items()}, "pairs": found.pairs,
                "bytes": found.bytes,
            }  # fmt: skip
            report.say(
                f"rows, {dtype}, dim {dim}: {found.pairs / seconds / 1e9:.2f} G pairs/s, {100 * found.share:.0f} %"
            )
            del found
            if ON_CARD:
                torch.cuda.empty_cache()
    report.note(
        "Rows alone: the same rows of both tables, in the order of the same walks and negatives, read, changed and written by a "
        "kernel that does nothing else; the fastest of atomic additions and plain stores with several layouts. Bytes count every "
        "row once there and once back, also what the cache answers."
    )
