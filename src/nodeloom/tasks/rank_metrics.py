"""Metrics of ranks: pure functions of the table of ranks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import digamma

from nodeloom.errors import ConfigError, DataError, describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodeloom.tasks.ranks import Kind, Ranks, Side
    from nodeloom.typing import DoubleArray

HITS = (1, 3, 10)
"""The k of hits@k that are told if nothing else is said."""


def metrics(
    ranks: Ranks,
    side: Side = "both",
    *,
    kind: Kind = "realistic",
    hits: Sequence[int] = HITS,
    weights: DoubleArray | None = None,
) -> dict[str, float]:
    """Return metrics of ranks, by name.

    Parameters
    ----------
    ranks : Ranks
        The ranks.
    side : {"both", "tail", "head"}
        Whose ranks. Of both: the mean over the ``2 n`` ranks.
    kind : {"realistic", "optimistic", "pessimistic"}
        What the rank among equal scores is: the mean, ahead of all, or behind all.
    hits : sequence of int
        The k of hits@k.
    weights : float64 [n, 2], optional
        How much each rank counts; alike by default.

    Returns
    -------
    dict
        ``mrr`` (mean of 1 / rank), ``mr`` (mean rank), ``median``, ``hits@k``; adjusted for chance: ``amr`` (mean rank by that of chance:
        1 is chance, 0 is best), ``amri`` (adjusted mean rank index: 0 is chance, 1 is best), ``adjusted_mrr`` and ``adjusted_hits@k``
        (likewise). Each but the median has a standard error ``..._se``, from the spread among triples, of which the two sides are one
        sample. ``num_ranks`` counts.

    Raises
    ------
    ConfigError
        If there is no such side or kind, or a k is below 1.
    DataError
        If there is no rank.
    """
    values, total = ranks.of(side, kind), ranks.num_candidates[:, ranks.columns_of(side)]
    if not len(values):
        raise DataError(describe("metrics", expected="at least one rank", got=len(values)))
    if any(k < 1 for k in hits):
        raise ConfigError(describe("hits", expected="numbers >= 1", got=list(hits)))
    share = np.ones(values.shape) if weights is None else np.asarray(weights, np.float64)[:, ranks.columns_of(side)]
    name = ranks.suffix

    found: dict[str, float] = {}

    def add(key: str, each: DoubleArray, chance: DoubleArray | None = None, adjusted: str = "") -> None:
        mean, error = _mean(each, share)
        found[key + name], found[f"{key}{name}_se"] = mean, error
        if chance is not None:
            expected = _mean(chance, share)[0]
            room = 1 - expected
            found[adjusted + name] = (mean - expected) / room if room > 0 else float("nan")
            found[f"{adjusted}{name}_se"] = error / abs(room) if room > 0 else float("nan")

    counts = total.astype(np.float64)
    add("mrr", 1 / values, (digamma(counts + 1) + np.euler_gamma) / counts, "adjusted_mrr")
    add("mr", values)
    found["median" + name] = _median(values, None if weights is None else share)
    for k in hits:
        add(f"hits@{k}", (values <= k).astype(np.float64), np.minimum(k, counts) / counts, f"adjusted_hits@{k}")
    mean, error = found["mr" + name], found[f"mr{name}_se"]
    expected = _mean((counts + 1) / 2, share)[0]
    found["amr" + name], found[f"amr{name}_se"] = mean / expected, error / expected
    room = expected - 1
    found["amri" + name] = 1 - (mean - 1) / room if room > 0 else float("nan")
    found[f"amri{name}_se"] = error / room if room > 0 else float("nan")
    found["num_ranks"] = values.size
    return found


def _mean(values: DoubleArray, weights: DoubleArray) -> tuple[float, float]:
    """Return a weighted mean and its standard error, where each row is a sample."""
    total = float(weights.sum())
    mean = float((values * weights).sum()) / total
    count = len(values)
    if count < 2:
        return mean, float("nan")
    spread = ((values - mean) * weights).sum(axis=1)
    return mean, float(np.sqrt((spread**2).sum() * count / (count - 1))) / total


def _median(values: DoubleArray, weights: DoubleArray | None) -> float:
    """Return the median, by weights if there are some."""
    if weights is None:
        return float(np.median(values))
    order = np.argsort(values, axis=None)
    ordered, part = values.ravel()[order], np.cumsum(weights.ravel()[order])
    part /= part[-1]
    at = int(np.searchsorted(part, 0.5))
    return float(ordered[at : at + 2].mean()) if part[at] == 0.5 else float(ordered[at])
