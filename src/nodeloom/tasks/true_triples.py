"""Triple classification: telling true triples from wrong ones by a threshold for each relation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, describe
from nodeloom.tasks.answers import triple_scores
from nodeloom.tasks.named_triples import ids_of_triples, tables_of
from nodeloom.tasks.wrong_triples import wrong_triples

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nodeloom.typing import DoubleArray, IndexArray


@dataclass(frozen=True)
class TripleClassification:
    """Result of :func:`triple_classification`.

    Attributes
    ----------
    accuracy, f1, auc : float
        Of the test triples, true and wrong ones: the share told right, F1 of the true ones, area under the ROC curve of the scores.
    num_positive, num_negative : int
        Test triples that are true, and wrong.
    num_global : int
        Test triples of relations without validation triples, which were told by the threshold of all relations.
    """

    accuracy: float
    f1: float
    auc: float
    num_positive: int
    num_negative: int
    num_global: int

    columns = ("accuracy", "F1", "AUC", "true", "wrong", "by the global threshold")

    def rows(self) -> list[tuple[Any, ...]]:
        """Return one row of plain values, under :attr:`columns`."""
        return [(self.accuracy, self.f1, self.auc, self.num_positive, self.num_negative, self.num_global)]

    def metrics(self) -> dict[str, float]:
        """Return the scores by name."""
        return {"accuracy": self.accuracy, "F1": self.f1, "AUC": self.auc}

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types."""
        return {"task": "triple classification", "metrics": self.metrics(), **asdict(self)}


def triple_classification(
    model: Any,
    test: Any,
    validation: Any,
    known: Iterable[Any] = (),
    *,
    test_negatives: Any = None,
    validation_negatives: Any = None,
    seed: int = 0,
) -> TripleClassification:
    """Tell true triples from wrong ones by thresholds of scores, which validation triples set.

    The threshold of a relation is the lowest of those with the highest accuracy on its validation triples; a relation that has none gets
    the threshold of all relations together.

    Parameters
    ----------
    model : estimator, or (Relational, entity table, relation table)
        A fitted model.
    test, validation : KnowledgeGraph, names or ids [n, 3]
        True triples.
    known : iterable of KnowledgeGraph, names or ids [E, 3]
        Other true triples, such as those of training, which are not drawn as wrong ones.
    test_negatives, validation_negatives : KnowledgeGraph, names or ids [n, 3], optional
        Wrong triples. By default one is drawn for each true one: another head or another tail.
    seed : int
        Seed of the draws.
    """
    given = [some for some in (test_negatives, validation_negatives) if some is not None]
    tables, ids = ids_of_triples(tables_of(model), [test, validation, *known, *given])
    positives, own, others = ids[0], ids[1], ids[2 : len(ids) - len(given)]
    wrong = iter(ids[len(ids) - len(given) :])
    num_entity = len(tables.entity)
    true = [positives, own, *others]
    negatives = next(wrong) if test_negatives is not None else wrong_triples(positives, true, num_entity, seed=seed)
    other = (
        next(wrong) if validation_negatives is not None else wrong_triples(own, true, num_entity, seed=seed + 1)
    )  # fmt: skip
    for name, some in (("test", positives), ("test", negatives), ("validation", own), ("validation", other)):
        if not len(some):
            raise DataError(describe(name, expected="true and wrong triples", got="none of one kind"))
    relations, scores, labels = _stacked(tables, own, other)
    least = best_threshold(scores, labels)
    thresholds = np.full(len(tables.relation), least)
    seen = np.zeros(len(tables.relation), bool)
    for relation in np.unique(relations).tolist():
        rows = relations == relation
        thresholds[relation], seen[relation] = best_threshold(scores[rows], labels[rows]), True
    relations, scores, labels = _stacked(tables, positives, negatives)
    told = scores >= thresholds[relations]
    right = int((told & labels).sum())
    from sklearn.metrics import roc_auc_score

    finite = np.nan_to_num(scores, neginf=-np.finfo(np.float64).max)
    return TripleClassification(
        float((told == labels).mean()),
        2 * right / max(int(told.sum() + labels.sum()), 1),
        float(roc_auc_score(labels, finite)),
        len(positives),
        len(negatives),
        int((~seen[relations]).sum()),
    )


def best_threshold(scores: DoubleArray, labels: npt.NDArray[np.bool_]) -> float:
    """Return the lowest of the thresholds with the most scores told right, where a score from the threshold on means true."""
    order = np.argsort(scores)
    ordered, true = scores[order], labels[order]
    values, first = np.unique(ordered, return_index=True)
    below = np.append(0, np.cumsum(~true))  # wrong ones below each place: told right
    right = below[first] + (true.sum() - np.append(0, np.cumsum(true))[first])
    candidates, right = np.append(values, np.inf), np.append(right, below[-1])
    return float(candidates[np.argmax(right)])


def _stacked(tables: Any, true: IndexArray, wrong: IndexArray) -> tuple[Any, DoubleArray, npt.NDArray[np.bool_]]:
    """Return relations, scores and labels of true and wrong triples."""
    both = np.concatenate([true, wrong])
    return both[:, 1], triple_scores(tables, both), np.arange(len(both)) < len(true)
