"""Training blocks of a grid on synthetic pairs, in several layouts, and sorting the pairs of walks by block and head."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from gpu_sections.card import DEVICE, DTYPES, ON_CARD, alternate, median, tensor
from gpu_sections.rows import TORCH
from gpu_sections.shapes import youtube_shaped
from nodeloom.kernels.gpu.optimizer import SGD
from nodeloom.kernels.gpu.pairs import Launch, count_pairs, place_pairs, train_pairs, units_of
from nodeloom.kernels.gpu.walks import first_order_walks
from nodeloom.kernels.units import heads_for
from nodeloom.sampling import WalkSampler
from report import Report, Table

DIM, NODES, STEP, NEGATIVES, NEGATIVE_WEIGHT, DECAY, LR = 128, 64, 5, 16, 5.0, 0.003, 0.002
TARGET_TRAINED, TARGET_SORTED = 2.5e9, 10e9
WALKS, PARTS, CONTEXT_PARTS = 1 << 18, 8, 26


@dataclass(frozen=True)
class Shape:
    """A block.

    Attributes
    ----------
    name : str
        What it stands for.
    heads, contexts : int
        Rows of both parts.
    mean : float
        Pairs of a head, on average.
    parts : int
        Context parts of the row, for the weight of the negatives.
    """

    name: str
    heads: int
    contexts: int
    mean: float
    parts: int


SHAPES = (Shape("YouTube", 142_000, 43_800, 5.5, 26), Shape("16 M nodes", 2_000_000, 2_000_000, 14.0, 8))
QUICK = (Shape("quick", 300, 100, 5.5, 3),)


@dataclass
class Block:
    """The pairs of a block in lists; heads with more pairs come first, as the engine numbers them."""

    ends: torch.Tensor
    contexts: torch.Tensor
    totals: torch.Tensor
    counts: torch.Tensor

    @classmethod
    def of(cls, shape: Shape, seed: int = 0) -> Block:
        """Draw a block: a head of rank r has pairs in proportion to ``r^-0.6``, and contexts are drawn alike."""
        random = torch.Generator(DEVICE).manual_seed(seed)
        rank = torch.arange(1, shape.heads + 1, device=DEVICE, dtype=torch.float64)
        expected = rank**-0.6
        expected *= shape.mean * shape.heads / expected.sum()
        counts = torch.poisson(expected.float(), generator=random).to(torch.int32)
        ends = torch.cumsum(counts, 0, dtype=torch.int64)
        uniform = torch.rand(int(ends[-1]), device=DEVICE, generator=random)
        contexts = (shape.contexts * uniform**2.5).to(torch.int64).clamp_(max=shape.contexts - 1)  # rank^-0.6 again
        contexts = contexts.to(torch.int16 if shape.contexts <= 1 << 16 else torch.int32)
        return cls(ends, contexts, counts * shape.parts, counts[None])

    @property
    def num_pair(self) -> int:
        """Pairs of the block."""
        return len(self.contexts)


def layouts(shape: Shape, dtype: str) -> dict[str, tuple[int, Launch]]:
    """Return the layouts worth comparing: heads of a unit, and how it is launched. Each takes seconds to compile: the default first."""
    heads, plain = heads_for(DIM), Launch()
    found = {"default": (heads, plain), "ahead": (heads, dataclasses.replace(plain, ahead=True))}
    if shape is SHAPES[0]:
        found["16 heads, 4 warps"] = (16, dataclasses.replace(plain, num_warps=4))
        if dtype == "bf16":
            found["unrolled"] = (heads, dataclasses.replace(plain, unroll=True))
        else:
            found["not reloaded"] = (heads, dataclasses.replace(plain, reload=False))
            found["96 registers"] = (heads, dataclasses.replace(plain, registers=96))
            found["16 heads, 4 warps, ahead"] = (16, dataclasses.replace(plain, num_warps=4, ahead=True))
            found["4 warps, 168 registers"] = (heads, dataclasses.replace(plain, num_warps=4, registers=168))
    return found


def trainings(shape: Shape, block: Block, dtype: str) -> dict[str, Callable[[], None]]:
    """Return a training of the block in every layout."""
    random = torch.Generator(DEVICE).manual_seed(1)
    vertex, context = (
        ((torch.rand(rows, DIM, device=DEVICE, generator=random) - 0.5) / DIM**0.5).to(TORCH[dtype])
        for rows in (shape.heads, shape.contexts)
    )
    none, statistics = torch.empty(0, device=DEVICE), torch.zeros(2, dtype=torch.float64, device=DEVICE)
    product: dict[str, Any] = {"product": "bf16"} if ON_CARD else {}  # as the engine has it; the interpreter cannot
    samples: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def training(heads: int, launch: Launch) -> Callable[[], None]:
        if heads not in samples:
            units = units_of(block.counts, heads)[0]
            size = (len(units), NEGATIVES)
            samples[heads] = (
                units,
                torch.randint(shape.contexts, size, dtype=torch.int32, device=DEVICE, generator=random),
            )

        def train() -> None:
            train_pairs(
                vertex, context, none, none, none, none, 0, block.ends, block.contexts, block.totals, *samples[heads],
                heads, 0, shape.heads, LR, NEGATIVE_WEIGHT / shape.parts, DECAY, SGD, np.zeros(4, np.float32), statistics,
                launch=launch, seed=1, **product,
            )  # fmt: skip

        return train

    return {name: training(*layout) for name, layout in layouts(shape, dtype).items()}


def train_blocks(options: argparse.Namespace, report: Report, table: Table) -> None:
    """Time the training of every shape and type in every layout."""
    for shape in SHAPES if ON_CARD and not options.quick else QUICK:
        block = Block.of(shape)
        for dtype in DTYPES if ON_CARD else DTYPES[:1]:
            functions = trainings(shape, block, dtype)
            found = alternate(functions, options.repeats, 3 if ON_CARD else 1)
            for name, seconds in found.items():
                rate = block.num_pair / median(seconds)
                table.add(shape.name, dtype, name, f"{block.num_pair / 1e6:.1f}", f"{rate / 1e9:.3f}")
                report.say(f"pairs, {shape.name}, {dtype}, {name}: {rate / 1e9:.3f} G pairs/s")
            rate = block.num_pair / median(found["default"])
            report.raw.setdefault("pairs", {})[f"{shape.name} {dtype}"] = {"pairs": block.num_pair, "seconds": found}
            if dtype == "fp32":
                report.check(
                    f"training a block, {shape.name}, fp32", f"at least {TARGET_TRAINED / 1e9:g} G pairs/s",
                    f"{rate / 1e9:.2f}", rate >= TARGET_TRAINED,
                )  # fmt: skip
            del functions
        del block
        if ON_CARD:
            torch.cuda.empty_cache()


def sort_pairs(options: argparse.Namespace, report: Report) -> None:
    """Time counting, placing and the making of units for the first vertex part, on walks of a YouTube-shaped graph."""
    graph = youtube_shaped(options.scale).graph
    num_walk = WALKS if ON_CARD and not options.quick else 4096 if ON_CARD else 16
    sampler = WalkSampler.of(graph)
    csr = [tensor(a) for a in (graph.indptr, graph.indices, sampler.steps.prob, sampler.steps.alias, *sampler.start)]
    heads, rows = -(-graph.num_nodes // PARTS), -(-graph.num_nodes // CONTEXT_PARTS)
    # Slots: every part gets its share of the nodes of every degree.
    order = np.argsort(-graph.degrees, kind="stable")
    slots = np.empty(graph.num_nodes, np.int32)
    rank = np.arange(graph.num_nodes)
    slots[order] = np.minimum((rank % PARTS) * heads + rank // PARTS, graph.num_nodes - 1)
    table = report.table(
        f"Sorting the pairs of {num_walk:,} walks, YouTube-shaped, one of {PARTS} vertex parts, {CONTEXT_PARTS} context parts",
        "walks written", "cursors", "M pairs", "count, ms", "place, ms", "units, ms", "G pairs/s of the part, count and place",
    )  # fmt: skip
    best = 0.0
    for how in ("step by step", "walk by walk"):
        size = (NODES, num_walk) if how == "step by step" else (num_walk, NODES)
        walks = torch.empty(size, dtype=torch.int32, device=DEVICE)
        walks = walks.t() if how == "step by step" else walks
        first_order_walks(*csr, sampler.key, 0, walks)
        walks.copy_(tensor(slots)[walks.long()])
        counts = torch.zeros(CONTEXT_PARTS, heads, dtype=torch.int32, device=DEVICE)
        where = (walks, STEP, True, 0, rows)
        count_pairs(*where, counts)
        num_pair = int(counts.sum())
        contexts = torch.empty(num_pair, dtype=torch.int16 if rows <= 1 << 16 else torch.int32, device=DEVICE)
        for dtype in (torch.int32, torch.int64):
            begins = (torch.cumsum(counts.view(-1), 0, dtype=dtype) - counts.view(-1)).view(counts.shape)
            spare, cursors = torch.zeros_like(counts), begins.clone()

            def reset(cursors: torch.Tensor = cursors, begins: torch.Tensor = begins) -> None:
                cursors.copy_(begins)

            def place(cursors: torch.Tensor = cursors, begins: torch.Tensor = begins) -> None:
                cursors.copy_(begins)
                place_pairs(*where, cursors, contexts)  # noqa: B023  called within the round

            functions = {
                "count": lambda: count_pairs(*where, spare),  # noqa: B023
                "place": place,
                "reset": reset,
                "units": lambda: units_of(counts, heads_for(DIM)),  # noqa: B023
            }
            found = {name: median(times) for name, times in alternate(functions, options.repeats).items()}
            place()
            assert int((cursors - begins - counts).abs().max()) == 0, "pairs were lost"
            placed = found["place"] - found["reset"] if ON_CARD else found["place"]
            rate = num_pair / (found["count"] + placed)
            best = max(best, rate)
            table.add(
                how, str(dtype).removeprefix("torch."), f"{num_pair / 1e6:.1f}",
                *(f"{1e3 * seconds:.3f}" for seconds in (found["count"], placed, found["units"])), f"{rate / 1e9:.2f}",
            )  # fmt: skip
            report.say(f"pairs, {how}, {dtype}: count and place {rate / 1e9:.2f} G pairs/s of the part")
            report.raw.setdefault("pairs sorted", {})[f"{how} {dtype}"] = {"pairs": num_pair, "seconds": found}
    report.check(
        "counting and placing", f"at least {TARGET_SORTED / 1e9:g} G pairs/s of the part", f"{best / 1e9:.2f}", best >= TARGET_SORTED
    )  # fmt: skip


def pairs(options: argparse.Namespace, report: Report) -> None:
    """Training and sorting."""
    table = report.table(
        f"Training a block of pairs, dim {DIM}, {NEGATIVES} negatives a unit",
        "block", "tables", "layout", "M pairs", "G pairs/s",
    )  # fmt: skip
    train_blocks(options, report, table)
    sort_pairs(options, report)
    report.note(
        "Blocks of pairs are synthetic: a head of rank r has pairs in proportion to r^-0.6, contexts are drawn alike. Each layout is "
        "timed on tables that the others have trained."
    )
