"""Asking a fitted model: vectors, nearest nodes and scores, by name."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import numpy.typing as npt

from nodeloom.errors import ConfigError, DataError, NodeloomError, OutputError, UnknownNodeError, describe
from nodeloom.estimators.parameters import Parameters
from nodeloom.keywords import known_keywords, near_miss
from nodeloom.typing import DoubleArray, FloatArray, NodeName

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from nodeloom.graph import Graph
    from nodeloom.io.model_data import ModelData
    from nodeloom.io.vocabulary import Vocabulary
    from nodeloom.tasks.tables import Table

Near = list[tuple[NodeName, float]]
Metric = Literal["cosine", "dot", "euclidean"]

FITTED = ("vectors_", "context_vectors_", "graph_names_", "report_", "history_", "partial_", "num_epoch_")
"""Attributes that ``fit`` sets."""


class NotFittedError(NodeloomError, AttributeError):
    """A result was asked for before ``fit``; also scikit-learn's error of this name, where that is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return not_fitted, self.args


def not_fitted(message: str) -> NotFittedError:
    """Return the error; where scikit-learn is loaded it is scikit-learn's NotFittedError as well."""
    theirs = getattr(sys.modules.get("sklearn.exceptions"), "NotFittedError", None)
    return NotFittedError(message) if theirs is None else _both(theirs)(message)


@cache
def _both(theirs: type[Exception]) -> type[NotFittedError]:
    return type("NotFittedError", (NotFittedError, theirs), {"__module__": __name__, "__doc__": NotFittedError.__doc__})


