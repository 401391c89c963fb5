"""Asking a fitted model of a knowledge graph: answers, scores and probabilities, by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nodeloom.errors import ConfigError, DataError, UnknownNodeError, describe
from nodeloom.keywords import known_keywords

if TYPE_CHECKING:
    from nodeloom.io.vocabulary import Vocabulary
    from nodeloom.tasks.calibration import Calibration
    from nodeloom.tasks.named_triples import Tables
    from nodeloom.typing import DoubleArray, NodeName, OffsetArray

Answers = list[tuple[Any, float]]
Output = Literal["list", "pandas"]

_NAME = str | bytes | int | np.integer


class TripleAnswers:
    """What a model of a knowledge graph answers after ``fit``. Names come in and go out; inverse relations do not show.

    A question has one name or many for each part: ``predict_tails("Ann", "knows")`` gives one list of answers, ``predict_tails(["Ann",
    "Bob"], "knows")`` a list for each. ``known=`` takes knowledge graphs or rows of names whose answers are left out, such as the training
    graph. ``output="pandas"`` gives one DataFrame with a row for each answer.
    """

    entity_names_: Vocabulary
    relation_names_: Vocabulary

    @known_keywords()
    def predict_tails(
        self,
        head: NodeName | Iterable[NodeName],
        relation: NodeName | Iterable[NodeName],
        k: int = 10,
        *,
        known: Any = (),
        probability: bool = False,
        output: Output = "list",
    ) -> Any:
        """Return the `k` entities that are the likeliest tails, as (name, score), best first; of equal scores in the order of the entities.

        Parameters
        ----------
        head, relation : name or names [q]
            What is asked; one name goes with all others.
        k : int
            How many answers.
        known : KnowledgeGraph, rows of names, or a list of them
            Triples whose tails are left out.
        probability : bool
            Give probabilities in place of scores; see :meth:`calibrate`.
        output : {"list", "pandas"}
            "pandas": a DataFrame with the columns head, relation, tail, score, answer_rank.

        Returns
        -------
        list of (name, score), a list of these, or DataFrame

        Raises
        ------
        UnknownNodeError
            If the model does not have a name.
        ConfigError
            If `k` or `output` is not allowed.
        """
        return self._entities(("head", head), relation, 0, k, known, probability, output)

    @known_keywords()
    def predict_heads(
        self,
        relation: NodeName | Iterable[NodeName],
        tail: NodeName | Iterable[NodeName],
        k: int = 10,
        *,
        known: Any = (),
        output: Output = "list",
    ) -> Any:
        """Return the `k` entities that are the likeliest heads, as (name, score), best first; as :meth:`predict_tails`.

        The scores are those of the question (?, relation, tail), for which a relation has a vector of its own: they compare heads, but are
        not those of :meth:`score`.
        """
        return self._entities(("tail", tail), relation, 1, k, known, False, output)

    def _entities(
        self, entity: tuple[str, Any], relation: Any, side: int, k: int, known: Any, probability: bool, output: Output
    ) -> Any:
        from nodeloom.tasks.answers import best_entities

        _check_output(output)
        tables = self._tables()
        ends, one = _find(self.entity_names_, entity[1], entity[0])
        kinds, other = _find(self.relation_names_, relation, "relation")
        ends, kinds = _aligned(ends, kinds, entity[0], "relation")
        ids, scores = best_entities(tables, ends, 2 * kinds + side, k, self._known(tables, known))
        if probability:
            fitted = self._calibration_or_error()
            scores = fitted.probabilities(np.repeat(kinds, ids.shape[1]), scores.ravel()).reshape(ids.shape)
        if output == "pandas":
            asked = {entity[0]: self.entity_names_.take(ends), "relation": self.relation_names_.take(kinds)}
            name = "probability" if probability else "score"
            return _frame(asked, ("tail", "head")[side], self.entity_names_, ids, scores, name)
        return _lists(self.entity_names_, ids, scores, one and other)

    @known_keywords()
    def predict_relations(
        self,
        head: NodeName | Iterable[NodeName],
        tail: NodeName | Iterable[NodeName],
        k: int = 10,
        *,
        known: Any = (),
        output: Output = "list",
    ) -> Any:
        """Return the `k` likeliest relations from a head to a tail, as (name, score), best first; as :meth:`predict_tails`."""
        from nodeloom.tasks.answers import best_relations

        _check_output(output)
        tables = self._tables()
        heads, one = _find(self.entity_names_, head, "head")
        tails, other = _find(self.entity_names_, tail, "tail")
        heads, tails = _aligned(heads, tails, "head", "tail")
        ids, scores = best_relations(tables, heads, tails, k, self._known(tables, known))
        if output == "pandas":
            asked = {"head": self.entity_names_.take(heads), "tail": self.entity_names_.take(tails)}
            return _frame(asked, "relation", self.relation_names_, ids, scores, "score")
        return _lists(self.relation_names_, ids, scores, one and other)

    @known_keywords()
    def predict_triples(
        self,
        k: int = 10,
        *,
        relation: NodeName | Iterable[NodeName] | None = None,
        known: Any = (),
        output: Output = "list",
    ) -> Any:
        """Return the `k` triples with the highest scores of all, as (head, relation, tail, score), best first.

        All N x R x N triples are scored, or N x N for each `relation`. A smaller k gives the beginning of the list of a greater one.
        """
        from nodeloom.tasks.answers import best_triples

        _check_output(output)
        tables = self._tables()
        kinds = None if relation is None else _find(self.relation_names_, relation, "relation")[0]
        triples, scores = best_triples(tables, k, self._known(tables, known), kinds)
        heads, tails = (self.entity_names_.take(triples[:, i]) for i in (0, 2))
        names = self.relation_names_.take(triples[:, 1])
        if output == "pandas":
            import pandas

            return pandas.DataFrame({"head": heads, "relation": names, "tail": tails, "score": scores})
        return list(zip(heads, names, tails, scores.tolist(), strict=True))

    def score(
        self,
        heads: NodeName | Iterable[NodeName],
        relations: NodeName | Iterable[NodeName],
        tails: NodeName | Iterable[NodeName],
    ) -> DoubleArray:
        """Return the scores of triples, float64 [n]: the larger, the likelier; one name goes with all others.

        They are those of :meth:`predict_tails`, to the last bit.

        Raises
        ------
        UnknownNodeError
            If the model does not have a name.
        DataError
            If there are not as many of each.
        """
        from nodeloom.tasks.answers import triple_scores

        tables = self._tables()
        return triple_scores(tables, self._ids(heads, relations, tails))

    def _ids(self, heads: Any, relations: Any, tails: Any) -> OffsetArray:
        found = [
            _find(self.entity_names_, heads, "heads")[0],
            _find(self.relation_names_, relations, "relations")[0],
            _find(self.entity_names_, tails, "tails")[0],
        ]
        count = max(len(ids) for ids in found)
        for ids, name in zip(found, ("heads", "relations", "tails"), strict=True):
            if len(ids) not in (1, count):
                raise DataError(describe(name, expected=f"{count} names, as of the others, or one", got=len(ids)))
        return np.stack([np.broadcast_to(ids, count) for ids in found], axis=1)

    @known_keywords()
    def calibrate(
        self,
        graph: Any,
        *,
        known: Any = (),
        negatives: Any = None,
        positive_rate: float = 0.5,
        num_negative: int = 10,
        seed: int = 0,
    ) -> Any:
        """Learn how likely a triple of some score is true, for :meth:`probability`: a logistic curve for each relation.

        A relation with fewer than 20 held-out triples gets the curve of all relations together.

        Parameters
        ----------
        graph : KnowledgeGraph or rows of names
            True triples that were not trained on, such as those of validation.
        known : KnowledgeGraph, rows of names, or a list of them
            Other true triples, which are not drawn as wrong ones: the training graph.
        negatives : KnowledgeGraph or rows of names, optional
            Wrong triples; by default true ones with another head or tail.
        positive_rate : float
            Share of true triples among those that will be asked about. Probabilities depend on it.
        num_negative, seed : int
            Wrong triples to draw for each true one, and the seed of the draws.

        Returns
        -------
        self
        """
        from nodeloom.tasks.answers import triple_scores
        from nodeloom.tasks.calibration import fit_calibration
        from nodeloom.tasks.wrong_triples import wrong_triples

        tables = self._tables()
        sets = [graph, *_listed(known), *([] if negatives is None else [negatives])]
        true, *others = self._known(tables, sets)
        wrong = others.pop() if negatives is not None else None
        if wrong is None:
            wrong = wrong_triples(true, others, len(tables.entity), num_negative, seed)
        both = np.concatenate([true, wrong])
        labels = np.arange(len(both)) < len(true)
        scores = triple_scores(tables, both)
        self.calibration_ = fit_calibration(both[:, 1], scores, labels, len(tables.relation), positive_rate)
        return self

    def probability(
        self,
        heads: NodeName | Iterable[NodeName],
        relations: NodeName | Iterable[NodeName],
        tails: NodeName | Iterable[NodeName],
    ) -> DoubleArray:
        """Return how likely triples are true, float64 [n], by the curves of :meth:`calibrate`; arguments as of :meth:`score`."""
        from nodeloom.tasks.answers import triple_scores

        fitted = self._calibration_or_error()
        ids = self._ids(heads, relations, tails)
        return fitted.probabilities(ids[:, 1], triple_scores(self._tables(), ids))

    def _calibration_or_error(self) -> Calibration:
        fitted: Calibration | None = vars(self).get("calibration_")
        if fitted is None:
            hint = (
                "Call calibrate(validation, known=training) first: probabilities come from triples that were held out."
            )
            where = type(self).__name__
            raise ConfigError(describe(where, expected="a calibrated model", got="none", hint=hint))
        return fitted

    @known_keywords()
    def nearest(
        self, entity: NodeName, k: int = 10, *, metric: Literal["cosine", "dot", "euclidean"] = "cosine"
    ) -> Answers:
        """Return the `k` entities whose vectors are nearest to that of an entity, nearest first, as (name, score).

        Raises
        ------
        UnknownNodeError
            If there is no such entity.
        """
        from nodeloom.tasks.neighbors import nearest

        row = _find(self.entity_names_, entity, "entity")[0]
        ids, scores = nearest(self._tables().entity, row, k, metric=metric)
        return list(zip(self.entity_names_.take(ids[0]), scores[0].astype(float).tolist(), strict=True))

    @known_keywords()
    def similar_triples(
        self, head: NodeName, relation: NodeName, tail: NodeName, train: Any, k: int = 5
    ) -> list[tuple[Any, Any, Any, float]]:
        """Return the training triples of a relation whose ends resemble those of a triple: what a prediction may come from.

        Parameters
        ----------
        head, relation, tail : name
            The triple, which need not be true.
        train : KnowledgeGraph or rows of names
            Training triples.
        k : int
            How many.

        Returns
        -------
        list of (head, relation, tail, similarity)
            The mean of the cosines of heads and of tails, falling.
        """
        from nodeloom.tasks.answers import similar_triples

        tables = self._tables()
        h, r, t = self._ids(head, relation, tail)[0].tolist()
        triples, similarity = similar_triples(tables, h, r, t, self._known(tables, train)[0], k)
        heads, tails = (self.entity_names_.take(triples[:, i]) for i in (0, 2))
        names = self.relation_names_.take(triples[:, 1])
        return list(zip(heads, names, tails, similarity.tolist(), strict=True))

    def _tables(self) -> Tables:
        from nodeloom.tasks.named_triples import tables_of

        return tables_of(self)

    def _known(self, tables: Tables, known: Any) -> list[Any]:
        """Return triples as ids, without those that have a name that the model lacks: they answer no question."""
        from nodeloom.tasks.named_triples import ids_of_triples

        sets = ids_of_triples(tables, _listed(known), grow=False)[1]
        return [some[(some >= 0).all(axis=1)] for some in sets]


def _listed(known: Any) -> list[Any]:
    """Return sets of triples as a list; a knowledge graph, an array, a table or rows of names are one set."""
    if hasattr(known, "entity_names") or hasattr(known, "__array__") or hasattr(known, "to_numpy"):
        return [known]
    sets = list(known)
    if sets and isinstance(sets[0], tuple | list) and len(sets[0]) == 3 and isinstance(sets[0][0], _NAME):
        return [sets]
    return sets


def _find(names: Vocabulary, values: Any, where: str) -> tuple[OffsetArray, bool]:
    """Return the numbers of names [q], and whether it was one name.

    Raises
    ------
    UnknownNodeError
        A name is unknown.
    """
    single = isinstance(values, _NAME)
    if not single and not isinstance(values, Iterable):
        raise DataError(describe(where, expected="a name or several", got=values))
    try:
        return names.find([values] if single else values), single
    except UnknownNodeError as error:
        kind = "relations" if where.startswith("relation") else "entities"
        text = str(error).replace("nodes of the graph", f"{kind} of the knowledge graph")
        raise UnknownNodeError(f"{where}: {text}") from None


def _aligned(first: OffsetArray, second: OffsetArray, name: str, other: str) -> tuple[OffsetArray, OffsetArray]:
    count = max(len(first), len(second))
    for ids, what in ((first, name), (second, other)):
        if len(ids) not in (1, count):
            raise DataError(describe(what, expected=f"{count} names, as of the other, or one", got=len(ids)))
    return np.broadcast_to(first, count), np.broadcast_to(second, count)


def _check_output(output: Any) -> None:
    if output not in ("list", "pandas"):
        raise ConfigError(describe("output", expected="'list' or 'pandas'", got=output))


def _lists(names: Vocabulary, ids: OffsetArray, scores: DoubleArray, single: bool) -> Any:
    found = []
    for row, values in zip(ids, scores, strict=True):
        there = row >= 0
        found.append(list(zip(names.take(row[there]), values[there].tolist(), strict=True)))
    return found[0] if single else found


def _frame(asked: dict[str, Any], answer: str, names: Vocabulary, ids: OffsetArray, scores: Any, name: str) -> Any:
    """Return answers as a DataFrame, with the columns of the questions."""
    import pandas

    query, column = np.nonzero(ids >= 0)
    columns: dict[str, Any] = {what: np.asarray(values, object)[query] for what, values in asked.items()}
    columns[answer] = names.take(ids[query, column])
    columns[name] = scores[query, column]
    columns["answer_rank"] = column + 1
    order = [what for what in ("head", "relation", "tail") if what in columns]
    return pandas.DataFrame({what: columns[what] for what in (*order, name, "answer_rank")})
