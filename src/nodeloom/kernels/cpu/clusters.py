"""Labels that follow the edges: the steps of dividing a graph; :mod:`nodeloom.kernels.reference.clusters` is the definition.

Nodes are moved in two steps, so that the result does not depend on the number of threads: several threads propose a label for
each node of a batch, of labels that stand still meanwhile; one thread then accepts what still fits.
"""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu.parallel import run_slices
from nodeloom.kernels.cpu.rng import draw

_ALONE = 16384  # nodes that are not worth a second thread
_HASH = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(40)


@jit(inline=True)
def _span(count):
    """Return the power of two that a hash table of `count` names takes: half of it stays free."""
    span = 2
    while span < 2 * count:
        span <<= 1
    return span


@jit(inline=True)
def _slot(names, mask, name):
    """Return where a name is in a table of which `mask` + 1 entries are in use, or the free entry (-1) where it belongs."""
    slot = np.int64((np.uint64(name) * _HASH) >> _SHIFT) & mask
    while names[slot] != name and names[slot] >= 0:
        slot = (slot + 1) & mask
    return slot


@jit
def _widest(first, last, order, indptr, num_label):
    widest = 1
    for i in range(first, last):
        widest = max(widest, min(indptr[order[i] + 1] - indptr[order[i]], num_label))
    return widest


@jit
def _propose(first, last, order, indptr, indices, weights, labels, masses, loads, limits, fallback, key, wanted, gains):
    weighted = weights.size > 0
    num_label = loads.shape[0]
    widest = _widest(first, last, order, indptr, num_label)
    names = np.full(_span(widest), -1, np.int64)
    sums = np.empty(names.size, np.float64)
    used = np.empty(widest, np.int64)
    for i in range(first, last):
        u = order[i]
        own = labels[u]
        start, end = indptr[u], indptr[u + 1]
        mask = _span(min(end - start, num_label)) - 1
        count = 0
        at_own = 0.0
        for e in range(start, end):
            v = indices[e]
            if v == u:
                continue
            w = 1.0
            if weighted:
                w = np.float64(weights[e])
            label = labels[v]
            if label == own:
                at_own += w
                continue
            slot = _slot(names, mask, label)
            if names[slot] < 0:
                names[slot] = label
                sums[slot] = w
                used[count] = slot
                count += 1
            else:
                sums[slot] += w
        best, most = np.int64(own), at_own
        if fallback >= 0:
            most = -1.0
        rank = np.uint64(0)
        for k in range(count):
            slot = used[k]
            label, total = names[slot], sums[slot]
            names[slot] = -1
            if total < most or (total == most and best == own):
                continue
            if loads[label, 0] + masses[u, 0] > limits[0] or loads[label, 1] + masses[u, 1] > limits[1]:
                continue
            place = draw(key, label)
            if total > most or place < rank:
                best, most, rank = label, total, place
        if best == own and fallback >= 0:
            most = at_own
            if (
                fallback != own
                and loads[fallback, 0] + masses[u, 0] <= limits[0]
                and loads[fallback, 1] + masses[u, 1] <= limits[1]
            ):
                best, most = np.int64(fallback), 0.0
        wanted[i] = best
        gains[i] = most - at_own


@jit
def _accept(order, wanted, labels, masses, loads, limits):
    moved = 0
    for i in range(order.size):
        u, label = order[i], wanted[i]
        own = labels[u]
        if label == own:
            continue
        if loads[label, 0] + masses[u, 0] > limits[0] or loads[label, 1] + masses[u, 1] > limits[1]:
            continue
        for k in range(2):
            loads[own, k] -= masses[u, k]
            loads[label, k] += masses[u, k]
        labels[u] = label
        moved += 1
    return moved


@jit
def _contract(first, last, members, bounds, labels, indptr, indices, weights, places, starts, columns, values):
    """Write the merged row of each label of a slice to `columns` and `values`; if they are empty, its length to `starts`."""
    weighted = weights.size > 0
    widest = 0
    for label in range(first, last):
        widest = max(widest, min(places[label + 1] - places[label], bounds.size - 1))
    names = np.full(_span(widest), -1, np.int64)
    sums = np.empty(names.size, np.float64)
    used = np.empty(max(widest, 1), np.int64)
    for label in range(first, last):
        mask = _span(min(places[label + 1] - places[label], bounds.size - 1)) - 1
        count = 0
        for i in range(bounds[label], bounds[label + 1]):
            u = members[i]
            for e in range(indptr[u], indptr[u + 1]):
                other = labels[indices[e]]
                if other == label:
                    continue
                w = 1.0
                if weighted:
                    w = np.float64(weights[e])
                slot = _slot(names, mask, other)
                if names[slot] < 0:
                    names[slot] = other
                    sums[slot] = w
                    used[count] = slot
                    count += 1
                else:
                    sums[slot] += w
        if columns.size == 0:
            starts[label + 1] = count
        for k in range(count):
            slot = used[k]
            if columns.size > 0:
                columns[starts[label] + k] = names[slot]
                values[starts[label] + k] = sums[slot]
            names[slot] = -1


