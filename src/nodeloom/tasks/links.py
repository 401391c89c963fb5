"""Link prediction: telling hidden edges from pairs that are none by the score of a pair."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from nodeloom.errors import ConfigError, DataError, describe
from nodeloom.tasks.given import is_model
from nodeloom.tasks.splits import LinkSplit

if TYPE_CHECKING:
    from nodeloom.typing import FloatArray, IndexArray

_BLOCK = 1 << 22  # numbers of a table gathered at a time


@dataclass(frozen=True)
class LinkPrediction:
    """Result of :func:`link_prediction`.

    Attributes
    ----------
    auc : float
        Area under the ROC curve: the chance that an edge scores above a pair that is none; a tie counts one half.
    ap : float
        Average precision: the area under the precision-recall curve as a sum of steps.
    num_positive, num_negative : int
        Pairs that were judged.
    num_filtered : int
        Pairs left out because a filter holds them.
    """

    auc: float
    ap: float
    num_positive: int
    num_negative: int
    num_filtered: int = 0

    columns = ("AUC", "AP", "edges", "non-edges", "filtered")

    def rows(self) -> list[tuple[Any, ...]]:
        """Return one row of plain values, under :attr:`columns`."""
        return [(self.auc, self.ap, self.num_positive, self.num_negative, self.num_filtered)]

    def metrics(self) -> dict[str, float]:
        """Return the scores under the names that GraphVite gives them."""
        return {"AUC": self.auc, "AP": self.ap}

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types."""
        return {"task": "link prediction", "metrics": self.metrics(), **asdict(self)}


