"""Asking a fitted model of a knowledge graph for its vectors, by name; saving it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nodeloom.errors import DataError, ModelError, OutputError, UnknownNodeError, describe
from nodeloom.estimators.fitted import NotFittedError, not_fitted, path_of
from nodeloom.estimators.parameters import Parameters
from nodeloom.keywords import near_miss

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from nodeloom.io.model_data import ModelData
    from nodeloom.io.vocabulary import Vocabulary
    from nodeloom.model.relational import Relational
    from nodeloom.typing import FloatArray, NodeName

FITTED = (
    "entity_vectors_", "relation_vectors_", "inverse_relation_vectors_", "entity_names_", "relation_names_", "report_", "history_",
    "validation_", "partial_", "num_epoch_",
)  # fmt: skip
"""Attributes that ``fit`` sets."""


class FittedTriples(Parameters):
    """What a model of a knowledge graph has after ``fit``."""

    _scoring: ClassVar[Relational]
    entity_vectors_: FloatArray
    relation_vectors_: FloatArray
    inverse_relation_vectors_: FloatArray
    entity_names_: Vocabulary
    relation_names_: Vocabulary
    report_: dict[str, Any]
    history_: list[dict[str, Any]]
    validation_: list[dict[str, float]]
    partial_: bool
    num_epoch_: float
    _relation_table: FloatArray
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

    @property
    def _relational(self) -> Relational:
        """How the model scores triples."""
        return self._scoring

    def __sklearn_is_fitted__(self) -> bool:
        return "entity_vectors_" in vars(self)

    def _not_fitted(self) -> NotFittedError:
        return not_fitted(f"{type(self).__name__}: not fitted yet. Call fit(knowledge_graph) first.")

    def transform(self, entities: Iterable[NodeName] | None = None) -> FloatArray:
        """Return the vectors of entities by name, float32 [k, dim]; of all entities, in their order, without names.

        Raises
        ------
        UnknownNodeError
            If a name is unknown.
        """
        vectors = self.entity_vectors_
        if entities is None:
            return vectors
        names = getattr(entities, "entity_names", entities)  # a knowledge graph stands for its entities
        return vectors if names is self.entity_names_ else vectors[self.entity_names_.find(names)]

    def __getitem__(self, name: NodeName) -> FloatArray:
        """Return the vector of an entity, float32 [dim].

        Raises
        ------
        UnknownNodeError
            If there is no such entity; it is a KeyError.
        """
        vectors = self.entity_vectors_
        if isinstance(name, bool) or not isinstance(name, str | bytes | int | np.integer):
            raise UnknownNodeError(describe(type(self).__name__, expected="the name of an entity", got=name))
        return vectors[int(self.entity_names_.find([name])[0])]

    def __contains__(self, name: object) -> bool:
        return name in self.entity_names_

    def __len__(self) -> int:
        return len(self.entity_vectors_)

    def relation_vector(self, name: NodeName, *, inverse: bool = False) -> FloatArray:
        """Return the vector of a relation, float32; with `inverse` that which answers what the head of a tail is.

        Raises
        ------
        UnknownNodeError
            If there is no such relation.
        """
        table = self.inverse_relation_vectors_ if inverse else self.relation_vectors_
        return table[int(self.relation_names_.find([name])[0])]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model to a ``.safetensors`` file, atomically, and return the path; :func:`nodeloom.load` reads it.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        from nodeloom.io.model_file import model_path, write_model

        data = self.model_data()
        wanted = path_of("save", path)
        if wanted.is_dir():
            raise OutputError(describe(wanted, expected="the path of a file", got="a folder", hint="Add a file name."))
        target = model_path(wanted)
        write_model(target, data)
        return target

    def model_data(self) -> ModelData:
        """Return what a model file holds: tables ``entity`` and ``relation``, and the names of both."""
        from nodeloom.io.model_data import ModelData

        entity = self.entity_vectors_  # or the model is not fitted
        state: dict[str, Any] = {"finished": not self.partial_, "report": self.report_}
        state["epoch" if self.partial_ else "num_epoch"] = self.num_epoch_
        if self.validation_:
            state["validation"] = {"history": self.validation_}
        tables = {"entity": np.ascontiguousarray(entity), "relation": np.ascontiguousarray(self._relation_table)}
        names = {"entity": self.entity_names_, "relation": self.relation_names_}
        kinds = {"entity": "entity", "relation": "relation"}
        return ModelData(tables, kinds, names, self._config, state, self._graph_record)

    def _take_tables(self, tables: dict[str, FloatArray], entities: Vocabulary, relations: Vocabulary) -> None:
        """Take the two tables: the second has relations and their inverses side by side."""
        self.entity_vectors_, self._relation_table = tables["entity"], tables["relation"]
        width = self._relation_table.shape[1] // 2
        self.relation_vectors_ = self._relation_table[:, :width]
        self.inverse_relation_vectors_ = self._relation_table[:, width:]
        self.entity_names_, self.relation_names_ = entities, relations

    def _take_file(self, data: ModelData) -> None:
        """Become the model that a file holds.

        Raises
        ------
        ModelError
            Its tables are not those of the model.
        """
        entity, relation = data.tensors.get("entity"), data.tensors.get("relation")
        if data.rows.get("entity") != "entity" or data.rows.get("relation") != "relation":
            expected = "tables 'entity' and 'relation'"
            raise ModelError(describe(data.where, expected=expected, got=", ".join(sorted(data.rows))))
        assert entity is not None and relation is not None  # check_tables has seen them
        width = 2 * self._relational.relation_dim(entity.shape[1])
        if entity.shape[1] % self._relational.num_part or relation.shape[1] != width:
            got = f"entity {list(entity.shape)}, relation {list(relation.shape)}"
            expected = f"tables of {type(self).__name__}: relations of {width} values"
            raise ModelError(describe(data.where, expected=expected, got=got))
        self._take_tables(dict(data.tensors), data.vocabularies["entity"], data.vocabularies["relation"])
        self.report_, self.history_ = data.state.get("report", {}), []
        self.validation_ = data.state.get("validation", {}).get("history", [])
        self.partial_ = data.state.get("finished", True) is not True
        self._config, self._graph_record = data.config, data.graph


def checked_triples(graph: object) -> Any:
    """Return a knowledge graph, or raise DataError with the way to make one of the value."""
    from nodeloom.graph import KnowledgeGraph

    if isinstance(graph, KnowledgeGraph):
        return graph
    way = "from_file(path)" if isinstance(graph, str | os.PathLike) else "from_triples(triples)"
    kind = type(graph).__name__
    hint = f"Make one with KnowledgeGraph.{way}."
    raise DataError(describe("knowledge graph", expected="a nodeloom.KnowledgeGraph", got=kind, hint=hint))
