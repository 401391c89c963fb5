"""What a model file holds, in memory: tables by any name, the names of their rows, configuration, state, graph."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.errors import ModelError, describe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nodeloom.io.tensors import Tensor
    from nodeloom.io.vocabulary import Vocabulary
    from nodeloom.typing import FloatArray

NODE_ROWS = {"vertex": "node", "context": "node"}
"""The tables that a model of nodes may have, and the kind of their rows."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_MOMENT = re.compile(r"(.+)_moment\d+")


@dataclass(frozen=True)
class ModelData:
    """Everything that a model file holds.

    Attributes
    ----------
    tensors : dict of str to ndarray
        The tables, float32 [rows, dim], by name: ``vertex`` and ``context``, ``entity`` and ``relation``, ``point``, ... The moments
        of a table's optimizer are ``<table>_moment1``, ...: float32, of the table's shape or [rows, 1]. A writer may keep others.
    rows : dict of str to str
        The kind of the rows of each table: ``{"vertex": "node", "context": "node"}``. Tables of one kind have as many rows.
    vocabularies : dict of str to Vocabulary
        The names of the rows of each kind.
    config : dict
        The full configuration, as JSON types.
    state : dict
        Position of the training, as JSON types; empty for a finished model.
    graph : dict
        ``fingerprint``, ``num_nodes``, ``num_edges``, ``directed`` of the graph of the model.
    where : str or Path
        The file that it was read from, for messages.

    Raises
    ------
    ModelError
        If shapes, dtypes, kinds of rows and vocabularies do not fit each other.
    """

    tensors: dict[str, Tensor]
    rows: dict[str, str]
    vocabularies: dict[str, Vocabulary]
    config: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    graph: dict[str, Any] = field(default_factory=dict)
    where: str | Path = "model"

    def __post_init__(self) -> None:
        counts = check_tables(self.where, self.tensors, self.rows)
        if counts.keys() != self.vocabularies.keys():
            expected = f"names of the rows of each kind ({', '.join(sorted(counts))})"
            raise ModelError(describe(self.where, expected=expected, got=", ".join(sorted(self.vocabularies)) or None))
        for kind, count in counts.items():
            if len(self.vocabularies[kind]) != count:
                expected = f"{count} {kind} names"
                raise ModelError(describe(self.where, expected=expected, got=len(self.vocabularies[kind])))

    @classmethod
    def of_nodes(cls, tensors: dict[str, Tensor], names: Vocabulary, *sections: Any, **more: Any) -> ModelData:
        """Return a model of nodes: tables ``vertex`` and mostly ``context``, moments, and the names of the N nodes.

        Parameters
        ----------
        tensors, names
            The tables and the names.
        *sections, **more
            ``config``, ``state``, ``graph``, ``where``.
        """
        return cls(tensors, rows_of_nodes(tensors), {"node": names}, *sections, **more)

    # ------------------------------------------------------------- models of nodes: the one place that knows their tables by name

    @property
    def vertex(self) -> FloatArray:
        """The vertex table of a model of nodes, float32 [N, D].

        Raises
        ------
        ModelError
            The model is none of nodes.
        """
        self._check_nodes()
        return self.tensors["vertex"]

    @property
    def context(self) -> FloatArray | None:
        """The context table of a model of nodes, float32 [N, D], or None if it has one table only."""
        return self.tensors["context"] if self.rows.get("context") == "node" else None

    @property
    def names(self) -> Vocabulary:
        """The names of the nodes of a model of nodes."""
        self._check_nodes()
        return self.vocabularies["node"]

    @property
    def num_nodes(self) -> int:
        """N of a model of nodes."""
        return int(self.vertex.shape[0])

    @property
    def dim(self) -> int:
        """D of a model of nodes."""
        return int(self.vertex.shape[1])

    @property
    def is_of_nodes(self) -> bool:
        """Whether it is a model of nodes: with a table ``vertex`` whose rows are nodes."""
        return self.rows.get("vertex") == "node"

    def _check_nodes(self) -> None:
        if not self.is_of_nodes:
            got = f"tables {', '.join(sorted(self.rows))}"
            raise ModelError(describe(self.where, expected="a model of nodes, with a table 'vertex'", got=got))


def rows_of_nodes(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Return the kinds of rows of those tables of a model of nodes that are there."""
    return {name: kind for name, kind in NODE_ROWS.items() if name in tensors}


def check_tables(where: str | Path, tensors: Mapping[str, Tensor], rows: Mapping[str, str]) -> dict[str, int]:
    """Check tables and their moments; return the number of rows of each kind.

    Raises
    ------
    ModelError
        A table is missing, has another dtype or no columns; tables of one kind differ in rows; a moment does not fit its table; the
        tables of a model of nodes differ in shape.
    """
    if not rows:
        raise ModelError(describe(where, expected="at least one table", got=sorted(tensors)))
    counts: dict[str, int] = {}
    for name, kind in rows.items():
        for word in (name, kind):
            if not _NAME.fullmatch(word):
                expected = "names of tables and kinds of rows in small letters, digits and underscores"
                raise ModelError(describe(where, expected=expected, got=word))
        table = tensors.get(name)
        if table is None:
            raise ModelError(describe(where, expected=f"a tensor {name!r}", got=sorted(tensors)))
        if table.dtype != np.float32 or table.ndim != 2 or table.shape[1] == 0:
            raise misfit(where, name, "[N, D]", table)
        if counts.setdefault(kind, len(table)) != len(table):
            like = next(other for other, of in rows.items() if of == kind)
            raise misfit(where, name, f"[{counts[kind]}, D] like {like!r}", table)
    vertex = tensors["vertex"] if "vertex" in rows else None
    if vertex is not None and "context" in rows and tensors["context"].shape != vertex.shape:
        raise misfit(where, "context", f"{list(vertex.shape)} like 'vertex'", tensors["context"])
    for name, tensor in tensors.items():
        moment = None if name in rows else _MOMENT.fullmatch(name)
        if moment is None:
            continue
        if moment[1] not in rows:
            raise ModelError(describe(where, expected=f"a table {moment[1]!r} for {name!r}", got=sorted(rows)))
        shape = tensors[moment[1]].shape
        if tensor.dtype != np.float32 or tensor.shape not in (shape, (shape[0], 1)):
            raise misfit(where, name, f"{list(shape)} like {moment[1]!r}", tensor)
    return counts


def misfit(where: str | Path, name: str, shape: str, tensor: Tensor) -> ModelError:
    """Return the error that says of a tensor that it is not float32 of a shape."""
    got = f"{tensor.dtype} {list(tensor.shape)}"
    return ModelError(describe(where, expected=f"a tensor {name!r} float32 {shape}", got=got))