def link_prediction(
    scores: Any,
    labels: Any,
    *,
    keep: npt.NDArray[np.bool_] | None = None,
) -> LinkPrediction:
    """Judge scores of pairs.

    Parameters
    ----------
    scores : model, or array_like, float [k]
        A model that was fitted to the ``train_graph`` of a split, or the score of each pair; higher means more likely an edge.
        See :func:`score_pairs`.
    labels : LinkSplit, or array_like, bool or int [k]
        A split of :func:`split_edges`, or 1 for an edge, 0 for none.
    keep : ndarray, bool [k], optional
        Pairs to judge, from :func:`filter_pairs`; all by default.

    Returns
    -------
    LinkPrediction
        AUC and average precision. Ties are treated exactly: the order of the input does not matter.

    Raises
    ------
    DataError
        If shapes differ, a label is not 0 or 1, a score is NaN, or there are only edges or only non-edges left; or if a model is of
        another graph than that of the split, and may have seen what is hidden.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    if is_model(scores):
        scores = _scores_of(scores, labels)
    if isinstance(labels, LinkSplit):
        labels = labels.labels
    scores, labels = np.asarray(scores), np.asarray(labels)
    if scores.dtype.kind not in "fiub":
        raise DataError(describe("link prediction", expected="scores that are numbers, or a model", got=scores.dtype))
    if scores.ndim != 1 or scores.shape != labels.shape:
        expected = "as many labels as scores, each [k]"
        got = f"scores {list(scores.shape)} and labels {list(labels.shape)}"
        raise DataError(describe("link prediction", expected=expected, got=got))
    if not np.isin(labels, (0, 1)).all():
        got = np.setdiff1d(labels, (0, 1))[:5].tolist()
        raise DataError(describe("link prediction", expected="labels 0 or 1", got=got))
    num_filtered = 0
    if keep is not None:
        num_filtered = int(len(keep) - np.count_nonzero(keep))
        scores, labels = scores[keep], labels[keep]
    if np.isnan(scores).any():
        raise DataError(describe("link prediction", expected="scores that are numbers", got="NaN"))
    edges = labels.astype(bool)
    num_positive = int(np.count_nonzero(edges))
    num_negative = len(edges) - num_positive
    if not num_positive or not num_negative:
        got = f"{num_positive} edges and {num_negative} non-edges"
        hint = "All were filtered." if num_filtered else ""
        raise DataError(describe("link prediction", expected="edges and non-edges to compare", got=got, hint=hint))
    auc, ap = float(roc_auc_score(edges, scores)), float(average_precision_score(edges, scores))
    return LinkPrediction(auc, ap, num_positive, num_negative, num_filtered)


def _scores_of(model: Any, split: Any) -> FloatArray:
    """Return the scores that a model gives to the pairs of a split."""
    if not isinstance(split, LinkSplit):
        hint = "For pairs of your own give model.score_edges(heads, tails) and whether each is an edge."
        raise DataError(
            describe("link prediction", expected="a split of split_edges beside a model", got=split, hint=hint)
        )
    vertex, context = model.vectors_, model.context_vectors_
    graph = split.train_graph
    fitted = getattr(model, "_graph_record", {}).get("fingerprint")
    if model.graph_names_ != graph.names or fitted not in (None, graph.fingerprint()):
        hint = "Fit split.train_graph: a model that has seen the hidden edges knows the answers."
        raise DataError(
            describe("link prediction", expected="a model of split.train_graph", got="one of another graph", hint=hint)
        )
    return score_pairs(vertex, context, split.heads, split.tails)


def score_pairs(
    vertex: FloatArray,
    context: FloatArray | None,
    heads: IndexArray,
    tails: IndexArray,
    *,
    metric: Literal["dot", "cosine"] = "dot",
) -> FloatArray:
    """Score pairs of nodes: vertex vector of the head times context vector of the tail.

    Parameters
    ----------
    vertex : ndarray, float32 [N, D]
        The vertex table.
    context : ndarray, float32 [N, D], or None
        The context table; None scores vertex vectors with each other.
    heads, tails : ndarray, int [k]
        Node ids.
    metric : {"dot", "cosine"}
        The score that the models are trained on, or the same with both vectors scaled to length 1.

    Returns
    -------
    ndarray, float32 [k]
        The scores. The cosine with a vector of zeros is 0.

    Raises
    ------
    ConfigError
        If ``metric`` is unknown.
    DataError
        If shapes do not fit or an id is out of range.
    """
    if metric not in ("dot", "cosine"):
        raise ConfigError(describe("metric", expected="'dot' or 'cosine'", got=metric))
    context = vertex if context is None else context
    heads, tails = np.asarray(heads), np.asarray(tails)
    if heads.ndim != 1 or heads.shape != tails.shape:
        raise DataError(describe("pairs", expected=f"as many tails as heads {heads.shape}", got=tails.shape))
    if vertex.shape[1] != context.shape[1]:
        raise DataError(describe("context", expected=f"{vertex.shape[1]} columns as in vertex", got=context.shape[1]))
    for ids, table in ((heads, vertex), (tails, context)):
        if len(ids) and not (ids.min() >= 0 and ids.max() < len(table)):
            got = int(ids.min()) if ids.min() < 0 else int(ids.max())
            raise DataError(describe("pairs", expected=f"node ids from 0 to {len(table) - 1}", got=got))
    scores = np.empty(len(heads), dtype=np.float32)
    step = max(1, _BLOCK // max(1, vertex.shape[1]))
    for begin in range(0, len(heads), step):
        block = slice(begin, begin + step)
        left, right = vertex[heads[block]], context[tails[block]]
        scores[block] = np.einsum("ij,ij->i", left, right)
        if metric == "cosine":
            lengths = np.sqrt(np.einsum("ij,ij->i", left, left) * np.einsum("ij,ij->i", right, right))
            scores[block] /= np.where(lengths > 0, lengths, 1)
    return scores


def filter_pairs(
    heads: IndexArray,
    tails: IndexArray,
    filter_heads: IndexArray,
    filter_tails: IndexArray,
) -> npt.NDArray[np.bool_]:
    """Say which pairs are not in a filter, as GraphVite's ``filter_file``.

    Parameters
    ----------
    heads, tails : ndarray, int [k]
        Pairs to judge.
    filter_heads, filter_tails : ndarray, int [m]
        Pairs that are known already, mostly the edges trained on. A pair is filtered in exactly this direction.

    Returns
    -------
    ndarray, bool [k]
        True for a pair to keep.
    """
    # Ids are below 2^31 or the graph would not fit any memory; a shift keeps the two apart without knowing N.
    known = (np.asarray(filter_heads, dtype=np.uint64) << np.uint64(32)) | np.asarray(filter_tails, dtype=np.uint64)
    pairs = (np.asarray(heads, dtype=np.uint64) << np.uint64(32)) | np.asarray(tails, dtype=np.uint64)
    return ~np.isin(pairs, known)
