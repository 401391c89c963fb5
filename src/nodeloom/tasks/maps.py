"""Quality of maps: what a map keeps of vectors, or of a graph, beside the same map with its places dealt at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import ConfigError, DataError, describe
from nodeloom.graph.points import as_points
from nodeloom.io.finite import first_not_finite
from nodeloom.io.vocabulary import Vocabulary
from nodeloom.tasks.given import labels_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nodeloom.graph.graph import Graph
    from nodeloom.typing import DoubleArray, IndexArray

_BLOCK = 1 << 24  # distances held at a time
_GATHERED = 1 << 22  # numbers of the vectors gathered at a time
_MOST = 50  # neighbors of a node of a graph that are looked for
_EDGES = 50_000  # compared with as many pairs
_VOTERS = 10

Metric = str


@dataclass(frozen=True)
class MapQuality:
    """Result of :func:`map_quality` and :func:`graph_map_quality`.

    Attributes
    ----------
    scores : dict of str to float
        The measures by name; the more the better, 1 is the most.
    control : dict of str to float
        The same of the map whose places are dealt to the points at random.
    num_points, num_sampled : int
        Points of the map, and those whose neighbors were looked at.
    """

    scores: dict[str, float]
    control: dict[str, float]
    num_points: int
    num_sampled: int

    columns = ("measure", "map", "places at random")

    def rows(self) -> list[tuple[Any, ...]]:
        """Return one row of plain values for each measure, under :attr:`columns`."""
        return [(name, score, self.control[name]) for name, score in self.scores.items()]

    def metrics(self) -> dict[str, float]:
        """Return the measures by name."""
        return dict(self.scores)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types."""
        counts = {"num_points": self.num_points, "num_sampled": self.num_sampled}
        return {"task": "map quality", "metrics": self.metrics(), "control": dict(self.control), **counts}


def map_quality(
    coordinates: Any,
    vectors: Any,
    *,
    labels: Any = None,
    k: Iterable[int] = (15, 50),
    metric: Metric = "euclidean",
    num_sampled: int = 2000,
    num_triplets: int = 100_000,
    seed: int = 0,
    num_threads: int = -1,
) -> MapQuality:
    """Judge a map of vectors.

    Parameters
    ----------
    coordinates : array_like [N, 2 or 3]
        The map.
    vectors : array_like [N, D]
        What it is a map of.
    labels : array_like [N], or other forms of labels, optional
        Classes of the points, as :func:`node_classification` takes them; -1 and None are no label.
    k : iterable of int
        Neighbors of which the part that is kept is measured; trustworthiness is measured for the first.
    metric : {"euclidean", "cosine", "inner_product"}
        How near two vectors are.
    num_sampled : int
        Points whose neighbors are looked at, drawn at random; all if there are no more. Each is compared with all N points.
    num_triplets : int
        Random triplets of points.
    seed : int
        Of the samples and of the control.
    num_threads : int
        Threads of the search in the map; -1 for all.

    Returns
    -------
    MapQuality
        "recall@k": part of the k nearest others of a point that are among its k nearest in the map. "trustworthiness@k": 1 less the
        ranks beyond k of its nearest in the map (``sklearn.manifold.trustworthiness``). "triplets": part of triplets of points (a, b,
        c) in which the same of b and c is nearer to a. "accuracy@10": part of labelled points whose 10 nearest labelled others in the
        map have one of their labels most often.

    Raises
    ------
    DataError
        The map or the vectors are not numbers of the same N points, or are not finite.
    ConfigError
        k is not below half of the number of points.
    """
    places, rows = _places(coordinates), as_points(vectors, metric)
    if len(rows) != len(places):
        raise DataError(describe("map", expected=f"coordinates of {len(rows):,} vectors", got=f"of {len(places):,}"))
    sizes = _sizes(k, len(rows))
    rng = np.random.default_rng(seed)
    queries = _drawn(rng, len(rows), num_sampled)
    triplets = rng.integers(0, len(rows), (3, num_triplets))
    dealt = places[rng.permutation(len(places))]
    maps = (places, dealt)
    near = [_nearest(p, queries, max(sizes), num_threads) for p in maps]
    of_rows = _Measured(rows, metric)
    ranks = of_rows.ranks(queries, near)
    found: list[dict[str, float]] = []
    for p, rank in zip(maps, ranks, strict=True):
        scores = {f"recall@{size}": float((rank[:, :size] <= size).mean()) for size in sizes}
        first = sizes[0]
        beyond = np.maximum(rank[:, :first] - first, 0).sum() / len(queries)
        scores[f"trustworthiness@{first}"] = float(1 - beyond * 2 / (first * (2 * len(rows) - 3 * first - 1)))
        scores["triplets"] = _triplets(of_rows, p, triplets)
        found.append(scores)
    _add_accuracy(found, maps, labels, queries, num_threads)
    return MapQuality(found[0], found[1], len(rows), len(queries))


