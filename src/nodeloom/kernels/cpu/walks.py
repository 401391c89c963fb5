"""Random walks: first order and second order (p, q), on plain and on weighted graphs.

:mod:`nodeloom.kernels.reference.walks` is the definition; both give the same walks. A walk depends on the seed, its own number
and the graph, so any slice of the walks can be made by any thread. Walks of a group go forward together, which overlaps their
memory accesses; the next entry of every walk is asked for one phase before it is read.
"""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu.rng import below, draw, item_key, unit
from nodeloom.kernels.cpu.simd.rows import prefetch

_GROUP = 32
_SHIFT = np.uint64(32)
_LONG_ROW = 32  # entries beyond which the other row may be the better one to search
MAX_TRIAL = 64
"""Rejections of one step before its distribution is computed exactly."""


@jit(inline=True)
def _alias_choice(bits, prob, alias, first, entry):
    """Return `entry`, or the one that it is exchanged for in the alias table of its row, which begins at `first`."""
    if unit(bits) < prob[entry]:
        return entry
    return first + np.int64(alias[entry])


@jit(inline=True)
def _alias_draw(bits, prob, alias, first, count):
    """Draw an entry of ``first .. first + count`` from its alias table; `alias` is relative to `first`."""
    return _alias_choice(bits, prob, alias, first, first + below(bits, count))


@jit(inline=True)
def _prefetch_bounds(indptr_at, row_size, node):
    """Ask for both bounds of a row, which may lie in two cache lines."""
    prefetch(indptr_at + row_size * node)
    prefetch(indptr_at + row_size * (node + 1))


@jit
def first_order_walks(indptr, indices, prob, alias, start_prob, start_alias, stream, first_walk, out):
    """Fill `out` [W, L + 1] with walks number ``first_walk ...``; -1 stands after a dead end.

    Parameters
    ----------
    indptr, indices : int32 or int64 [N + 1], int32 or int64 [nnz]
        The graph.
    prob, alias : float32 [nnz], int32 [nnz]
        Alias table of every row; both empty on an unweighted graph.
    start_prob, start_alias : float32 [N], int32 or int64 [N]
        Alias table of the first node.
    stream : uint64
        Key of the random stream.
    first_walk : int
        Number of the first walk.
    out : int32 or int64 [W, L + 1]
        Written.
    """
    num_walk, length = out.shape
    num_node = start_prob.size
    weighted = prob.size > 0
    keys, bits = np.empty((2, _GROUP), np.uint64)
    nodes, firsts, entries = np.empty((3, _GROUP), np.int64)
    indptr_at, indices_at = indptr.ctypes.data, indices.ctypes.data
    prob_at, alias_at = prob.ctypes.data, alias.ctypes.data
    start_prob_at, start_alias_at = start_prob.ctypes.data, start_alias.ctypes.data
    row_size, entry_size, start_size = (
        np.int64(indptr.itemsize),
        np.int64(indices.itemsize),
        np.int64(start_alias.itemsize),
    )
    for base in range(0, num_walk, _GROUP):
        count = min(_GROUP, num_walk - base)
        for g in range(count):
            keys[g] = item_key(stream, first_walk + base + g)
            bits[g] = draw(keys[g], 0)
            entries[g] = below(bits[g], num_node)
            prefetch(start_prob_at + 4 * entries[g])
            prefetch(start_alias_at + start_size * entries[g])
        for g in range(count):
            node = _alias_choice(bits[g], start_prob, start_alias, 0, entries[g])
            nodes[g] = node
            out[base + g, 0] = node
            _prefetch_bounds(indptr_at, row_size, node)
        for step in range(1, length):
            number = np.uint64(step) << _SHIFT
            for g in range(count):
                node = nodes[g]
                entries[g] = -1
                if node >= 0:
                    first = np.int64(indptr[node])
                    degree = np.int64(indptr[node + 1]) - first
                    if degree > 0:
                        random = draw(keys[g], number)
                        entry = first + below(random, degree)
                        entries[g] = entry
                        if weighted:
                            bits[g], firsts[g] = random, first
                            prefetch(prob_at + 4 * entry)
                            prefetch(alias_at + 4 * entry)
                        else:
                            prefetch(indices_at + entry_size * entry)
            if weighted:
                for g in range(count):
                    if entries[g] >= 0:
                        entries[g] = _alias_choice(bits[g], prob, alias, firsts[g], entries[g])
                        prefetch(indices_at + entry_size * entries[g])
            for g in range(count):
                entry = entries[g]
                node = np.int64(-1)
                if entry >= 0:
                    node = np.int64(indices[entry])
                    _prefetch_bounds(indptr_at, row_size, node)
                nodes[g] = node
                out[base + g, step] = node


