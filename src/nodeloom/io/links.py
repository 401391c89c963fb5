"""Link files: pairs of nodes to judge, ``head tail 0|1`` or ``head tail``, and filters, ``head tail``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, describe
from nodeloom.io.cells import COMMENT, DELIMITERS
from nodeloom.io.labels import known_rows, without_header
from nodeloom.io.tokens import read_tokens

if TYPE_CHECKING:
    from pathlib import Path

    from nodeloom.io.vocabulary import Vocabulary


@dataclass(frozen=True)
class Links:
    """Pairs of nodes.

    Attributes
    ----------
    heads, tails : ndarray, int64 [k]
        Node ids.
    labels : ndarray, bool [k], or None
        True for an edge, False for none; None where all are edges: in a filter, or a link file of two columns.
    """

    heads: npt.NDArray[np.int64]
    tails: npt.NDArray[np.int64]
    labels: npt.NDArray[np.bool_] | None


def read_links(
    path: str | Path,
    names: Vocabulary,
    *,
    delimiters: str = DELIMITERS,
    comment: str = COMMENT,
    encoding: str = "utf-8",
    unknown: Literal["error", "skip"] = "error",
) -> Links:
    """Read pairs to judge, one ``head tail 0|1`` a line, or edges to judge, one ``head tail`` a line.

    Parameters
    ----------
    path : str or Path
        The file.
    names : Vocabulary
        The names of the nodes.
    delimiters, comment, encoding : str
        As for edge lists.
    unknown : {"error", "skip"}
        What to do about a node that ``names`` lack: refuse the file, or leave the line out and log how many.

    Returns
    -------
    Links
        Without labels if the file has two columns: all pairs are edges then.

    Raises
    ------
    DataError
        If the file cannot be read, a third token is neither 0 nor 1 or only some lines have one, or a node is unknown.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    form = "'head tail 0|1' or 'head tail'"
    table = read_tokens(path, (2, 3), form, delimiters=delimiters, comment=comment, encoding=encoding)
    table = without_header(table, names, 2)
    third = table.columns[2]
    if third.null_count == len(third):
        (heads, tails), _ = known_rows(table, names, 2, unknown)
        return Links(heads, tails, None)
    if third.null_count:
        row = int(np.flatnonzero(np.asarray(third.is_null()) != (not third[0].is_valid))[0])
        expected = "'head tail 0|1' on all lines, or 'head tail' on all"
        got = f"{'three' if third[row].is_valid else 'two'} columns, unlike the lines before"
        raise DataError(describe(table.where(row), expected=expected, got=got))
    which = np.asarray(pc.index_in(table.columns[2], value_set=pa.array(["0", "1"], pa.large_string())).fill_null(-1))
    if (which < 0).any():
        row = int(np.flatnonzero(which < 0)[0])
        got = table.columns[2][row].as_py()
        raise DataError(describe(table.where(row), expected="'head tail 0|1' with 0 or 1 as the third", got=got))
    (heads, tails), kept = known_rows(table, names, 2, unknown)
    return Links(heads, tails, which[kept] == 1)


def read_filter(
    path: str | Path,
    names: Vocabulary,
    *,
    delimiters: str = DELIMITERS,
    comment: str = COMMENT,
    encoding: str = "utf-8",
) -> Links:
    """Read pairs that are known already, one ``head tail`` a line.

    A third token, the weight of an edge list, is passed over. Pairs with a node that ``names`` lack cannot be judged
    anyway, so they are left out without a word.

    Parameters
    ----------
    path : str or Path
        The file.
    names : Vocabulary
        The names of the nodes.
    delimiters, comment, encoding : str
        As for edge lists.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    table = read_tokens(path, (2, 3), "'head tail [weight]'", delimiters=delimiters, comment=comment, encoding=encoding)
    heads, tails = (names.find(column, missing=-1) for column in table.columns[:2])
    known = (heads >= 0) & (tails >= 0)
    return Links(heads[known], tails[known], None)