def graph_map_quality(
    coordinates: Any,
    graph: Graph,
    *,
    labels: Any = None,
    num_sampled: int = 3000,
    seed: int = 0,
    num_threads: int = -1,
) -> MapQuality:
    """Judge a map of the nodes of a graph.

    Parameters
    ----------
    coordinates : array_like [N, 2 or 3]
        The map, a row for each node.
    graph : Graph
        What it is a map of.
    labels, num_sampled, seed, num_threads
        As in :func:`map_quality`; nodes without edges are not drawn.

    Returns
    -------
    MapQuality
        "neighbor recall": part of the neighbors of a node that are among as many nearest in the map (of at most 50). "edge AUC": chance
        that an edge is shorter than a pair of nodes drawn at random. "accuracy@10": as in :func:`map_quality`.

    Raises
    ------
    DataError
        The map is not of this graph, or the graph has no edges.
    """
    from sklearn.metrics import roc_auc_score

    places = _places(coordinates)
    if len(places) != graph.num_nodes:
        raise DataError(
            describe("map", expected=f"coordinates of {graph.num_nodes:,} nodes", got=f"of {len(places):,}")
        )
    rng = np.random.default_rng(seed)
    heads = np.repeat(np.arange(graph.num_nodes), np.diff(graph.indptr))
    other = heads != graph.indices
    heads, tails = heads[other], np.asarray(graph.indices)[other]
    if not len(heads):
        raise DataError(describe("graph", expected="an edge between two different nodes", got=repr(graph)))
    linked = np.unique(heads)
    queries = linked[_drawn(rng, len(linked), num_sampled)]
    chosen = _drawn(rng, len(heads), _EDGES)
    pairs = rng.integers(0, graph.num_nodes, (2, len(chosen)))
    pairs = pairs[:, pairs[0] != pairs[1]]
    dealt = places[rng.permutation(len(places))]
    maps, found = (places, dealt), list[dict[str, float]]()
    most = min(_MOST, graph.num_nodes - 1)
    for p in maps:
        near = _nearest(p, queries, most, num_threads)
        kept = wanted = 0
        for row, node in zip(near, queries, strict=True):
            ends = np.unique(graph.indices[graph.indptr[node] : graph.indptr[node + 1]])
            ends = ends[ends != node]
            number = min(len(ends), most)
            kept += np.isin(row[:number], ends).sum()
            wanted += number
        lengths = [np.linalg.norm(p[a] - p[b], axis=1) for a, b in ((heads[chosen], tails[chosen]), pairs)]
        is_edge = np.repeat([1, 0], [len(lengths[0]), len(lengths[1])])
        auc = float(roc_auc_score(is_edge, -np.concatenate(lengths))) if len(lengths[1]) else 0.5
        found.append({"neighbor recall": float(kept / wanted), "edge AUC": auc})
    labelled = _drawn(rng, graph.num_nodes, num_sampled)
    _add_accuracy(found, maps, labels, labelled, num_threads)
    return MapQuality(found[0], found[1], graph.num_nodes, len(queries))


