"""Labels: which nodes have which classes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse

from nodeloom.errors import DataError, describe
from nodeloom.io.cells import COMMENT, DELIMITERS, is_number
from nodeloom.io.columns import word
from nodeloom.io.header import WORDS
from nodeloom.io.tokens import TokenTable, read_tokens
from nodeloom.log import logger
from nodeloom.words import setting

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nodeloom.io.vocabulary import Vocabulary

Unknown = Literal["error", "skip"]


@dataclass(frozen=True)
class Labels:
    """Pairs of nodes and classes, each once, sorted by node and class. Make one with :meth:`from_pairs` or a reader.

    Attributes
    ----------
    nodes : ndarray, int64 [k]
        Node ids.
    classes : ndarray, int32 [k]
        Class of each, from 0 to C - 1.
    class_names : tuple of str
        What the C classes are called.
    num_nodes : int
        N: nodes of the graph, labelled or not.
    """

    nodes: npt.NDArray[np.int64]
    classes: npt.NDArray[np.int32]
    class_names: tuple[str, ...]
    num_nodes: int

    @classmethod
    def from_pairs(
        cls,
        nodes: npt.ArrayLike,
        classes: npt.ArrayLike,
        class_names: Sequence[str] | None = None,
        *,
        num_nodes: int | None = None,
    ) -> Labels:
        """Make labels from pairs in any order; a pair that is listed twice counts once.

        Parameters
        ----------
        nodes : array_like, int [k]
            Node ids.
        classes : array_like, int [k]
            Class of each, from 0.
        class_names : sequence of str, optional
            Names of the classes, "0", "1", ... by default.
        num_nodes : int, optional
            Nodes of the graph; one more than the largest id by default.

        Raises
        ------
        DataError
            If the lengths differ, or an id or a class is out of range.
        """
        node_ids, class_ids = np.asarray(nodes), np.asarray(classes)
        if node_ids.ndim != 1 or node_ids.shape != class_ids.shape:
            got = f"{node_ids.shape} nodes, {class_ids.shape} classes"
            raise DataError(describe("labels", expected="as many classes as nodes", got=got))
        if node_ids.size and not (_is_integer(node_ids) and _is_integer(class_ids)):
            got = f"{node_ids.dtype} nodes, {class_ids.dtype} classes"
            raise DataError(describe("labels", expected="integers", got=got))
        if num_nodes is None:
            num_nodes = int(node_ids.max()) + 1 if node_ids.size else 0
        if class_names is None:
            class_names = [str(i) for i in range(int(class_ids.max()) + 1 if class_ids.size else 0)]
        for what, ids, limit in (("node", node_ids, num_nodes), ("class", class_ids, len(class_names))):
            if ids.size and not (ids.min() >= 0 and ids.max() < limit):
                wrong = int(ids.min()) if ids.min() < 0 else int(ids.max())
                raise DataError(describe("labels", expected=f"a {what} from 0 to {limit - 1}", got=wrong))
        keys = np.unique(node_ids.astype(np.int64) * max(1, len(class_names)) + class_ids.astype(np.int64))
        node_ids, class_ids = np.divmod(keys, max(1, len(class_names)))
        return cls(node_ids, class_ids.astype(np.int32), tuple(map(str, class_names)), int(num_nodes))

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        names: Vocabulary,
        *,
        delimiters: str = DELIMITERS,
        comment: str = COMMENT,
        encoding: str = "utf-8",
        unknown: Unknown = "error",
    ) -> Labels:
        """Read a label file: ``node label`` in a line; a node with several labels has them in its line, or in several lines.

        Parameters
        ----------
        path : str or Path
            The file, or "-" for the standard input; also compressed.
        names : Vocabulary
            The names of the nodes.
        delimiters, comment, encoding : str
            As for edge lists.
        unknown : {"error", "skip"}
            What to do about a node that ``names`` lack: refuse the file, or leave the line out and log how many.

        Returns
        -------
        Labels
            Classes are in the order of their names: of their numbers, if all are numbers.

        Raises
        ------
        DataError
            If the file cannot be read, a line has fewer than two tokens, or a node is unknown.
        """
        table = read_tokens(path, (2, None), "'node label'", delimiters=delimiters, comment=comment, encoding=encoding)
        table = without_header(table, names, 1)
        (nodes,), kept = known_rows(table, names, 1, unknown)
        encoded = table.columns[1].take(_arrow_ids(kept)).dictionary_encode()
        found = encoded.dictionary.to_pylist()
        class_names = sorted(found, key=int) if all(map(_is_number, found)) else sorted(found)
        position = {name: i for i, name in enumerate(class_names)}
        to_class = np.array([position[name] for name in found], dtype=np.int32)
        classes = to_class[np.asarray(encoded.indices)]
        return cls.from_pairs(nodes, classes, class_names, num_nodes=len(names))

    @property
    def num_classes(self) -> int:
        """C."""
        return len(self.class_names)

    @cached_property
    def labelled(self) -> npt.NDArray[np.int64]:
        """The nodes that have a label, each once, rising: int64 [M]."""
        return np.unique(self.nodes)

    def indicator(self) -> sparse.csr_matrix:
        """Return bool [M, C]: which of the labelled nodes, in the order of :attr:`labelled`, has which class."""
        rows = np.searchsorted(self.labelled, self.nodes)
        ones = np.ones(len(rows), dtype=bool)
        return sparse.csr_matrix((ones, (rows, self.classes)), shape=(len(self.labelled), self.num_classes))


def without_header(table: TokenTable, names: Vocabulary, num_columns: int) -> TokenTable:
    """Return a table without its first line where that is a header, and say so.

    It is one if it names no node, and could not: it is no integer where all nodes are, or is a word such
    as ``node``.

    Parameters
    ----------
    table : TokenTable
        The file.
    names : Vocabulary
        The names of the nodes.
    num_columns : int
        How many columns, from the first, name nodes.
    """
    import pyarrow as pa

    above = table.lines == table.lines[0]
    first = [column[0].as_py() for column in table.columns]
    nodes = [name for name in first[:num_columns] if name is not None]
    if above.all() or not all(word(name) in WORDS if names.is_text else not is_number(name) for name in nodes):
        return table
    if any(names.find([name], missing=-1)[0] >= 0 for name in nodes):
        return table
    logger.warning("%s: taken as a header: %r is no node.", table.where(0), nodes[0])
    rows = pa.array(np.flatnonzero(~above))
    return TokenTable(table.path, [column.take(rows) for column in table.columns], table.lines[~above])


def known_rows(
    table: TokenTable, names: Vocabulary, num_columns: int, unknown: Unknown
) -> tuple[list[npt.NDArray[np.int64]], npt.NDArray[np.int64]]:
    """Find the nodes that the first columns of a file name.

    Parameters
    ----------
    table, names, num_columns
        As in :func:`without_header`.
    unknown : {"error", "skip"}
        What to do about nodes that are unknown.

    Returns
    -------
    ids : list of ndarray, int64 [kept]
        For each column the ids of the nodes, in rows whose nodes are all known.
    rows : ndarray, int64 [kept]
        Which rows of the table these are.

    Raises
    ------
    DataError
        If a node is unknown and that is an error, or if no row is left.
    """
    ids = [names.find(column, missing=-1) for column in table.columns[:num_columns]]
    known = np.all([column >= 0 for column in ids], axis=0)
    rows = np.flatnonzero(known)
    if len(rows) == len(known):
        return ids, rows
    lost = np.flatnonzero(~known)
    shown: list[str] = []
    for row in lost.tolist():
        shown += [table.columns[i][row].as_py() for i in range(num_columns) if ids[i][row] < 0]
        shown = list(dict.fromkeys(shown))[:5]
        if len(shown) == 5:
            break
    example = ", ".join(map(repr, shown)) + (", ..." if len(lost) > len(shown) else "")
    got = f"{len(lost)} of {len(known)} lines name nodes that it lacks: {example}"
    if unknown == "error":
        hint = f"Is it the file of another graph? To leave such lines out, give {setting('evaluate.unknown_nodes', 'skip')}."
        raise DataError(f"{table.where(int(lost[0]))}: expected nodes of the graph, but {got}. {hint}")
    if not len(rows):
        hint = "It seems to be the file of another graph."
        raise DataError(f"{table.path}: expected nodes of the graph, but {got}. {hint}")
    logger.warning("%s: %s. They are left out.", table.path, got)
    return [column[rows] for column in ids], rows


def _arrow_ids(rows: npt.NDArray[np.int64]) -> Any:
    import pyarrow as pa

    return pa.array(rows)


def _is_number(text: str) -> bool:
    return text.isascii() and text.lstrip("-").isdigit() and text.count("-") <= 1


def _is_integer(array: npt.NDArray[Any]) -> bool:
    return bool(np.issubdtype(array.dtype, np.integer))
