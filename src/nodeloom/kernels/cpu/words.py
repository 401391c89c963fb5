"""Words of a text on the CPU: cut out of its bytes, and counted in pairs within a window.

Words are numbered by falling count, so most pairs are of words with small numbers. These have a cell of a table each; what is left over
is collected as keys, which are sorted and counted a few million at a time.
"""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit

WORD, DELIMITER, LINE_END, COMMENT = range(4)
"""What a byte is: part of a word, between words, the end of a sentence, or part of a word and the first byte of the comment prefix."""

END, LEFT_OUT = -1, -2
"""In place of a word: the end of a sentence; a word that is left out, as if it were not there."""


@jit
def cut_words(block, kinds, comment, state, tokens):
    """Cut a block of text into words.

    Parameters
    ----------
    block : uint8 [B]
        Ends behind a word.
    kinds : uint8 [256]
        What each byte is.
    comment : uint8 [C]
        A word that begins with these bytes, and all up to the end of its line, is left out.
    state : int64 [3]
        Whether a comment is open, words in the open sentence, lines with a comment so far; kept from block to block.
    tokens : int64 [at least B + 1]
        Receives ``start << 32 | length`` for each word, and 0 for the end of a sentence that has words.

    Returns
    -------
    num_token : int
    """
    count = 0
    i = 0
    size = block.size
    while i < size:
        kind = kinds[block[i]]
        if kind == LINE_END:
            if state[1] > 0:
                tokens[count] = 0
                count += 1
            state[0] = 0
            state[1] = 0
            i += 1
            continue
        if state[0] or kind == DELIMITER:
            i += 1
            continue
        if kind == COMMENT and i + comment.size <= size:
            same = True
            for k in range(1, comment.size):
                if block[i + k] != comment[k]:
                    same = False
                    break
            if same:
                state[0] = 1
                state[2] += 1
                continue
        start = i
        while i < size and (kinds[block[i]] == WORD or kinds[block[i]] == COMMENT):
            i += 1
        tokens[count] = (np.int64(start) << 32) | (i - start)
        count += 1
        state[1] += 1
    return count


@jit
def keep_words(ids, numbers, kept, carried):
    """Put the numbers of words behind those carried over, without the words that are left out.

    Parameters
    ----------
    ids : int32 [L]
        Words of a text as they come.
    numbers : int32 [N]
        For each word its number, or END or LEFT_OUT.
    kept : int32 [at least carried + L]
        Receives numbers and END.
    carried : int
        Entries at the beginning of `kept`, from the block before.

    Returns
    -------
    num_kept : int
        With those carried over.
    """
    count = carried
    for i in range(ids.size):
        number = numbers[ids[i]]
        if number != LEFT_OUT:
            kept[count] = number
            count += 1
    return count


@jit
def count_pairs(kept, first, last, window, widths, starts, table, keys, num_key):
    """Count the pairs of words up to `window` apart in a sentence, of which the second is at `first` to `last`.

    Parameters
    ----------
    kept : int32 [L]
        Numbers of words and END.
    first, last : int
    window : int
    widths : int32 [R]
        Pairs (u, v), u <= v, with u below R and v below ``widths[u]`` have a cell.
    starts : int64 [R]
        The cell of (u, v) is ``starts[u] + v``.
    table : uint32 [T]
        Counts, added to.
    keys : uint64 [K]
        Receives ``u << 32 | v`` for each other pair.
    num_key : int
        Keys that are there.

    Returns
    -------
    where : int
        `last`, or the position at which `keys` has no room for the pairs of a word: call again from there.
    num_key : int
    """
    num_row = widths.size
    for i in range(first, last):
        if keys.size - num_key < window:
            return i, num_key
        a = kept[i]
        if a < 0:
            continue
        for j in range(i - 1, max(i - window, 0) - 1, -1):
            b = kept[j]
            if b < 0:
                break
            u = min(a, b)
            v = max(a, b)
            if u < num_row and v < widths[u]:
                table[starts[u] + v] += np.uint32(1)
            else:
                keys[num_key] = (np.uint64(u) << np.uint64(32)) | np.uint64(v)
                num_key += 1
    return last, num_key


@jit
def count_runs(keys, heads, tails, counts):
    """Write each different key of sorted `keys` once, with how often it is there; return how many there are.

    Parameters
    ----------
    keys : uint64 [K]
        ``u << 32 | v``, ascending.
    heads, tails : int32 [K]
        Receive u and v.
    counts : uint32 [K]
        Receives the counts.
    """
    num = 0
    i = 0
    while i < keys.size:
        j = i + 1
        while j < keys.size and keys[j] == keys[i]:
            j += 1
        heads[num] = np.int32(keys[i] >> np.uint64(32))
        tails[num] = np.int32(keys[i] & np.uint64(0xFFFFFFFF))
        counts[num] = np.uint32(j - i)
        num += 1
        i = j
    return num


@jit
def list_cells(table, widths, starts, row, heads, tails, counts):
    """Write the pairs of the rows from `row` on that were counted in the table.

    Parameters
    ----------
    table, widths, starts
        As of :func:`count_pairs`.
    row : int
    heads, tails : int32 [K]
        Receive u and v.
    counts : uint32 [K]
        Receives the counts.

    Returns
    -------
    row : int
        R, or the first row for which there is no more room: call again from there.
    num_pair : int
    """
    num = 0
    for u in range(row, widths.size):
        if counts.size - num < widths[u] - u:
            return u, num
        for v in range(u, widths[u]):
            count = table[starts[u] + v]
            if count > 0:
                heads[num] = u
                tails[num] = v
                counts[num] = count
                num += 1
    return widths.size, num
