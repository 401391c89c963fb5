"""How well a model of a knowledge graph predicts triples: ranks, metrics of every kind, and what counting alone reaches."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from nodeloom.log import logger
from nodeloom.tasks.named_triples import Tables, ids_of_triples, tables_of
from nodeloom.tasks.queries import Queries
from nodeloom.tasks.rank_groups import CATEGORIES, categories, frequency_ranks, query_weights
from nodeloom.tasks.rank_metrics import HITS, metrics
from nodeloom.tasks.ranking import Candidates, rank
from nodeloom.tasks.sampled_ranks import relation_ranks, sampled_ranks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nodeloom.io.vocabulary import Vocabulary
    from nodeloom.tasks.ranks import Ranks, Side


FREQUENCIES = (0, 1, 4, 11, 31, 101, 1001, float("inf"))
"""Bounds of how often training has an answer, for :meth:`TripleRanking.by_frequency`."""


@dataclass(frozen=True, repr=False)
class TripleRanking:
    """Result of :func:`triple_ranking`.

    Attributes
    ----------
    ranks : Ranks
        The rank of each answer, with ids; ``ranks.save(path)`` writes them.
    baseline : Ranks or None
        What is reached by how often training has an entity in this place of the relation; None without training triples.
    category : int8 [R] or None
        Category of each relation in training, a place in ``CATEGORIES``; -1: not in training.
    relation_names : Vocabulary
        Names of relations.
    counts : int64 [N] or None
        Training triples of each entity.
    num_unseen, num_dropped : int
        Triples with an entity or a relation that training has not seen, and how many of them were left out.
    hits : tuple of int
        The k of hits@k.
    """

    ranks: Ranks
    baseline: Ranks | None
    category: npt.NDArray[np.int8] | None
    relation_names: Vocabulary
    num_unseen: int = 0
    num_dropped: int = 0
    counts: npt.NDArray[np.int64] | None = None
    hits: tuple[int, ...] = HITS

    @property
    def _sides(self) -> tuple[Side, ...]:
        """Sides that metrics are told of: both and each, or the only one."""
        return self.ranks.sides if len(self.ranks.sides) == 1 else ("both", *self.ranks.sides)

    @property
    def columns(self) -> tuple[str, ...]:
        """Heads of :meth:`rows`."""
        name = self.ranks.suffix
        return ("answers", f"MRR{name}", "±", *(f"hits@{k}{name}" for k in self.hits), f"MR{name}", f"AMRI{name}")

    def rows(self) -> list[tuple[Any, ...]]:
        """Return one row of plain values for each side, for the mean over queries, and for the baseline, under :attr:`columns`."""
        name = self.ranks.suffix
        named = [(str(side), metrics(self.ranks, side, hits=self.hits)) for side in self._sides]
        if len(named) > 1:
            named.append(("both, by query", self.by_query()))
        if self.baseline is not None:
            named.append(("frequency in training", metrics(self.baseline, hits=self.hits)))
        rows = []
        for what, m in named:
            own = "" if what == "frequency in training" else name
            keys = ("mrr", f"mrr{own}_se", *(f"hits@{k}" for k in self.hits), "mr", "amri")
            rows.append((what, *(m[key if key.endswith("_se") else key + own] for key in keys)))
        return rows

    def metrics(self, side: Side = "both") -> dict[str, float]:
        """Return the main metrics under the names that GraphVite gives them, for realistic ranks."""
        m, name = metrics(self.ranks, side, hits=self.hits), self.ranks.suffix
        found = {f"MR{name}": m["mr" + name], f"MRR{name}": m["mrr" + name]}
        return found | {f"HITS@{k}{name}": m[f"hits@{k}{name}"] for k in self.hits}

    def by_query(self, side: Side = "both") -> dict[str, float]:
        """Return metrics (macro) to which each distinct query counts alike, however many triples ask it."""
        return metrics(self.ranks, side, hits=self.hits, weights=query_weights(self.ranks.triples))

    def by_relation(self, side: Side = "both") -> list[dict[str, Any]]:
        """Return metrics of each relation among the triples, the most frequent first; ``pandas.DataFrame`` takes the list."""
        relations = self.ranks.triples[:, 1]
        found, counts = np.unique(relations, return_counts=True)
        rows = []
        for number in np.argsort(-counts, kind="stable").tolist():
            relation = int(found[number])
            row: dict[str, Any] = {"relation": self.relation_names[relation], "num_triples": int(counts[number])}
            if self.category is not None:
                row["category"] = CATEGORIES[self.category[relation]] if self.category[relation] >= 0 else None
            rows.append(row | metrics(self.ranks.take(relations == relation), side, hits=self.hits))
        return rows

    def by_frequency(self, side: Side = "both") -> list[dict[str, Any]]:
        """Return metrics of the answers that training has so often, as head or tail: never, 1 to 3, 4 to 10 times, and so on."""
        if self.counts is None:
            return []
        rows = []
        columns = self.ranks.columns_of(side)
        answers = self.counts[self.ranks.triples[:, [2, 0]]]
        for low, high in itertools.pairwise(FREQUENCIES):
            inside = (answers >= low) & (answers < high)
            if inside[:, columns].any():
                row: dict[str, Any] = {
                    "from": low,
                    "to": high - 1 if np.isfinite(high) else None,
                    "num_ranks": int(inside[:, columns].sum()),
                }
                rows.append(metrics(self.ranks, side, hits=self.hits, weights=inside.astype(np.float64)) | row)
        return rows

    def by_category(self, side: Side = "both") -> list[dict[str, Any]]:
        """Return metrics of the triples of each category of relations, 1-1 to N-N; empty without training triples."""
        if self.category is None:
            return []
        kind = self.category[self.ranks.triples[:, 1]]
        return [
            {"category": name, "num_triples": int((kind == number).sum())}
            | metrics(self.ranks.take(kind == number), side, hits=self.hits)
            for number, name in enumerate(CATEGORIES)
            if (kind == number).any()
        ]

    def to_pandas(self) -> Any:
        """Return :meth:`rows` as a DataFrame."""
        import pandas

        return pandas.DataFrame(self.rows(), columns=list(self.columns))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types: metrics of each side and kind, by query, by category, and of the baseline."""
        kinds: tuple[Any, ...] = ("realistic", "optimistic", "pessimistic")
        result: dict[str, Any] = {
            "task": "triple ranking",
            "metrics": self.metrics(),
            "num_triples": len(self.ranks),
            "num_unseen": self.num_unseen,
            "num_dropped": self.num_dropped,
            "ranks": {
                side: {kind: metrics(self.ranks, side, kind=kind, hits=self.hits) for kind in kinds}
                for side in self._sides
            },
        }
        if len(self._sides) > 1:
            result["by_query"] = {side: self.by_query(side) for side in self._sides}
        if self.category is not None:
            result["by_category"] = {side: self.by_category(side) for side in self._sides}
            result["by_frequency"] = {side: self.by_frequency(side) for side in self._sides}
        if self.baseline is not None:
            result["frequency"] = {side: metrics(self.baseline, side, hits=self.hits) for side in self._sides}
        return result

    def __repr__(self) -> str:
        m, name = metrics(self.ranks, hits=self.hits), self.ranks.suffix
        hits = ", ".join(f"hits@{k}{name} {m[f'hits@{k}{name}']:.4f}" for k in self.hits)
        lines = [f"TripleRanking: {len(self.ranks):,} triples, {' and '.join(self.ranks.sides)}"]
        lines.append(
            f"  MRR{name} {m['mrr' + name]:.4f} ± {m[f'mrr{name}_se']:.4f}, {hits}, MR{name} {m['mr' + name]:.1f}"
        )
        if self.baseline is not None:
            lines.append(f"  frequency in training: MRR {metrics(self.baseline)['mrr']:.4f}")
        if self.num_unseen:
            what = f"{self.num_dropped:,} of them left out" if self.num_dropped else "ranked like the others"
            lines.append(f"  {self.num_unseen:,} triples have something that training has not seen: {what}")
        return "\n".join(lines)


