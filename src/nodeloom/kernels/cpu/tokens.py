"""Cut blocks of text into edges on the CPU: one pass over the bytes, in any number of threads on different blocks."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit

NAME, BLANK, COMMENT, QUOTE, DELIMITER, CELL, LINE_END = range(7)
"""What a byte is: part of a name; part of a name, but not at its ends; the first byte of the comment prefix; a double quote;
between names, where several count as one; the end of a cell, where two have an empty cell between them; the end of a line.
All up to QUOTE may stand within a name."""

OK, NOT_INTEGER, TOO_FEW, TOO_MANY, BAD_WEIGHT, BAD_QUOTE, ESCAPE = range(7)
"""What stopped the reading of a block. ESCAPE: two quotes that stand for one."""

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
    k = np.uint64(i)
    last = np.uint64(end)
    while k < last:
        digit = np.uint64(block[k]) - np.uint64(48)
        if digit > np.uint64(9):
            return np.int64(0), False
        value = value * np.uint64(10) + digit
        k += np.uint64(1)
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


@jit(inline=True)
def _name_end(block, i, kinds):
    # Unsigned: an index that may be negative is checked for that, each time.
    k = np.uint64(i + 1)
    size = np.uint64(block.size)
    while k < size and kinds[block[k]] <= QUOTE:
        k += np.uint64(1)
    return np.int64(k)


@jit
def _closing(block, i, kinds):
    """Return where the quote that opens at `i` closes; -1 if no quote ends the cell, -2 if there is one that stands for itself."""
    escaped = False
    j = i + 1
    while j < block.size and kinds[block[j]] != LINE_END:
        if block[j] == 34:
            if j + 1 < block.size and block[j + 1] == 34:
                escaped = True
                j += 2
                continue
            after = j + 1
            while after < block.size and kinds[block[after]] == BLANK:
                after += 1
            if after == block.size or kinds[block[after]] >= DELIMITER:
                return -2 if escaped else j
            return -1
        j += 1
    return -1


@jit
def _is_header(block, i, header, kinds):
    end = i + header.size
    if end > block.size:
        return False
    for k in range(header.size):
        if block[i + k] != header[k]:
            return False
    return end == block.size or kinds[block[end]] >= DELIMITER or kinds[block[end]] == BLANK


@jit
def read_edges(block, kinds, comment, header, places, width, cells, integers, ends, weights):
    """Read the lines of a block, of which each is an edge.

    Parameters
    ----------
    block : uint8 [B]
        Whole lines; the last may lack its line end.
    kinds : uint8 [256]
        What each byte is.
    comment : uint8
        The comment prefix; a line is cut where it begins.
    header : uint8
        The line that names the columns, wherever it stands; empty for none.
    places : int64 [C or C + 1]
        Which columns are the C names (head and tail; head, relation and tail) and the weight, from 0.
    width : int
        How many columns every line has; 0 if any may follow these.
    cells : bool
        Whether a delimiter of the kind CELL is used: then comments are whole lines, or stand behind all columns.
    integers : bool
        Whether names are integers: then `ends` receives their values, else tokens ``start << 32 | length``.
    ends : int64 [C, L]
        Receives the names. L is at least the number of lines.
    weights : float32 [L]
        Receives the weights; empty where there are none. That of a triple may be 0.

    Returns
    -------
    status : int
        OK, or what stopped the reading.
    num_edge : int
    num_line : int
        Number of lines before the one that stopped it, or of all.
    where : int
        Where the line that stopped it begins.
    hidden : int
        Where the first comment begins that is a whole line behind an edge and goes on without a blank, or -1.
    """
    size = block.size
    i = 0
    edge = 0
    line = 0
    hidden = -1
    num_name = ends.shape[0]
    weighted = weights.size > 0
    at_head = places[0]
    at_tail = places[num_name - 1]
    at_relation = places[num_name - 2]  # of an edge the head once more
    at_weight = places[num_name] if weighted else at_head
    least = np.float32(0) if num_name == 3 else np.float32(1e-45)
    limit = max(at_head, at_tail, at_relation, at_weight) + 1
    behind = max(width, limit)
    starts = np.zeros(limit, np.int64)
    lengths = np.zeros(limit, np.int64)
    while i < size:
        line_start = i
        column = 0
        last = 0
        cell = False
        if block[i] == 0xEF and i + 2 < size and block[i + 1] == 0xBB and block[i + 2] == 0xBF:
            i += 3  # the byte order mark of a file that was put behind another
        if header.size > 0 and _is_header(block, i, header, kinds):
            while i < size and kinds[block[i]] != LINE_END:
                i += 1
        while i < size:
            kind = kinds[block[i]]
            start = i
            if kind == NAME:  # first: most tokens begin so
                i = end = _name_end(block, i, kinds)
            elif kind == DELIMITER or kind == BLANK:
                i += 1
                continue
            elif kind == LINE_END:
                break
            elif kind == CELL:
                if not cell:
                    if column < limit:
                        lengths[column] = 0
                    column += 1
                cell = False
                i += 1
                continue
            elif kind == COMMENT:
                if (not cells or column == 0 or column >= behind) and _is_comment(block, i, comment):
                    after = i + comment.size
                    if column == 0 and edge > 0 and hidden < 0 and after < size and kinds[block[after]] == NAME:
                        hidden = line_start
                    while i < size and kinds[block[i]] != LINE_END:
                        i += 1
                    break
                i = end = _name_end(block, i, kinds)
            else:
                end = _closing(block, i, kinds)
                if end == -2:
                    return ESCAPE, edge, line, line_start, hidden
                if end == -1:
                    if cells:
                        return BAD_QUOTE, edge, line, line_start, hidden
                    i = end = _name_end(block, i, kinds)
                else:
                    i = end + 1
                    start += 1
                    while start < end and (block[start] == 32 or block[start] == 9):
                        start += 1
                    while start < end and (block[end - 1] == 32 or block[end - 1] == 9):
                        end -= 1
            while kinds[block[end - 1]] == BLANK and end > start:
                end -= 1
            if column < limit:
                starts[column] = start
                lengths[column] = end - start
            column += 1
            if end > start:
                last = column
            cell = True
        # A carriage return ends a line, alone or before a line feed.
        if i + 1 < size and block[i] == 13 and block[i + 1] == 10:
            i += 1
        i += 1
        if last > 0:
            if width > 0 and last > width:
                return TOO_MANY, edge, line, line_start, hidden
            if column < limit or column + (not cell) < width:
                return TOO_FEW, edge, line, line_start, hidden
            if lengths[at_head] == 0 or lengths[at_tail] == 0 or lengths[at_relation] == 0 or lengths[at_weight] == 0:
                return TOO_FEW, edge, line, line_start, hidden
            if integers:
                head, one = _integer(block, starts[at_head], lengths[at_head])
                tail, two = _integer(block, starts[at_tail], lengths[at_tail])
                if not (one and two):
                    return NOT_INTEGER, edge, line, line_start, hidden
                ends[0, edge] = head
                ends[num_name - 1, edge] = tail
                if num_name == 3:
                    relation, three = _integer(block, starts[at_relation], lengths[at_relation])
                    if not three:
                        return NOT_INTEGER, edge, line, line_start, hidden
                    ends[1, edge] = relation
            else:
                ends[0, edge] = starts[at_head] << 32 | lengths[at_head]
                ends[num_name - 1, edge] = starts[at_tail] << 32 | lengths[at_tail]
                if num_name == 3:
                    ends[1, edge] = starts[at_relation] << 32 | lengths[at_relation]
            if weighted:
                weight = np.float32(_number(block, starts[at_weight], lengths[at_weight]))
                if not (weight >= least and weight < np.inf):
                    return BAD_WEIGHT, edge, line, line_start, hidden
                weights[edge] = weight
            edge += 1
        line += 1
    return OK, edge, line, size, hidden


@jit
def token_integers(block, tokens, values):
    """Turn tokens, int64 [C, E], into the integers that they spell, int64 [C, E], up to the first row with another name.

    Returns
    -------
    int
        That row, or E.
    """
    for row in range(tokens.shape[1]):
        for column in range(tokens.shape[0]):
            token = tokens[column, row]
            value, found = _integer(block, token >> 32, token & 0xFFFFFFFF)
            if not found:
                return row
            values[column, row] = value
    return tokens.shape[1]