@jit
def contains(indices, first, last, node):
    """Tell whether the sorted ``indices[first:last]`` holds `node`: a binary search without unpredictable branches."""
    count = last - first
    while count > 1:
        half = count >> 1
        first = first + half if indices[first + half] <= node else first
        count -= half
    return count > 0 and indices[first] == node


@jit
def _adjacent(indptr, indices, hub_row, hub_bits, previous, node):
    """Tell whether there is an edge from `previous` to `node`."""
    row = hub_row[previous] if hub_row.size > 0 else -1
    if row >= 0:
        return (hub_bits[row, node >> 6] >> np.uint64(node & 63)) & np.uint64(1) != 0
    return contains(indices, indptr[previous], indptr[previous + 1], node)


@jit
def _exact_step(indptr, indices, weights, hub_row, hub_bits, previous, node, bits, return_bias, out_bias):
    """Draw the next entry from the whole distribution of a step; for steps that rejection takes too long for."""
    first, last = indptr[node], indptr[node + 1]
    weighted = weights.size > 0
    total = 0.0
    cumulative = 0.0
    goal = 0.0
    chosen = last - 1
    for turn in range(2):
        for entry in range(first, last):
            target = indices[entry]
            bias = out_bias
            if target == previous:
                bias = return_bias
            elif _adjacent(indptr, indices, hub_row, hub_bits, previous, target):
                bias = 1.0
            if weighted:
                bias *= weights[entry]
            if turn == 0:
                total += bias
            else:
                cumulative += bias
                if cumulative > goal:
                    chosen = entry
                    break
        goal = np.float64(unit(bits)) * total
    return chosen


