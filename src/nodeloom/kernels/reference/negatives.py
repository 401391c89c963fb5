"""Alias tables and draws from them, in plain NumPy: the definition of :mod:`nodeloom.kernels.cpu.negatives`."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.reference.rng import below, draw, item_key, unit
from nodeloom.typing import DoubleArray, IndexArray, OffsetArray


def build_alias(
    weights: DoubleArray, indptr: OffsetArray, first_row: int, last_row: int, prob: DoubleArray, alias: IndexArray
) -> None:
    """Build one alias table (Walker 1977) per row of `weights`; see the CPU kernel for the arguments.

    A table stands for a distribution: entry i of n has the share ``(prob[i] + sum of 1 - prob[j] over all j whose
    alias is i) / n``. Many tables stand for the same one, so what is defined is that share: ``weights[i]`` over their
    sum. An entry of weight zero is never drawn, except from a row whose weights are all zero, where every entry has
    the same share.
    """
    for row in range(first_row, last_row):
        first, last = int(indptr[row]), int(indptr[row + 1])
        count = last - first
        w = np.asarray(weights[first:last], np.float64)
        prob[first:last] = 1.0
        alias[first:last] = np.arange(count)
        if not w.sum() > 0.0:
            continue
        share = w * count / w.sum()
        # The poorest keeps its share and the richest fills up its place, until one is left that has a place of its own.
        left = list(range(count))
        while len(left) > 1:
            poorest = min(left, key=lambda i: share[i])
            richest = max(left, key=lambda i: share[i])
            if poorest == richest:
                break
            prob[first + poorest] = min(share[poorest], 1.0)
            alias[first + poorest] = richest
            share[richest] -= 1.0 - share[poorest]
            left.remove(poorest)


def draw_negatives(prob: DoubleArray, alias: IndexArray, stream: int, first_item: int, out: IndexArray) -> None:
    """Fill `out` [M, K] with draws from an alias table; row m belongs to item ``first_item + m`` of the stream.

    Draw k of an item is its random number k: the high bits choose an entry, the low bits keep it or take its alias.
    """
    for m in range(out.shape[0]):
        key = item_key(stream, first_item + m)
        for k in range(out.shape[1]):
            bits = draw(key, k)
            entry = int(below(bits, prob.size))
            out[m, k] = entry if unit(bits) < prob[entry] else alias[entry]
