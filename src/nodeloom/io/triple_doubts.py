"""Doubts about a table of triples that its first lines raise: each is told in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeloom.io.cells import is_integer, is_number
from nodeloom.log import logger
from nodeloom.words import by_interface, setting

if TYPE_CHECKING:
    from collections.abc import Sequence

_FEW = 3


def tell_of_triples(rows: Sequence[Sequence[str]], places: Sequence[int], where: str, *, quotes: bool) -> None:
    """Say that triples may be weighted edges, or that quotes stay in names.

    Parameters
    ----------
    rows : sequence of rows
        The first rows, cut into cells.
    places : sequence of int
        Which columns are heads, relations, tails and perhaps weights, from 0.
    where : str
        The file and the line, for messages.
    quotes : bool
        Whether cells may stand in quotes.
    """
    head, relation, tail = places[:3]
    whole = [row for row in rows if len(row) > max(places)]
    tails = [row[tail] for row in whole[1:]]
    if (
        len(places) == 3
        and len(tails) >= _FEW
        and all(map(is_number, tails))
        and not all(map(is_integer, tails))
        and not any(is_number(row[head]) and not is_integer(row[head]) for row in whole[1:])
    ):
        logger.warning(
            "%s: the tails are numbers such as %s. If they are weights, this is a list of edges%s.",
            where, tails[0], by_interface(": use Graph.from_file", ""),
        )  # fmt: skip
    if quotes:
        return
    for place in (head, relation, tail):
        cells = [row[place] for row in whole[1:]] or [row[place] for row in whole]
        if cells and all(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in cells):
            logger.warning(
                "%s: quotes are part of names, such as %s. To take them off, give %s.",
                where, cells[0], setting("graph.quotes", True),
            )  # fmt: skip
            return