@jit
def second_order_walks(
    indptr, indices, weights, prob, alias, start_prob, start_alias, hub_row, hub_bits, p, q, fold, stream, first_walk, out
):  # fmt: skip
    """Fill `out` [W, L + 1] with node2vec walks (Grover and Leskovec, KDD 2016, section 3.2.2) number ``first_walk ...``.

    The bias of a step from `v`, reached from `u`, to `x` is 1/p if x = u, 1 if there is an edge from u to x, 1/q otherwise.
    Candidates are drawn from the first-order distribution and accepted in proportion to their bias (Yang et al., "KnightKing",
    SOSP 2019), which needs no table per edge. With `fold` the excess of a large 1/p is kept apart from the envelope, so that
    it does not multiply the rejections.

    Parameters
    ----------
    indptr, indices : int64 [N + 1], int32 or int64 [nnz]
        The graph, rows sorted.
    weights, prob, alias : float32 [nnz], float32 [nnz], int32 [nnz]
        Weights and alias table of every row; all empty on an unweighted graph.
    start_prob, start_alias : float32 [N], int32 or int64 [N]
        Alias table of the first node.
    hub_row, hub_bits : int32 [N] or [0], uint64 [H, ceil(N / 64)]
        Adjacency of hubs as bit rows; -1 in `hub_row` for other nodes.
    p, q : float
        Return and in-out parameter.
    fold : bool
        Every step can be taken back, by exactly one entry, and the graph is unweighted.
    stream, first_walk
        As in :func:`first_order_walks`.
    out : int32 or int64 [W, L + 1]
        Written; -1 stands after a dead end.
    """
    num_walk, length = out.shape
    num_node = start_prob.size
    weighted = prob.size > 0
    return_bias, out_bias = 1.0 / p, 1.0 / q
    envelope = max(1.0, out_bias)
    excess = 0.0
    if fold:
        excess = max(0.0, return_bias - envelope)
    else:
        envelope = max(envelope, return_bias)
    # What is accepted whatever the candidate is needs no look at the adjacency.
    always = np.float32(min(min(1.0, out_bias), return_bias) / envelope)
    accept_return = np.float32(min(return_bias, envelope) / envelope)
    accept_near = np.float32(1.0 / envelope)
    accept_far = np.float32(out_bias / envelope)
    worth_a_look = max(accept_near, accept_far)
    indptr_at, indices_at, bits_at = indptr.ctypes.data, indices.ctypes.data, hub_bits.ctypes.data
    itemsize = np.int64(indices.itemsize)
    words = hub_bits.shape[1]

    keys = np.empty(_GROUP, np.uint64)
    nodes, firsts, degrees, hubs = np.empty((4, _GROUP), np.int64)
    previous, previous_firsts, previous_degrees, previous_hubs = np.full((4, _GROUP), -1, np.int64)
    entries, targets, trials, pending = np.empty((4, _GROUP), np.int64)
    chances = np.empty(_GROUP, np.float32)
    for base in range(0, num_walk, _GROUP):
        count = min(_GROUP, num_walk - base)
        for g in range(count):
            key = item_key(stream, first_walk + base + g)
            node = _alias_draw(draw(key, 0), start_prob, start_alias, 0, num_node)
            keys[g] = key
            nodes[g] = node
            previous[g] = -1
            out[base + g, 0] = node
            prefetch(indptr_at + 8 * node)
        for step in range(1, length):
            num_pending = 0
            for g in range(count):
                node = nodes[g]
                if node < 0:
                    continue
                first = indptr[node]
                degree = indptr[node + 1] - first
                firsts[g], degrees[g], hubs[g], trials[g] = first, degree, -1, 0
                if hub_row.size > 0 and degree * 8 * itemsize >= num_node:
                    hubs[g] = hub_row[node]
                entries[g] = -1
                if degree > 0:
                    pending[num_pending] = g
                    num_pending += 1
            # Every round tries one candidate for each walk that has none yet, in three phases, each of which asks for
            # what the next one reads.
            while num_pending > 0:
                for k in range(num_pending):
                    g = pending[k]
                    trial = trials[g]
                    number = (np.uint64(step) << _SHIFT) | np.uint64(2 * trial)
                    bits = draw(keys[g], number)
                    chance = np.float32(-1.0)
                    if trial == MAX_TRIAL:
                        entry = _exact_step(
                            indptr,
                            indices,
                            weights,
                            hub_row,
                            hub_bits,
                            previous[g],
                            nodes[g],
                            bits,
                            return_bias,
                            out_bias,
                        )
                    else:
                        returns = False
                        if excess > 0.0 and previous[g] >= 0:
                            share = np.float64(unit(draw(keys[g], number + np.uint64(1)))) * (
                                degrees[g] * envelope + excess
                            )
                            returns = share >= degrees[g] * envelope
                        if returns:
                            entry = np.int64(-2)
                        elif weighted:
                            entry = _alias_draw(bits, prob, alias, firsts[g], degrees[g])
                        else:
                            entry = firsts[g] + below(bits, degrees[g])
                        if previous[g] >= 0 and not returns:
                            # The alias table has used the low bits.
                            chance = unit(draw(keys[g], number + np.uint64(1))) if weighted else unit(bits)
                    entries[g] = entry
                    chances[g] = chance
                    if entry >= 0:
                        prefetch(indices_at + itemsize * entry)
                for k in range(num_pending):
                    g = pending[k]
                    if entries[g] < 0:
                        targets[g] = previous[g]
                        continue
                    target = np.int64(indices[entries[g]])
                    targets[g] = target
                    if chances[g] >= always and target != previous[g]:
                        if previous_hubs[g] >= 0:
                            prefetch(bits_at + 8 * (previous_hubs[g] * words + (target >> 6)))
                        elif fold and previous_degrees[g] > _LONG_ROW:
                            prefetch(indptr_at + 8 * target)
                        else:
                            prefetch(indices_at + itemsize * (previous_firsts[g] + (previous_degrees[g] >> 1)))
                left = 0
                for k in range(num_pending):
                    g = pending[k]
                    chance = chances[g]
                    accepted = chance < always
                    if not accepted:
                        target = targets[g]
                        if target == previous[g]:
                            accepted = chance < accept_return
                        elif chance < worth_a_look:
                            first, last = previous_firsts[g], previous_firsts[g] + previous_degrees[g]
                            wanted = target
                            if previous_hubs[g] >= 0:
                                word = hub_bits[previous_hubs[g], target >> 6]
                                near = (word >> np.uint64(target & 63)) & np.uint64(1) != 0
                            else:
                                # An undirected edge stands in both rows: search the shorter one.
                                symmetric = fold and previous_degrees[g] > _LONG_ROW
                                if symmetric and indptr[target + 1] - indptr[target] < previous_degrees[g]:
                                    first, last, wanted = indptr[target], indptr[target + 1], previous[g]
                                near = contains(indices, first, last, wanted)
                            accepted = chance < (accept_near if near else accept_far)
                    if not accepted:
                        trials[g] += 1
                        pending[left] = g
                        left += 1
                num_pending = left
            for g in range(count):
                node = nodes[g]
                if node >= 0:
                    entry = entries[g]
                    nodes[g] = targets[g] if entry != -1 else np.int64(-1)
                    previous[g] = node
                    previous_firsts[g], previous_degrees[g], previous_hubs[g] = firsts[g], degrees[g], hubs[g]
                    if nodes[g] >= 0:
                        prefetch(indptr_at + 8 * nodes[g])
                out[base + g, step] = nodes[g]
