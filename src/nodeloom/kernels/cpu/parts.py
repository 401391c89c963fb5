"""Parts that grow, settle and exchange nodes; :mod:`nodeloom.kernels.reference.parts` is the definition.

Nodes move one after the other, each seeing the moves before it: one thread does the work.
"""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu.parallel import run_slices

_ALONE = 16384  # nodes that are not worth a second thread


@jit
def _grow(order, indptr, indices, weights, masses, num_part, parts):
    num_nodes = parts.size
    left = 0.0
    for u in range(num_nodes):
        left += masses[u]
    outward = np.zeros(num_nodes, np.float64)
    for u in range(num_nodes):
        for e in range(indptr[u], indptr[u + 1]):
            if indices[e] != u:
                outward[u] += weights[e]
    inward = np.empty(num_nodes, np.float64)
    shares = np.empty(num_nodes, np.float64)
    next_seed = 0
    for part in range(num_part):
        target = left / (num_part - part)
        inward[:] = 0.0
        shares[:] = 0.0
        mass = 0.0
        while True:
            best, most = -1, 0.0
            for u in range(num_nodes):
                if shares[u] > most and parts[u] < 0:
                    best, most = u, shares[u]
            if best < 0:
                while next_seed < num_nodes and parts[order[next_seed]] >= 0:
                    next_seed += 1
                if next_seed == num_nodes:
                    break
                best = order[next_seed]
            # The last one is taken if that brings the part nearer to its target.
            if mass + 0.5 * masses[best] > target and part < num_part - 1:
                break
            parts[best] = part
            mass += masses[best]
            for e in range(indptr[best], indptr[best + 1]):
                v = indices[e]
                inward[v] += weights[e]
                if v != best:
                    shares[v] = inward[v] / outward[v]
        left -= mass


@jit(inline=True)
def _excess(load, limit):
    """Return the square of the share by which a load exceeds its limit."""
    over = max(load / limit - 1.0, 0.0)
    return over * over


@jit(fastmath=False)
def _settle(order, indptr, indices, weights, labels, masses, loads, limits, price, border):
    weighted = weights.size > 0
    num_label = loads.shape[0]
    at = np.zeros(num_label, np.float64)
    seen = np.zeros(num_label, np.bool_)
    near = np.empty(num_label, np.int64)
    moved = 0
    for i in range(order.size):
        u = order[i]
        own = labels[u]
        count = 0
        for e in range(indptr[u], indptr[u + 1]):
            if indices[e] == u:
                continue
            label = labels[indices[e]]
            if weighted:
                at[label] += weights[e]
            else:
                at[label] += 1.0
            if not seen[label]:
                seen[label] = True
                near[count] = label
                count += 1
        relief = 0.0
        for k in range(2):
            relief += _excess(loads[own, k], limits[k]) - _excess(loads[own, k] - masses[u, k], limits[k])
        everywhere = relief > 0.0
        border[i] = everywhere or count > 1 or (count == 1 and near[0] != own)
        best, most = np.int64(own), 0.0
        for j in range(num_label if everywhere else count):
            label = j if everywhere else near[j]
            if label == own:
                continue
            burden = 0.0
            for k in range(2):
                burden += _excess(loads[label, k] + masses[u, k], limits[k]) - _excess(loads[label, k], limits[k])
            gain = at[label] - at[own] + price * (relief - burden)
            if gain > most or (gain == most and best != own and label < best):
                best, most = np.int64(label), gain
        for j in range(count):
            at[near[j]] = 0.0
            seen[near[j]] = False
        if best != own:
            for k in range(2):
                loads[own, k] -= masses[u, k]
                loads[best, k] += masses[u, k]
            labels[u] = best
            moved += 1
    return moved


@jit
def _change(u, v, target, indptr, indices, weights, labels):
    """Return by how much the weight inside labels grows if u goes to `target` while v comes from there: they stay apart."""
    weighted = weights.size > 0
    own = labels[u]
    change = 0.0
    for e in range(indptr[u], indptr[u + 1]):
        w = 1.0
        if weighted:
            w = np.float64(weights[e])
        other = indices[e]
        if other == u or other == v:
            continue
        if labels[other] == target:
            change += w
        if labels[other] == own:
            change -= w
    return change