class FittedVectors(Parameters):
    """What a model has after ``fit``, and what it answers then."""

    vectors_: FloatArray
    context_vectors_: FloatArray
    graph_names_: Vocabulary
    report_: dict[str, Any]
    history_: list[dict[str, Any]]
    partial_: bool
    num_epoch_: float
    _config: dict[str, Any]
    _graph_record: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        # Python calls this for missing attributes only, such as results before fit.
        if name in FITTED and not self.__sklearn_is_fitted__():
            raise self._not_fitted()
        meant = ""
        if not name.startswith("_"):  # which Python itself looks for
            close = near_miss(name, [*FITTED, *(known for known in dir(type(self)) if not known.startswith("_"))])
            meant = f". Did you mean {close!r}?" if close and close != name else ""
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{meant}")

    def __sklearn_is_fitted__(self) -> bool:
        return "vectors_" in vars(self)

    def _not_fitted(self) -> NotFittedError:
        where = type(self).__name__
        if vars(self).get("_is_elsewhere", False):
            return not_fitted(
                f"{where}: the vectors are at worker 0, and this is another one. Use them there, or save them there."
            )
        return not_fitted(f"{where}: not fitted yet. Call fit(graph) first.")

    def transform(self, nodes: Iterable[NodeName] | Graph | None = None) -> FloatArray:
        """Return the vectors of nodes by name, float32 [k, dim]; of all nodes, in node order, without names.

        A graph stands for its nodes: a scikit-learn pipeline hands it on as it is.

        Raises
        ------
        UnknownNodeError
            If a name is unknown. Vectors exist for the nodes of the fitted graph only; to add nodes, fit the grown graph with
            ``init=`` this model.
        """
        vectors = self.vectors_
        if nodes is None:
            return vectors
        if _is_graph(nodes):
            if nodes.names == self.graph_names_:
                return vectors
            nodes = nodes.names
        return vectors[self.graph_names_.find(nodes)]

    def __getitem__(self, name: NodeName) -> FloatArray:
        """Return the vector of a node, float32 [dim].

        Raises
        ------
        UnknownNodeError
            If there is no such node; it is a KeyError.
        """
        vectors = self.vectors_
        if isinstance(name, bool) or not isinstance(name, str | bytes | int | np.integer):
            raise UnknownNodeError(describe(type(self).__name__, expected="the name of a node", got=name))
        return vectors[int(self.graph_names_.find([name])[0])]

    def __contains__(self, name: object) -> bool:
        return name in self.graph_names_

    def __len__(self) -> int:
        return len(self.vectors_)

    def node_vectors(self, table: Table = "auto") -> FloatArray:
        """Return the vectors that stand for the nodes in search, classification and export, float32 [N, dim] or [N, 2 dim].

        Parameters
        ----------
        table : {"auto", "vertex", "context", "joined"}
            vertex: ``vectors_``. context: ``context_vectors_``. joined: both side by side. auto: vertex; joined for a directed graph with
            nodes that no edge leaves, whose vertex vectors are not trained and are zeros.
        """
        from nodeloom.tasks import node_vectors

        vectors = self.vectors_
        if table == "auto" and not self._graph_record.get("directed", True):
            return vectors
        return node_vectors(vectors, self.context_vectors_, table)

    @overload
    def nearest(self, query: NodeName, k: int = 10, *, metric: Metric = "cosine") -> Near: ...
    @overload
    def nearest(
        self, query: Iterable[NodeName] | npt.NDArray[Any], k: int = 10, *, metric: Metric = "cosine"
    ) -> list[Near] | Near: ...
    @known_keywords()
    def nearest(self, query: Any, k: int = 10, *, metric: Metric = "cosine") -> Near | list[Near]:
        """Return the `k` nodes nearest to a node or a vector, nearest first, as (name, score); for several a list of such lists.

        Parameters
        ----------
        query : str, int, float [dim], names [q], or float [q, dim]
            A name, a vector such as :meth:`node_vectors` gives, or several of them. Integers are names, and a node is not its own
            neighbour. Floats are vectors, of which all nodes are neighbours; those of `dim` values are compared with ``vectors_``.
        k : int
            How many.
        metric : {"cosine", "dot", "euclidean"}
            Score of :meth:`node_vectors`; for euclidean a distance.

        Raises
        ------
        UnknownNodeError
            If a name is unknown.
        DataError
            If a query is neither a name nor a finite vector of `dim` values.
        ConfigError
            If `k` or `metric` is not allowed.
        """
        from nodeloom.tasks import nearest

        vectors, names = self.node_vectors(), self.graph_names_
        queries, single = self._queries(query, vectors.shape[1])
        if queries.dtype.kind == "f" and queries.shape[-1] == self.vectors_.shape[1]:
            vectors = self.vectors_
        ids, scores = nearest(vectors, queries, k, metric=metric)
        found = [
            list(zip(names.take(near), map(float, score), strict=True)) for near, score in zip(ids, scores, strict=True)
        ]
        return found[0] if single else found

    def _queries(self, query: Any, dim: int) -> tuple[Any, bool]:
        """Return queries as ids [q] or vectors [q, dim], and whether a single one is meant."""
        if isinstance(query, str | bytes | int | np.integer):
            return self.graph_names_.find([query]), True  # type: ignore[list-item]  # NumPy's integers too
        if not isinstance(query, Iterable):
            expected = f"a name, a vector of {dim} numbers, or several of them"
            raise DataError(describe("nearest", expected=expected, got=query))
        if not hasattr(query, "__array__"):
            query = list(query)
        try:
            values = np.asarray(query)
        except ValueError:  # lists of several lengths, or names among vectors
            values = np.empty(0, object)
        if values.dtype.kind == "f" and values.size:
            return values, values.ndim == 1
        return self.graph_names_.find(query), False

    def score_edges(self, heads: Iterable[NodeName], tails: Iterable[NodeName]) -> DoubleArray | FloatArray:
        """Return the score of edges between named nodes, [k]: vertex vector of the head times context vector of the tail.

        Its sigmoid is the probability that training gave the pair against negatives; scores rank candidates.

        Raises
        ------
        UnknownNodeError
            If a name is unknown.
        DataError
            If there are not as many heads as tails.
        """
        from nodeloom.tasks import score_pairs

        vectors = self.vectors_
        h, t = self.graph_names_.find(heads), self.graph_names_.find(tails)
        if len(h) != len(t):
            raise DataError(describe("score_edges", expected=f"as many tails as heads ({len(h)})", got=len(t)))
        return score_pairs(vectors, self.context_vectors_, h, t)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model to a ``.safetensors`` file, atomically, and return the path; :func:`nodeloom.load` reads it.

        The file says whether the training was stopped early, and where.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        from nodeloom.io.model_data import ModelData
        from nodeloom.io.model_file import model_path, write_model

        vectors = self.vectors_  # or the model is not fitted
        wanted = path_of("save", path)
        if wanted.is_dir():
            raise OutputError(describe(wanted, expected="the path of a file", got="a folder", hint="Add a file name."))
        target = model_path(wanted)
        state: dict[str, Any] = {"finished": not self.partial_, "report": self.report_}
        if self.partial_ and "num_epoch_" in vars(self):
            state["epoch"] = self.num_epoch_
        elif "num_epoch_" in vars(self):
            state["num_epoch"] = self.num_epoch_
        tensors = {"vertex": np.ascontiguousarray(vectors)}
        if self.context_vectors_ is not vectors:
            tensors["context"] = np.ascontiguousarray(self.context_vectors_)
        write_model(target, ModelData.of_nodes(tensors, self.graph_names_, self._config, state, self._graph_record))
        return target

    def _take_file(self, data: ModelData) -> None:
        """Become the model that a file holds."""
        self.vectors_ = data.vertex
        self.context_vectors_ = data.vertex if data.context is None else data.context
        self.graph_names_ = data.names
        self.report_, self.history_ = data.state.get("report", {}), []
        self.partial_ = data.state.get("finished", True) is not True
        self._config, self._graph_record = data.config, data.graph


def path_of(where: str, path: object) -> Path:
    """Return a path that a user gave.

    Raises
    ------
    ConfigError
        It is none.
    """
    if isinstance(path, str | os.PathLike) and str(path):
        return Path(path)
    raise ConfigError(describe(where, expected="the path of a file", got=path))


def _is_graph(value: object) -> TypeIs[Graph]:
    from nodeloom.graph import Graph

    return isinstance(value, Graph)
