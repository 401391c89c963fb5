"""The kernels of pairs of the CPU behind the calls of those of the GPU: workers with parts on GPUs, at full speed without a card."""

from __future__ import annotations

import numpy as np
import torch

import gpu_runs
from gpu_runs import INTERPRETED, OnGpu
from nodeloom.kernels.cpu import pairs


def take_kernels_of_the_cpu(monkeypatch):
    """Let blocks of a GPU be sorted and trained by the kernels of the CPU, if there is no card."""
    if not INTERPRETED:
        return
    from nodeloom.engine.gpu import blocks, episode, ring_blocks

    OnGpu(None, monkeypatch).take_kernels_of_the_cpu()
    monkeypatch.setattr(episode, "renumber", renumber)
    monkeypatch.setattr(blocks, "count_pairs", count_pairs)
    monkeypatch.setattr(blocks, "place_pairs", place_pairs)
    monkeypatch.setattr("nodeloom.kernels.gpu.pairs.train_pairs", train_pairs)
    for module in (blocks, ring_blocks):
        monkeypatch.setattr(module, "draw_negatives", gpu_runs.draw_negatives)


def _array(tensor):
    return np.ascontiguousarray(tensor.numpy())


def _contexts(tensor):
    return tensor.numpy().view(np.uint16) if tensor.dtype == torch.int16 else tensor.numpy()


def renumber(walks, slot):
    array = _array(walks)
    pairs.renumber(array, _array(slot))
    walks.copy_(torch.from_numpy(array))


def count_pairs(walks, step, two_sided, first_head, part_rows, counts):
    pairs.count_pairs(_array(walks), step, two_sided, first_head, part_rows, counts.numpy())


def place_pairs(walks, step, two_sided, first_head, part_rows, cursors, contexts):
    moved = cursors.numpy().astype(np.int64)
    pairs.place_pairs(_array(walks), step, two_sided, first_head, part_rows, moved, _contexts(contexts))
    cursors.copy_(torch.from_numpy(moved))


def train_pairs(
    vertex, context, vertex_moment1, vertex_moment2, context_moment1, context_moment2, begin, ends, contexts, totals, units,
    negatives, heads_per_unit, first_head, first_context, lr, negative_weight, weight_decay, optimizer, settings, statistics,
    *, product="fp32", seed=0, launch=None,
):  # fmt: skip
    del product, seed
    tables = [table.float().numpy() for table in (vertex, context)]
    none = np.empty((0, vertex.shape[1]), np.float32)
    moments = [
        m.numpy() if m.numel() else none for m in (vertex_moment1, vertex_moment2, context_moment1, context_moment2)
    ]
    numbers = np.zeros(4, np.float32)
    numbers[: len(settings)] = settings
    with np.errstate(over="ignore"):
        rates = [np.float32(number) for number in (lr, negative_weight, weight_decay)]
    pairs.train_pairs(
        *tables, *moments, begin, ends.numpy().astype(np.int64), _contexts(contexts), totals.numpy(), _array(units),
        negatives.numpy(), heads_per_unit, first_head, first_context, *rates, optimizer, numbers, statistics.numpy(),
    )  # fmt: skip
    for array, tensor in zip(tables, (vertex, context), strict=True):
        if tensor.dtype == torch.bfloat16:
            tensor.copy_(torch.from_numpy(array))
