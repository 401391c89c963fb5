"""What tasks are given: a model or its vectors, and labels in any of the forms that people have them in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from nodeloom.errors import DataError, UnknownNodeError, describe
from nodeloom.io.labels import Labels, Unknown
from nodeloom.io.vocabulary import Vocabulary
from nodeloom.log import logger

if TYPE_CHECKING:
    from nodeloom.typing import FloatArray, NodeName

_FORMS = "a dict, a Series or a DataFrame with names of nodes, or a label for each node in their order"


def is_model(value: object) -> bool:
    """Tell a model, fitted or not, from an array."""
    return hasattr(value, "fit") and not isinstance(value, type)


def vectors_and_names(model: Any, where: str = "vectors") -> tuple[FloatArray, Vocabulary]:
    """Return the vectors that stand for the nodes of a model, float [N, D], and the names of the nodes.

    Vectors that are given themselves are those of nodes called 0 to N - 1.

    Raises
    ------
    NotFittedError
        If it is a model that is not fitted.
    DataError
        If it is neither a model nor numbers [N, D].
    """
    if is_model(model):
        return model.node_vectors(), model.graph_names_
    try:
        vectors = np.asarray(model)
    except ValueError:  # lists of several lengths
        vectors = np.empty(0, object)
    if vectors.ndim != 2 or vectors.dtype.kind not in "fiu":
        got = f"{vectors.dtype} {list(vectors.shape)}" if hasattr(model, "__array__") else type(model).__name__
        if isinstance(model, type):
            got = f"the class {model.__name__}"
        raise DataError(describe(where, expected="a fitted model, or its vectors as numbers [N, D]", got=got))
    return vectors, Vocabulary.range(len(vectors))


def labels_of(labels: Any, names: Vocabulary, unknown: Unknown = "error") -> Labels:
    """Return labels in any form as :class:`~nodeloom.io.labels.Labels`.

    Parameters
    ----------
    labels : Labels, mapping, Series, DataFrame, or array_like [N] or [N, C]
        By name: a mapping from names to labels; a Series of pandas, whose index are names; a table with two columns, names and
        labels, or of pandas with one, whose index are names. By position: a label for each node, or 0 and 1 for each node and
        class. Lists and sets of labels, and several rows of a name, are several labels. None and NaN are no label.
    names : Vocabulary
        Names of the nodes.
    unknown : {"error", "skip"}
        What to do about names that the nodes lack: refuse them, or leave them out.

    Raises
    ------
    UnknownNodeError
        If a name is unknown, and that is an error.
    DataError
        If it has none of these forms, or another number of nodes.
    """
    if unknown not in ("error", "skip"):
        raise DataError(describe("unknown", expected="'error' or 'skip'", got=unknown))
    if isinstance(labels, Labels):
        if labels.num_nodes != len(names):
            raise DataError(describe("labels", expected=f"labels of {len(names)} nodes", got=f"of {labels.num_nodes}"))
        return labels
    named = _named(labels)
    values: Any = labels
    if named is not None:
        keys, values = named
        rows, values = _known(keys, values, names, unknown)
    else:
        if not isinstance(labels, Iterable) or isinstance(labels, str | bytes) or getattr(labels, "shape", None) == ():
            raise DataError(describe("labels", expected=_FORMS, got=labels))
        values = labels if isinstance(labels, np.ndarray) or sparse.issparse(labels) else list(labels)
        count = len(values) if isinstance(values, list) else values.shape[0]
        if count != len(names):
            hint = "For labels of some of the nodes give a dict or a Series with their names."
            raise DataError(
                describe("labels", expected=f"one for each of {len(names)} nodes", got=f"{count} labels", hint=hint)
            )
        if isinstance(values, np.ndarray) and values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]  # a column, as tables give it
        if not isinstance(values, list) and values.ndim > 1:
            return _of_indicator(values)
        rows = np.arange(len(names))
    nodes, found = _pairs(rows, values)
    class_names = sorted(set(found), key=_in_order)
    position = {name: i for i, name in enumerate(class_names)}
    return Labels.from_pairs(
        nodes, np.array([position[name] for name in found], np.int64), class_names, num_nodes=len(names)
    )


def _named(labels: Any) -> tuple[Any, list[Any]] | None:
    """Return names and labels side by side; None if the labels come without names."""
    if isinstance(labels, Mapping):
        return list(labels), list(labels.values())
    home = type(labels).__module__.split(".")[0]
    if home == "pandas" and not hasattr(labels, "columns"):
        return (list(labels.index), list(labels)) if hasattr(labels, "index") else None
    columns = (
        getattr(labels, "columns", None) if home in ("pandas", "polars") else getattr(labels, "column_names", None)
    )
    if columns is None:
        return None
    columns = list(columns)
    if home == "pandas" and len(columns) == 1:
        return list(labels.index), list(labels[columns[0]])
    if len(columns) != 2:
        raise DataError(describe("labels", expected="a table with two columns, names and labels", got=columns))
    return tuple(list(column.to_pylist() if hasattr(column, "to_pylist") else column)
                 for column in (labels[name] for name in columns))  # type: ignore[return-value]  # fmt: skip


def _known(
    keys: Any, values: list[Any], names: Vocabulary, unknown: Unknown
) -> tuple[npt.NDArray[np.int64], list[Any]]:
    """Return the nodes of the names that are known, and their labels."""
    nodes = names.find(keys, missing=-1)
    lost = np.flatnonzero(nodes < 0)
    by_position = len(keys) == len(names) and list(keys) == list(range(len(names)))
    if not len(lost):
        return nodes, values
    if unknown == "error" or len(lost) == len(nodes):
        try:
            names.find([keys[int(i)] for i in lost])
        except UnknownNodeError as error:
            hint = "Are they labels of another graph?"
            if by_position:
                hint = "Give labels.to_numpy() if they are in the order of the nodes."
            hint += "" if len(lost) == len(nodes) else " To leave such nodes out, pass unknown='skip'."
            raise UnknownNodeError(f"labels: {error}. {hint}".replace("?. ", "? ")) from None
    logger.warning("labels: %d of %d nodes are not in the graph; they are left out.", len(lost), len(nodes))
    kept = np.flatnonzero(nodes >= 0)
    return nodes[kept], [values[int(i)] for i in kept]


def _pairs(rows: npt.NDArray[np.int64], values: Any) -> tuple[list[int], list[str]]:
    """Return a node and the name of a class for every label."""
    nodes: list[int] = []
    found: list[str] = []
    listed = values.tolist() if isinstance(values, np.ndarray) else values
    if _is_matrix(listed):
        hint = "Give a NumPy array [N, C] if 1 says that a node has a class, and text if these are two classes."
        raise DataError(
            describe("labels", expected="lists of labels", got=f"lists of 0 and 1, such as {listed[0]}", hint=hint)
        )
    for row, value in zip(rows.tolist(), listed, strict=True):
        several = value.tolist() if isinstance(value, np.ndarray) else value
        for label in several if isinstance(several, list | tuple | set | frozenset) else (several,):
            name = _class_name(label)
            if name is not None:
                nodes.append(row)
                found.append(name)
    return nodes, found


def _is_matrix(values: Sequence[Any]) -> bool:
    """Tell rows of a matrix of 0 and 1 from lists of labels: they are all of one length, and of 0 and 1 alone."""
    rows = [value.tolist() if isinstance(value, np.ndarray) else value for value in values]
    if not rows or not all(isinstance(row, list | tuple) and len(row) == len(rows[0]) > 1 for row in rows):
        return False
    return all(isinstance(label, int) and label in (0, 1) for row in rows for label in row)


def _class_name(label: Any) -> str | None:
    """Return what a class is called; None for no label."""
    if isinstance(label, np.generic):
        label = label.item()
    if isinstance(label, str | bool | int):
        return str(label)
    if label is None or type(label).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(label, float):  # integers beside missing ones are floats in pandas
        return None if label != label else str(int(label)) if label.is_integer() else str(label)
    hint = "Give text, a number, or a list of these."
    raise DataError(describe("labels", expected="labels as text or numbers", got=label, hint=hint))


def _of_indicator(values: Any) -> Labels:
    """Return the labels that a matrix [N, C] of 0 and 1 tells."""
    table: Any = sparse.coo_array(values) if sparse.issparse(values) else values
    numbers: npt.NDArray[Any] = table.data if sparse.issparse(table) else table
    if table.ndim != 2 or numbers.dtype.kind not in "biuf" or not np.isin(numbers, (0, 1)).all():
        got = f"{numbers.dtype} {list(table.shape)}"
        hint = "For one label of each node give an array [N]."
        raise DataError(describe("labels", expected="0 and 1 in labels [N, C]", got=got, hint=hint))
    nodes, classes = table.nonzero()
    return Labels.from_pairs(nodes, classes, [str(i) for i in range(table.shape[1])], num_nodes=table.shape[0])


def _in_order(name: NodeName) -> tuple[int, int, str]:
    """Sort numbers as numbers, and before text."""
    text = str(name)
    number = text.removeprefix("-")
    return (0, int(text), "") if number.isascii() and number.isdigit() else (1, 0, text)
