"""Labels that follow the edges, in plain NumPy: the definition of :mod:`nodeloom.kernels.cpu.clusters`, where the arguments are."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nodeloom.kernels.reference.rng import draw
from nodeloom.typing import DoubleArray, IndexArray, OffsetArray

_Node: TypeAlias = int | np.integer[Any]


def propose(
    order: IndexArray,
    indptr: OffsetArray,
    indices: IndexArray,
    weights: DoubleArray | None,
    labels: IndexArray,
    masses: DoubleArray,
    loads: DoubleArray,
    limits: DoubleArray,
    fallback: int,
    key: int,
    *,
    num_thread: int = 1,
) -> tuple[npt.NDArray[np.int32], DoubleArray]:
    """Return for each node of `order` the label that most of its edges lead to, of those that have room, and what it gains."""
    del num_thread
    wanted, gains = np.array(labels[order], np.int32), np.zeros(len(order))
    for i, u in enumerate(order):
        own = labels[u]
        at = weight_by_label(u, indptr, indices, weights, labels, len(loads))
        others = [label for label in np.flatnonzero(at > 0) if label != own and _fits(u, label, masses, loads, limits)]
        if fallback < 0:
            others = [label for label in others if at[label] > at[own]]
        elif not others and fallback != own and _fits(u, fallback, masses, loads, limits):
            others = [np.intp(fallback)]
        if others:
            best = min(others, key=lambda label: (-at[label], int(draw(np.asarray(key, np.uint64), int(label)))))
            wanted[i], gains[i] = best, at[best] - at[own]
    return wanted, gains


def accept(
    order: IndexArray,
    wanted: IndexArray,
    labels: IndexArray,
    masses: DoubleArray,
    loads: DoubleArray,
    limits: DoubleArray,
) -> int:
    """Give nodes the labels they want, one after the other, if there is room; return how many have moved."""
    moved = 0
    for u, label in zip(order, wanted, strict=True):
        if label != labels[u] and _fits(u, label, masses, loads, limits):
            loads[labels[u]] -= masses[u]
            loads[label] += masses[u]
            labels[u] = label
            moved += 1
    return moved


def contract(
    labels: IndexArray,
    num_label: int,
    indptr: OffsetArray,
    indices: IndexArray,
    weights: DoubleArray | None,
    *,
    num_thread: int = 1,
) -> tuple[OffsetArray, IndexArray, DoubleArray]:
    """Return the graph in which all nodes of a label are one: weights of parallel edges are summed, loops dropped."""
    del num_thread
    between = np.zeros((num_label, num_label))
    entered = np.zeros((num_label, num_label), np.bool_)
    values = np.ones(len(indices)) if weights is None else weights
    for u in range(len(labels)):
        for e in range(indptr[u], indptr[u + 1]):
            between[labels[u], labels[indices[e]]] += values[e]
            entered[labels[u], labels[indices[e]]] = True
    np.fill_diagonal(entered, False)
    heads, tails = np.nonzero(entered)
    starts = np.concatenate([[0], np.cumsum(entered.sum(axis=1))]).astype(np.int64)
    return starts, tails.astype(np.int32), between[heads, tails]


def _fits(node: _Node, label: _Node, masses: DoubleArray, loads: DoubleArray, limits: DoubleArray) -> bool:
    return bool((loads[label] + masses[node] <= limits).all())


def weight_by_label(
    node: _Node,
    indptr: OffsetArray,
    indices: IndexArray,
    weights: DoubleArray | None,
    labels: IndexArray,
    num_label: int,
) -> DoubleArray:
    """Return the weight of a node's edges to each label, loops not counted; float64 [num_label]."""
    at = np.zeros(num_label)
    for e in range(indptr[node], indptr[node + 1]):
        if indices[e] != node:
            at[labels[indices[e]]] += 1.0 if weights is None else weights[e]
    return at