@jit
def _exchange(ones, others, indptr, indices, weights, labels, strengths, loads, most):
    done = 0
    for i in range(ones.size):
        u, v = ones[i], others[i]
        p, q = labels[u], labels[v]
        if p == q:
            continue
        step = strengths[v] - strengths[u]
        if max(loads[p] + step, loads[q] - step) > max(most, max(loads[p], loads[q])):
            continue
        if _change(u, v, q, indptr, indices, weights, labels) + _change(v, u, p, indptr, indices, weights, labels) <= 0:
            continue
        labels[u], labels[v] = q, p
        loads[p] += step
        loads[q] -= step
        done += 1
    return done


@jit
def _loss(first, last, nodes, indptr, indices, weights, labels, other, losses):
    for i in range(first, last):
        losses[i] = -_change(nodes[i], -1, other, indptr, indices, weights, labels)


def grow(order, indptr, indices, weights, masses, num_part):
    """Return parts that have grown one after the other: always by the node with the largest share of its edges into the part.

    A part starts, and goes on where no edge leads out of it, with the first node of `order` that is free. It ends where it has
    its share of what was left. The work grows with N^2.

    Parameters
    ----------
    order : int32 or int64 [N]
    indptr : int64 [N + 1]
    indices : int32 or int64 [nnz]
    weights : float32 [nnz]
    masses : float64 [N]
    num_part : int

    Returns
    -------
    int32 [N]
    """
    parts = np.full(len(order), -1, np.int32)
    _grow(order, indptr, indices, weights, masses, num_part, parts)
    return parts


def settle(order, indptr, indices, weights, labels, masses, loads, limits, price):
    """Give nodes, one after the other, the label of which they gain most; among equals the lowest.

    Loads over their limits have a price, and so has what brings them there: labels exchange nodes until both limits hold.

    Parameters
    ----------
    order : int32 or int64 [k]
    indptr, indices, weights
        As in :func:`nodeloom.kernels.cpu.clusters.propose`.
    labels : int32 [N]
        Changed.
    masses : float64 [N, 2]
    loads : float64 [L, 2]
        Changed.
    limits : float64 [2]
        Above 0.
    price : float
        Weight that the square of the share by which a load exceeds its limit is worth. Nodes of such labels look at all labels,
        others at those of their neighbours.

    Returns
    -------
    moved : int
        How many have another label now.
    border : bool [k]
        Which of `order` had a choice.
    """
    weights = np.empty(0, np.float32) if weights is None else weights
    border = np.empty(len(order), np.bool_)
    moved = _settle(order, indptr, indices, weights, labels, masses, loads, limits, float(price), border)
    return int(moved), border


def loss(nodes, indptr, indices, weights, labels, label, *, num_thread=1):
    """Return the weight of the edges of nodes to their own label less that to another; float64 [k].

    Parameters
    ----------
    nodes : int32 or int64 [k]
    indptr, indices, weights, labels
        As in :func:`nodeloom.kernels.cpu.clusters.propose`.
    label : int
        The other label.
    num_thread : int
    """
    losses = np.empty(len(nodes), np.float64)
    weights = np.empty(0, np.float32) if weights is None else weights
    run_slices(
        lambda a, b: _loss(a, b, nodes, indptr, indices, weights, labels, label, losses),
        len(nodes),
        num_thread if len(nodes) > _ALONE else 1,
    )
    return losses


def exchange(ones, others, indptr, indices, weights, labels, strengths, loads, most):
    """Exchange the labels of pairs of nodes, one pair after the other, if more weight is inside labels then; return how many were.

    Parameters
    ----------
    ones, others : int32 or int64 [k]
        Pairs of nodes; the two of a pair differ.
    indptr, indices, weights
        As in :func:`nodeloom.kernels.cpu.clusters.propose`.
    labels : int32 [N]
        Changed.
    strengths : float64 [N]
    loads : float64 [L]
        Sums of the strengths by label; changed.
    most : float
        What the larger load of the two may be afterwards; what it was before is good enough too.
    """
    weights = np.empty(0, np.float32) if weights is None else weights
    return int(_exchange(ones, others, indptr, indices, weights, labels, strengths, loads, float(most)))