def triple_ranking(
    model: Any,
    triples: Any,
    known: Iterable[Any] = (),
    *,
    train: Any = None,
    filtered: bool = True,
    what: Literal["entities", "relations"] = "entities",
    candidates: Literal["all", "observed"] | Candidates | int | tuple[Any, Any] = "all",
    unseen: Literal["rank", "drop", "worst"] = "rank",
    hits: Sequence[int] = HITS,
    device: Any = "cpu",
    memory: int | None = None,
    num_thread: int | None = None,
    seed: int = 0,
) -> TripleRanking:
    """Rank the heads and the tails of triples among all entities, exactly.

    Parameters
    ----------
    model : estimator, or (Relational, entity table, relation table)
        A fitted model of a knowledge graph; or operator and comparator with tables of ids.
    triples : KnowledgeGraph, names [n, 3] or ids [n, 3]
        What to predict, such as a test set. Rows of names are those of the model; without a vocabulary there are only ids.
    known : iterable of KnowledgeGraph, names or ids [E, 3]
        Other triples that are known to be true, such as training and validation triples: their entities are no wrong answers.
    train : KnowledgeGraph, names or ids [E, 3], optional
        Training triples: for the baseline, categories, observed candidates, and to tell unseen entities. The first of `known` by default.
    filtered : bool
        Leave known answers out of the candidates, those of `triples` too. False: the raw setting.
    what : {"entities", "relations"}
        What to predict: head and tail, or the relation between them.
    candidates : {"all", "observed"}, Candidates, int, or (int [n, K], int [n, K])
        Who may answer: all entities; those that training has in the place of the relation, and the answer; lists; or, for comparisons
        with benchmarks that do so, this many drawn at random, or given negatives, with metrics labelled ``@K``.
    unseen : {"rank", "drop", "worst"}
        What to do with triples that have an entity or a relation that training has not seen. What the model has no vector for scores
        below all that have one.
    hits : sequence of int
        The k of hits@k.
    device, memory, num_thread
        As of :func:`nodeloom.tasks.ranking.rank`.
    seed : int
        Seed of candidates that are drawn.

    Returns
    -------
    TripleRanking
        Ranks and all that follows from them.

    Raises
    ------
    DataError
        If triples have a wrong shape, or there are none.
    """
    given = tables_of(model)
    tables, asked, sets, train_ids = _named(given, triples, list(known), train)
    num_unknown = len(tables.entity) - len(given.entity) + len(tables.relation) - len(given.relation)
    names = tables.relation_names
    true = [*sets, asked] if filtered else []
    where: dict[str, Any] = {"device": device, "memory": memory, "num_thread": num_thread}
    arrays = (tables.relational, tables.entity, tables.relation)
    if what == "relations":
        return TripleRanking(relation_ranks(*arrays, asked, true, **where), None, None, names, hits=tuple(hits))
    size = len(tables.entity), len(tables.relation)
    if isinstance(candidates, int | np.integer | tuple):
        ranks = sampled_ranks(*arrays, asked, candidates, true, seed=seed, **where)
        return TripleRanking(ranks, None, None, names, hits=tuple(hits))
    limited = _observed(candidates, train_ids, size) if isinstance(candidates, str) else candidates
    queries = Queries.of(asked, true, *size)
    ranks = rank(
        *arrays,
        asked,
        true,
        candidates=limited,
        train=train_ids,
        unseen=unseen,
        queries=queries,
        num_unknown=num_unknown,
        **where,
    )
    kept = asked if not ranks.num_dropped else ranks.triples
    baseline = kinds = None
    if train_ids is not None:
        baseline = frequency_ranks(kept, true, train_ids, *size, queries=queries if kept is asked else None)
        kinds = categories(train_ids, *size)
    num_unseen = ranks.num_dropped + int(ranks.unseen.sum())
    counts = None if train_ids is None else np.bincount(train_ids[:, [0, 2]].ravel(), minlength=size[0])
    return TripleRanking(ranks, baseline, kinds, names, num_unseen, ranks.num_dropped, counts, tuple(hits))


def _observed(candidates: str, train: Any, size: tuple[int, int]) -> Candidates | None:
    from nodeloom.errors import ConfigError, describe

    if candidates == "all":
        return None
    if candidates != "observed":
        expected = "'all', 'observed', Candidates, a number or negatives"
        raise ConfigError(describe("candidates", expected=expected, got=candidates))
    if train is None:
        raise ConfigError(describe("train", expected="training triples, whose entities are candidates", got=None))
    return Candidates.observed(train, *size)


def _named(tables: Tables, triples: Any, known: list[Any], train: Any) -> tuple[Tables, Any, list[Any], Any]:
    """Return triples as ids, and tables that have a row, of NaN, for what the model does not know."""
    before = len(tables.entity), len(tables.relation)
    tables, found = ids_of_triples(tables, [triples, *known, *([] if train is None else [train])])
    added = len(tables.entity) - before[0], len(tables.relation) - before[1]
    if any(added):
        logger.info("%d entities and %d relations are unknown to the model: they score below all others.", *added)
    asked, sets = found[0], found[1 : 1 + len(known)]
    train_ids = found[-1] if train is not None else sets[0] if sets else None
    return tables, asked, sets, train_ids