@jit
def _members(labels, bounds, members):
    """Sort the nodes by label, in their order; `bounds` [L + 1] has zeros."""
    for u in range(labels.size):
        bounds[labels[u] + 1] += 1
    for label in range(bounds.size - 1):
        bounds[label + 1] += bounds[label]
    for u in range(labels.size):
        members[bounds[labels[u]]] = u
        bounds[labels[u]] += 1
    for label in range(bounds.size - 1, 0, -1):
        bounds[label] = bounds[label - 1]
    bounds[0] = 0


def propose(order, indptr, indices, weights, labels, masses, loads, limits, fallback, key, *, num_thread=1):
    """Return for each node of `order` the label that most of its edges lead to, of those that have room for it, and what it gains.

    Parameters
    ----------
    order : int32 or int64 [k]
        Nodes.
    indptr : int64 [N + 1]
    indices : int32 or int64 [nnz]
        Loops do not count.
    weights : float32 [nnz] or None
        None for ones.
    labels : int32 [N]
        From 0 to L - 1.
    masses : float64 [N, 2]
        Nodes that a node stands for, and their strength.
    loads : float64 [L, 2]
        Sums of the masses by label.
    limits : float64 [2]
        What the loads may not exceed by the move.
    fallback : int
        -1: a node keeps its label unless another gains. A label: all leave theirs, even at a loss, for a label of their
        neighbours or, if none has room, this one. Who finds no room stays.
    key : uint64
        Among labels that gain the same the one with the least draw of this key is taken.
    num_thread : int

    Returns
    -------
    wanted : int32 [k]
    gains : float64 [k]
        Weight of the edges to the new label less that to the old one.
    """
    wanted, gains = np.empty(len(order), np.int32), np.empty(len(order), np.float64)
    weights = np.empty(0, np.float32) if weights is None else weights
    run_slices(
        lambda a, b: _propose(
            a,
            b,
            order,
            indptr,
            indices,
            weights,
            labels,
            masses,
            loads,
            limits,
            fallback,
            np.uint64(key),
            wanted,
            gains,
        ),
        len(order),
        num_thread if len(order) > _ALONE else 1,
    )
    return wanted, gains


def accept(order, wanted, labels, masses, loads, limits):
    """Give nodes the labels they want, one after the other, if there is room; return how many have moved.

    Parameters
    ----------
    order : int32 or int64 [k]
    wanted : int32 [k]
    labels : int32 [N]
        Changed.
    masses : float64 [N, 2]
    loads : float64 [L, 2]
        Changed.
    limits : float64 [2]
    """
    return int(_accept(order, wanted, labels, masses, loads, limits))


def contract(labels, num_label, indptr, indices, weights, *, num_thread=1):
    """Return the graph in which all nodes of a label are one: weights of parallel edges are summed, loops dropped.

    Parameters
    ----------
    labels : int32 [N]
        From 0 to `num_label` - 1.
    num_label : int
    indptr, indices, weights
        As in :func:`propose`.
    num_thread : int

    Returns
    -------
    indptr : int64 [num_label + 1]
    indices : int32
        Within a row in no order that matters.
    weights : float32
    """
    members, bounds = np.empty(len(labels), np.int32), np.zeros(num_label + 1, np.int64)
    _members(labels, bounds, members)
    places = np.zeros(num_label + 1, np.int64)
    places[1:] = np.cumsum(np.bincount(labels, np.diff(indptr), minlength=num_label))
    weights = np.empty(0, np.float32) if weights is None else weights
    starts = np.zeros(num_label + 1, np.int64)
    columns, values = np.empty(0, np.int32), np.empty(0, np.float32)

    def merge(first, last):
        # Shares of equal numbers of entries, rounded to whole rows.
        a = 0 if first == 0 else np.searchsorted(places[:-1], first)
        b = num_label if last == places[-1] else np.searchsorted(places[:-1], last)
        _contract(a, b, members, bounds, labels, indptr, indices, weights, places, starts, columns, values)

    # Twice, first to count: room for all entries would be as much as the graph has.
    run_slices(merge, int(places[-1]), num_thread)
    np.cumsum(starts, out=starts)
    columns, values = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.float32)
    if len(columns):
        run_slices(merge, int(places[-1]), num_thread)
    return starts, columns, values
