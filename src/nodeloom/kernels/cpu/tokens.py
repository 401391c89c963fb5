"""Cut blocks of text into edges on the CPU: one pass over the bytes, in any number of threads on different blocks."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit

NAME, DELIMITER, LINE_END, COMMENT, BLANK = range(5)
"""What a byte is: part of a name; between names; the end of a line; the first byte of the comment prefix; part of a
name, but not at its ends."""

OK, NOT_INTEGER, TOO_FEW, TOO_MANY, BAD_WEIGHT = range(5)
"""What stopped the reading of a block."""

_POWERS = 10.0 ** np.arange(309)


@jit(inline=True)
def _is_comment(block, i, comment):
    if i + comment.size > block.size:
        return False
    for k in range(1, comment.size):  # noqa: SIM110 (a generator does not compile)
        if block[i + k] != comment[k]:
            return False
    return True


@jit
def _integer(block, start, length):
    """Return the integer that these bytes spell, and whether they are exactly what that integer is written like."""
    i = start
    end = start + length
    negative = block[i] == 45
    if negative:
        i += 1
    digits = end - i
    if digits < 1 or digits > 19 or (block[i] == 48 and (digits > 1 or negative)):
        return np.int64(0), False
    value = np.uint64(0)
    while i < end:
        digit = np.uint64(block[i]) - np.uint64(48)
        if digit > np.uint64(9):
            return np.int64(0), False
        value = value * np.uint64(10) + digit
        i += 1
    # The smallest int64 has no positive counterpart.
    if value > np.uint64(0x7FFFFFFFFFFFFFFF) + np.uint64(negative):
        return np.int64(0), False
    return (-np.int64(value) if negative else np.int64(value)), True


@jit
def _number(block, start, length):
    """Return the number that these bytes spell as decimal digits with point and exponent, NaN if they do not."""
    i = start
    end = start + length
    negative = block[i] == 45
    if negative or block[i] == 43:
        i += 1
    mantissa = np.uint64(0)
    exponent = 0
    num_digit = 0
    point = False
    while i < end:
        b = block[i]
        if b == 46 and not point:
            point = True
        elif 48 <= b <= 57:
            num_digit += 1
            # 18 digits are more than a float64 holds; further ones only move the point.
            if mantissa < np.uint64(100_000_000_000_000_000):
                mantissa = mantissa * np.uint64(10) + np.uint64(b - 48)
                exponent -= point
            else:
                exponent += not point
        else:
            break
        i += 1
    if num_digit == 0:
        return np.nan
    if i < end:
        if block[i] != 69 and block[i] != 101:
            return np.nan
        i += 1
        down = i < end and block[i] == 45
        if i < end and (block[i] == 43 or block[i] == 45):
            i += 1
        if i == end:
            return np.nan
        power = 0
        while i < end:
            b = block[i]
            if b < 48 or b > 57:
                return np.nan
            power = min(power * 10 + (b - 48), 10_000)
            i += 1
        exponent += -power if down else power
    value = np.float64(mantissa)
    if mantissa > 0:
        exponent = max(-600, min(600, exponent))
        if exponent < -308:
            value = value / _POWERS[308]
            exponent += 308
        if exponent > 308:
            value = value * _POWERS[308]
            exponent -= 308
        value = value / _POWERS[-exponent] if exponent < 0 else value * _POWERS[exponent]
    return -value if negative else value


@jit
def read_edges(block, kinds, comment, integers, num_column, ignore_rest, ends, weights):
    """Read the lines ``head tail [weight]`` of a block.

    Parameters
    ----------
    block : uint8 [B]
        Whole lines; the last may lack its line end.
    kinds : uint8 [256]
        What each byte is.
    comment : uint8
        The comment prefix; a line is cut where it begins.
    integers : bool
        Whether names are integers: then `ends` receives their values, else tokens ``start << 32 | length``.
    num_column : int
        2, 3, or 0 to take what the first line has.
    ignore_rest : bool
        Whether a line may go on after these columns.
    ends : int64 [2, L]
        Receives heads and tails. L is at least the number of lines.
    weights : float32 [L]
        Receives the weights, where there are three columns.

    Returns
    -------
    status : int
        OK, or what stopped the reading.
    num_edge : int
    num_line : int
        Number of lines before the one that stopped it, or of all.
    num_column : int
    where : int
        Where the line that stopped it begins.
    """
    size = block.size
    i = 0
    edge = 0
    line = 0
    starts = np.zeros(3, np.int64)
    lengths = np.zeros(3, np.int64)
    while i < size:
        line_start = i
        column = 0
        while i < size:
            kind = kinds[block[i]]
            if kind == DELIMITER or kind == BLANK:
                i += 1
                continue
            if kind == LINE_END:
                break
            if kind == COMMENT and _is_comment(block, i, comment):
                while i < size and kinds[block[i]] != LINE_END:
                    i += 1
                break
            start = i
            while i < size:
                kind = kinds[block[i]]
                in_name = kind == NAME or kind == BLANK
                if in_name or (kind == COMMENT and not _is_comment(block, i, comment)):
                    i += 1
                else:
                    break
            if column < 3:
                end = i
                while kinds[block[end - 1]] == BLANK:
                    end -= 1
                starts[column] = start
                lengths[column] = end - start
            column += 1
        # A carriage return ends a line, alone or before a line feed.
        if i + 1 < size and block[i] == 13 and block[i + 1] == 10:
            i += 1
        i += 1
        if column > 0:
            if num_column == 0 and column >= 2:
                num_column = min(column, 3)
            if column < max(num_column, 2):
                return TOO_FEW, edge, line, num_column, line_start
            if column > num_column and not ignore_rest:
                return TOO_MANY, edge, line, num_column, line_start
            if integers:
                head, one = _integer(block, starts[0], lengths[0])
                tail, two = _integer(block, starts[1], lengths[1])
                if not (one and two):
                    return NOT_INTEGER, edge, line, num_column, line_start
                ends[0, edge] = head
                ends[1, edge] = tail
            else:
                ends[0, edge] = starts[0] << 32 | lengths[0]
                ends[1, edge] = starts[1] << 32 | lengths[1]
            if num_column == 3:
                weight = np.float32(_number(block, starts[2], lengths[2]))
                if not (weight > 0 and weight < np.inf):
                    return BAD_WEIGHT, edge, line, num_column, line_start
                weights[edge] = weight
            edge += 1
        line += 1
    return OK, edge, line, num_column, size
