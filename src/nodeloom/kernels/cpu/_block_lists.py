"""The heads and contexts of a tile of walks in a block of the grid, as lists in the order of their places."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu.simd import places

ROW, LOW, HIGH, AT = range(4)
"""What is known of a head (of a context): its row; the contexts (heads) within its reach, as the bounds of a range; and where their
coefficients begin. Those stand in a matrix for each walk, its rows `stride_of` apart."""

_I8 = 8  # bytes of an int64


@jit
def stride_of(nodes):
    """Return how far the heads of a walk of so many nodes are apart in the matrix of coefficients; a vector fits behind the last."""
    return (nodes + 31) // 16 * 16


@jit
def words_of(nodes):
    """Return the words of the bits of a walk; the last has none."""
    return nodes // places.WORD + 1


@jit
def _rank(words, ranks, place, nodes):
    """Return how many bits before a place are set; places beyond the walk count as its ends."""
    place = min(max(place, 0), nodes)
    below = (np.uint64(1) << np.uint64(place & 63)) - np.uint64(1)
    return ranks[place >> 6] + places.count_bits(words[place >> 6] & below)


@jit
def _set_ranks(words, ranks, first):
    """Set `ranks` to `first` and the number of bits before each word."""
    for q in range(words.size):
        ranks[q] = first
        first += places.count_bits(words[q])


@jit
def list_tile(
    walks, first_walk, last_walk, step, two_sided, first_head, num_vertex, first_context, num_context,
    ids, words, ranks, heads, num_any, items,
):  # fmt: skip
    """List the heads and the contexts of a tile in the order of their places; return how many there are of both.

    Parameters
    ----------
    walks : int32 or int64 [W, L + 1]
        Slots.
    first_walk, last_walk : int
        The walks of the tile.
    step, two_sided, first_head, num_vertex, first_context, num_context
        Which places are pairs; first slots and rows of both parts.
    ids : int64 [at least L + 1 + 2 * step + 80]
        Memory: -1, and left so before `step` and behind the walk.
    words, ranks : uint64, int64 [2, words_of(L + 1)]
        Memory: zeros at first.
    heads, items : int64 [4, M + 1]
        ROW, LOW, HIGH, AT of each; M is the number of places of a tile. Contexts without a head within reach are left out.
    num_any : float32 [M + 1]
        Pairs of each head with any context, of whatever part.
    """
    nodes = walks.shape[1]
    stride = stride_of(nodes)
    num_word = (nodes + places.WORD - 1) // places.WORD
    ids_at = ids.ctypes.data
    walk_at = ids_at + _I8 * step
    head_words, item_words, head_ranks, item_ranks = words[0], words[1], ranks[0], ranks[1]
    num_head, num_item = 0, 0
    for w in range(first_walk, last_walk):
        for p in range(nodes):
            ids[step + p] = walks[w, p]
        if places.mark_range(walk_at, nodes, first_head, num_vertex, head_words.ctypes.data) == 0:
            continue
        length = places.mark_range(walk_at, nodes, 0, np.int64(1) << 62, item_words.ctypes.data)
        places.mark_range(walk_at, nodes, first_context, num_context, item_words.ctypes.data)
        _set_ranks(head_words, head_ranks, num_head)

        first_item = num_item
        for q in range(num_word):
            word = item_words[q]
            while word:
                p = places.WORD * q + places.lowest_bit(word)
                low = _rank(head_words, head_ranks, p - step, nodes)
                high = _rank(head_words, head_ranks, p + step + 1 if two_sided else p, nodes)
                items[ROW, num_item] = ids[step + p] - first_context
                items[LOW, num_item] = low
                items[HIGH, num_item] = high
                items[AT, num_item] = low * stride + num_item - first_item
                rest = word & (word - np.uint64(1))
                if high > low:
                    num_item += 1
                else:
                    item_words[q] ^= word ^ rest
                word = rest
        _set_ranks(item_words, item_ranks, first_item)

        for q in range(num_word):
            word = head_words[q]
            while word:
                p = places.WORD * q + places.lowest_bit(word)
                word &= word - np.uint64(1)
                slot = ids[step + p]
                begin = p - step if two_sided else p + 1
                low = _rank(item_words, item_ranks, begin, nodes)
                heads[ROW, num_head] = slot - first_head
                heads[LOW, num_head] = low
                heads[HIGH, num_head] = _rank(item_words, item_ranks, p + step + 1, nodes)
                heads[AT, num_head] = num_head * stride + low - first_item
                # Of the nodes from `begin` to `step` places on, those are left out that are the head's own.
                last = min(p + step + 1, length)
                same = places.count_equal(walk_at + _I8 * begin, last - begin, slot)
                num_any[num_head] = last - max(begin, 0) - same
                num_head += 1
    return num_head, num_item