class _Measured:
    """Vectors whose distances are measured: from their median, at the usual length 1."""

    def __init__(self, rows: npt.NDArray[Any], metric: Metric) -> None:
        self.rows, self.is_product = rows, metric == "inner_product"
        sample = np.asarray(rows[:: max(1, len(rows) // 1000)], np.float64)
        self.unit_rows = metric == "cosine"
        self.center = np.median(sample, axis=0) if metric == "euclidean" else np.zeros(rows.shape[1])
        self.scale = 1.0
        lengths = np.linalg.norm(self.taken(slice(None, None, max(1, len(rows) // 1000))), axis=1)
        self.scale = float(np.median(lengths)) or 1.0
        self.lengths = np.concatenate(
            [np.linalg.norm(self.taken(slice(a, a + 4096)), axis=1) for a in range(0, len(rows), 4096)]
        )
        # Products of float32 tell rows apart as long as none is far beyond the others.
        self.dtype: type[np.floating[Any]] = np.float32 if self.lengths.max() < 1e3 else np.float64

    def taken(self, rows: slice | IndexArray) -> DoubleArray:
        """Return rows as they are measured."""
        found = (np.asarray(self.rows[rows], np.float64) - self.center) / self.scale
        if self.unit_rows:
            lengths = np.linalg.norm(found, axis=1, keepdims=True)
            found = found / np.where(lengths == 0, 1, lengths)
        return found

    def ranks(self, queries: IndexArray, near: Sequence[IndexArray]) -> list[IndexArray]:
        """Return the place of given points among all others by their distance to each query, from 1: int [q, k] for each of `near`."""
        found: list[IndexArray] = [np.empty(n.shape, np.int64) for n in near]
        step = max(1, _BLOCK // len(self.rows))
        wide = max(1, _GATHERED // self.rows.shape[1])
        squares = np.zeros(len(self.rows)) if self.is_product else self.lengths**2
        for first in range(0, len(queries), step):
            block = slice(first, first + step)
            some = queries[block]
            points = self.taken(some).astype(self.dtype)
            distances = np.empty((len(some), len(self.rows)), self.dtype)
            for a in range(0, len(self.rows), wide):
                others = self.taken(slice(a, a + wide)).astype(self.dtype)
                distances[:, a : a + wide] = squares[a : a + wide].astype(self.dtype) - 2 * (points @ others.T)
            distances[np.arange(len(some)), some] = np.inf
            of_near = [np.take_along_axis(distances, n[block], 1) for n in near]
            distances.sort(axis=1)
            for out, values in zip(found, of_near, strict=True):
                for i in range(len(some)):
                    out[first + i] = np.searchsorted(distances[i], values[i]) + 1
        return found

    def nearer(self, triplets: IndexArray) -> DoubleArray:
        """Return how much nearer the second of each triplet is to the first than the third."""
        a, b, c = (self.taken(t) for t in triplets)
        if self.is_product:
            return np.einsum("ij,ij->i", a, b - c)
        return ((a - c) ** 2).sum(1) - ((a - b) ** 2).sum(1)


def _triplets(measured: _Measured, places: DoubleArray, triplets: IndexArray) -> float:
    a, b, c = places[triplets]
    in_map = ((a - c) ** 2).sum(1) > ((a - b) ** 2).sum(1)
    step = max(1, _GATHERED // measured.rows.shape[1])
    agree = 0
    for first in range(0, triplets.shape[1], step):
        block = slice(first, first + step)
        agree += int(((measured.nearer(triplets[:, block]) > 0) == in_map[block]).sum())
    return agree / triplets.shape[1]


def _places(coordinates: Any) -> DoubleArray:
    """Return a map as float64, refused if it is none."""
    places = np.asarray(coordinates)
    if places.ndim != 2 or places.dtype.kind not in "fiu" or places.shape[1] not in (1, 2, 3):
        got = f"{places.dtype} {list(places.shape)}"
        raise DataError(describe("map", expected="coordinates [N, 2] or [N, 3]", got=got))
    bad = first_not_finite(places)
    if bad is not None:
        raise DataError(describe(f"map, row {bad[0]}", expected="finite numbers", got=bad[1]))
    if len(places) < 4:
        raise DataError(describe("map", expected="4 points at least", got=len(places)))
    return places.astype(np.float64)


def _sizes(k: Iterable[int], count: int) -> list[int]:
    """Return the numbers of neighbors, without those that the points are too few for, but the first."""
    sizes = [int(size) for size in k]
    most = (count - 1) // 2
    if not sizes or min(sizes) < 1 or sizes[0] > most:
        expected = f"numbers from 1 to {most}, less than half of the {count:,} points"
        raise ConfigError(describe("k", expected=expected, got=sizes))
    return [size for size in sizes if size <= most]


def _drawn(rng: np.random.Generator, count: int, number: int) -> npt.NDArray[np.int64]:
    return np.arange(count) if count <= number else np.sort(rng.choice(count, number, replace=False))


def _nearest(places: DoubleArray, queries: IndexArray, k: int, num_threads: int) -> npt.NDArray[np.int64]:
    """Return the k nearest others of some points of a map, int64 [q, k]."""
    from scipy.spatial import cKDTree

    found = np.asarray(cKDTree(places).query(places[queries], k=k + 1, workers=num_threads)[1])
    own = found == queries[:, None]
    lost = np.where(
        own.any(axis=1), own.argmax(axis=1), k
    )  # many points at one place: the point itself may not be among them
    return found[np.arange(k + 1) != lost[:, None]].reshape(len(queries), k)


def _add_accuracy(
    found: list[dict[str, float]], maps: Iterable[DoubleArray], labels: Any, queries: IndexArray, num_threads: int
) -> None:
    """Add the accuracy by the nearest labelled points of each map, where there are labels."""
    if labels is None:
        return
    classes = None
    for scores, places in zip(found, maps, strict=True):
        classes = _classes(labels, len(places)) if classes is None else classes
        labelled = np.flatnonzero(classes.sum(axis=1))
        asked = np.flatnonzero(np.isin(labelled, queries))
        if len(labelled) < 2 or not len(asked):
            raise DataError(describe("labels", expected="labels of 2 points at least", got=f"of {len(labelled)}"))
        near = _nearest(places[labelled], asked, min(_VOTERS, len(labelled) - 1), num_threads)
        right = 0
        for first in range(0, len(asked), 1024):
            block = slice(first, first + 1024)
            votes = sum(classes[labelled[column]].toarray() for column in near[block].T)
            own = classes[labelled[asked[block]]].toarray()
            right += int((own[np.arange(len(own)), votes.argmax(axis=1)] > 0).sum())
        scores[f"accuracy@{near.shape[1]}"] = right / len(asked)


def _classes(labels: Any, count: int) -> Any:
    """Return which point has which label, a sparse matrix [N, C]; -1 is none."""
    from scipy.sparse import csr_array

    array = np.asarray(labels) if not hasattr(labels, "keys") else None
    if array is not None and array.ndim == 1 and array.dtype.kind == "i":
        labels = [None if label == -1 else label for label in array.tolist()]
    given = labels_of(labels, Vocabulary.range(count))
    ones = np.ones(len(given.nodes), np.int32)
    return csr_array((ones, (given.nodes, given.classes)), shape=(count, len(given.class_names)))
