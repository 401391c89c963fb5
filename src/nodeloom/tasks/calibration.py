"""Probabilities from scores: a logistic curve for each relation, fitted to triples that are held out and to wrong ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.errors import ConfigError, DataError, describe

if TYPE_CHECKING:
    from nodeloom.typing import DoubleArray, IndexArray

LEAST = 20
"""Held-out triples from which on a relation gets a curve of its own."""


@dataclass(frozen=True)
class Calibration:
    """Logistic curves (Platt, 1999): the probability of a triple is ``1 / (1 + exp(-(slope * score + shift)))``.

    Attributes
    ----------
    slope, shift : float64 [R]
        Of each relation; that of all relations together where a relation has too few held-out triples.
    own : bool [R]
        Relations that have a curve of their own.
    positive_rate : float
        Share of true triples that probabilities are meant for.
    """

    slope: DoubleArray
    shift: DoubleArray
    own: Any
    positive_rate: float

    def probabilities(self, relations: IndexArray, scores: DoubleArray) -> DoubleArray:
        """Return the probabilities of triples of relations, given their scores, float64 [n]."""
        with np.errstate(all="ignore"):
            return 1 / (1 + np.exp(-(self.slope[relations] * scores + self.shift[relations])))


def fit_calibration(
    relations: IndexArray, scores: DoubleArray, labels: Any, num_relation: int, positive_rate: float = 0.5
) -> Calibration:
    """Fit the curves.

    Parameters
    ----------
    relations, scores, labels : int [n], float64 [n], bool [n]
        Relations of triples, their scores, and whether they are true.
    num_relation : int
        R.
    positive_rate : float
        Share of true triples among those that will be asked about: true and wrong ones are weighed to it.

    Raises
    ------
    ConfigError
        If `positive_rate` is not between 0 and 1.
    DataError
        If there are no true triples, or no wrong ones.
    """
    if not 0 < positive_rate < 1:
        raise ConfigError(describe("positive_rate", expected="a share between 0 and 1", got=positive_rate))
    labels = np.asarray(labels, bool)
    finite = np.isfinite(scores)
    relations, scores, labels = relations[finite], scores[finite], labels[finite]
    if labels.all() or not labels.any():
        got = f"{int(labels.sum())} true and {int((~labels).sum())} wrong ones"
        raise DataError(describe("calibration", expected="true and wrong triples with scores", got=got))
    slope, shift = _curve(scores, labels, positive_rate)
    slopes, shifts = np.full(num_relation, slope), np.full(num_relation, shift)
    own = np.zeros(num_relation, bool)
    for relation in np.unique(relations):
        rows = relations == relation
        if labels[rows].sum() < LEAST or (~labels[rows]).sum() < LEAST:
            continue
        curve = _curve(scores[rows], labels[rows], positive_rate)
        if curve[0] > 0:  # else a higher score would be a lower probability
            slopes[relation], shifts[relation], own[relation] = *curve, True
    return Calibration(slopes, shifts, own, positive_rate)


def _curve(scores: DoubleArray, labels: Any, positive_rate: float) -> tuple[float, float]:
    from sklearn.linear_model import LogisticRegression

    center, spread = float(np.mean(scores)), float(np.std(scores)) or 1.0
    weights = np.where(labels, positive_rate / labels.sum(), (1 - positive_rate) / (~labels).sum()) * len(labels)
    fitted = LogisticRegression(C=100.0).fit(((scores - center) / spread)[:, None], labels, weights)
    slope = float(fitted.coef_[0, 0]) / spread
    return slope, float(fitted.intercept_[0]) - slope * center
