"""Parts that grow, settle and exchange nodes, in plain NumPy: the definition of :mod:`nodeloom.kernels.cpu.parts`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nodeloom.kernels.reference.clusters import weight_by_label
from nodeloom.typing import DoubleArray, IndexArray, OffsetArray


def grow(
    order: IndexArray,
    indptr: OffsetArray,
    indices: IndexArray,
    weights: DoubleArray,
    masses: DoubleArray,
    num_part: int,
) -> npt.NDArray[np.int32]:
    """Return parts that have grown one after the other: always by the node with the largest share of its edges into the part."""
    parts = np.full(len(order), -1, np.int32)
    for part in range(num_part):
        target = masses[parts < 0].sum() / (num_part - part)
        mass = 0.0
        while (parts < 0).any():
            shares = np.zeros(len(order))
            for u in np.flatnonzero(parts < 0):
                at = weight_by_label(u, indptr, indices, weights, parts + 1, num_part + 1)
                shares[u] = at[part + 1] / at.sum() if at[part + 1] > 0 else 0.0
            node = int(shares.argmax()) if shares.any() else next(int(u) for u in order if parts[u] < 0)
            if mass + 0.5 * masses[node] > target and part < num_part - 1:
                break
            parts[node] = part
            mass += masses[node]
    return parts


def settle(
    order: IndexArray,
    indptr: OffsetArray,
    indices: IndexArray,
    weights: DoubleArray | None,
    labels: IndexArray,
    masses: DoubleArray,
    loads: DoubleArray,
    limits: DoubleArray,
    price: float,
) -> tuple[int, npt.NDArray[np.bool_]]:
    """Give nodes, one after the other, the label of which they gain most, among equals the lowest.

    Returns how many have moved, and which had a choice.
    """
    moved, border = 0, np.zeros(len(order), np.bool_)
    for i, u in enumerate(order):
        own = labels[u]
        at = weight_by_label(u, indptr, indices, weights, labels, len(loads))
        relief = (_excess(loads[own], limits) - _excess(loads[own] - masses[u], limits)).sum()
        options = range(len(loads)) if relief > 0 else np.flatnonzero(at > 0)
        border[i] = any(label != own for label in options) or relief > 0
        gains = {
            int(label): at[label]
            - at[own]
            + price * (relief - (_excess(loads[label] + masses[u], limits) - _excess(loads[label], limits)).sum())
            for label in options
            if label != own
        }
        best = max(gains, key=lambda label: gains[label], default=int(own))
        if best != own and gains[best] > 0:
            loads[own] -= masses[u]
            loads[best] += masses[u]
            labels[u] = best
            moved += 1
    return moved, border


def loss(
    nodes: IndexArray,
    indptr: OffsetArray,
    indices: IndexArray,
    weights: DoubleArray | None,
    labels: IndexArray,
    label: int,
    *,
    num_thread: int = 1,
) -> DoubleArray:
    """Return the weight of the edges of nodes to their own label less that to another; float64 [k]."""
    del num_thread
    at = [weight_by_label(u, indptr, indices, weights, labels, int(labels.max()) + label + 1) for u in nodes]
    return np.array([sums[labels[u]] - sums[label] for u, sums in zip(nodes, at, strict=True)])


def exchange(
    ones: IndexArray,
    others: IndexArray,
    indptr: OffsetArray,
    indices: IndexArray,
    weights: DoubleArray | None,
    labels: IndexArray,
    strengths: DoubleArray,
    loads: DoubleArray,
    most: float,
) -> int:
    """Exchange the labels of pairs of nodes, one after the other, if more weight is inside labels then; return how many were."""
    done = 0
    for u, v in zip(ones, others, strict=True):
        pair = labels[u], labels[v]
        if pair[0] == pair[1]:
            continue
        before = _weight_inside((u, v), indptr, indices, weights, labels, len(loads))
        step = strengths[v] - strengths[u]
        fits = max(loads[pair[0]] + step, loads[pair[1]] - step) <= max(most, loads[pair[0]], loads[pair[1]])
        labels[u], labels[v] = pair[1], pair[0]
        if fits and _weight_inside((u, v), indptr, indices, weights, labels, len(loads)) > before:
            loads[pair[0]] += step
            loads[pair[1]] -= step
            done += 1
        else:
            labels[u], labels[v] = pair
    return done


def _excess(loads: DoubleArray, limits: DoubleArray) -> DoubleArray:
    return np.maximum(loads / limits - 1.0, 0.0) ** 2


def _weight_inside(
    nodes: tuple[np.integer[Any], ...],
    indptr: OffsetArray,
    indices: IndexArray,
    weights: DoubleArray | None,
    labels: IndexArray,
    num_label: int,
) -> float:
    """Return the weight of the nodes' entries to their own labels."""
    return float(sum(weight_by_label(u, indptr, indices, weights, labels, num_label)[labels[u]] for u in nodes))
