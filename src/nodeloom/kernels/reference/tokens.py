"""Cut text into edges with the methods of ``str``: the definition of what :mod:`nodeloom.kernels.cpu.tokens` does."""

from __future__ import annotations

import re

_BLANKS = " \t"


def cell_delimiter(delimiters: str) -> str:
    r"""Return the delimiter of which each ends a cell, so that two in a row have an empty cell between them, or "".

    This is a comma, semicolon or bar that is the only delimiter besides blanks, or a tab that is the only one.

    >>> cell_delimiter(","), cell_delimiter(", "), cell_delimiter(",;"), cell_delimiter(" \t")
    (',', ',', '', '')
    """
    given = set(delimiters) - set("\r\n")
    if given == {"\t"}:
        return "\t"
    signs = given - set(_BLANKS)
    return signs.pop() if len(signs) == 1 and signs <= set(",;|") else ""


def split_line(line: str, delimiters: str, comment: str, num_column: int = 2, *, quotes: bool = True) -> list[str]:
    """Return the cells of a line.

    - A cell is what stands between delimiters, without the blanks at its ends. Delimiters in a row count as one, save the
      :func:`cell_delimiter`: there an empty cell lies between two.
    - A cell in double quotes is what stands between them; there, two quotes are one. Not so without `quotes`.
    - A comment begins where a cell would begin: any cell, or where there is a :func:`cell_delimiter` the first one, or one
      behind `num_column` others.

    Raises
    ------
    ValueError
        A quote does not end its cell; only where there is a :func:`cell_delimiter`. Elsewhere it is part of a name.
    """
    hard = cell_delimiter(delimiters)
    soft = set(delimiters) - {hard}
    blanks = set(_BLANKS) - {hard}
    ends = soft | {hard}
    cells: list[str] = []
    open_cell = False
    i = 0
    while i < len(line):
        if line[i] in soft | blanks:
            i += 1
        elif line[i] == hard:
            if not open_cell:
                cells.append("")
            open_cell = False
            i += 1
        elif comment and line.startswith(comment, i) and (not hard or not cells or len(cells) >= num_column):
            break
        else:
            quoted = re.compile(r'"((?:[^"]|"")*)"').match(line, i) if quotes else None
            after = quoted.end() if quoted else i
            while quoted and after < len(line) and line[after] in blanks - soft:
                after += 1
            if quoted and (after == len(line) or line[after] in ends):
                cells.append(quoted[1].replace('""', '"').strip(" \t"))
                i = quoted.end()
            elif hard and line[i] == '"' and quotes:
                raise ValueError(line)
            else:
                start = i
                while i < len(line) and line[i] not in ends:
                    i += 1
                cells.append(line[start:i].strip(" \t"))
            open_cell = True
    if cells and not open_cell:
        cells.append("")
    return cells


def read_edges(text: str, delimiters: str, comment: str, num_column: int = 2) -> list[list[str]]:
    """Return the cells of every line that has any; a line ends at a line feed, a carriage return, or both.

    A byte order mark at the begin of a line is no part of it: files that were put together have one in the middle.
    """
    lines = (
        split_line(line.removeprefix("\ufeff"), delimiters, comment, num_column)
        for line in re.split("\r\n|\r|\n", text)
    )
    return [cells for cells in lines if any(cells)]
