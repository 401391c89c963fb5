"""Node classification: telling the labels of a node from its vector.

The protocol of DeepWalk, node2vec, LINE and GraphVite. Labelled nodes are split at random; one logistic regression
per class (liblinear, one against the rest) is trained on the vectors of the first part; for a node of the second part
that has k labels, the k classes with the highest scores are predicted (k is told). Micro-F1 counts over all (node,
class) pairs, macro-F1 is the mean of the F1 of every class.
"""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from nodeloom.errors import ConfigError, DataError, describe
from nodeloom.log import logger
from nodeloom.tasks.given import labels_of, vectors_and_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodeloom.io.labels import Labels, Unknown
    from nodeloom.typing import DoubleArray

_MAX_ITER = 1000  # liblinear needs about 10; a limit that is never met keeps results independent of it
_BLOCK = 1 << 22  # scores computed at a time


@dataclass(frozen=True)
class ClassificationScore:
    """Scores for one portion of training nodes, over repeated splits.

    Attributes
    ----------
    portion : float
        Share of the labelled nodes that are trained on.
    num_train, num_test : int
        Nodes trained on and tested on.
    micro_f1, macro_f1 : float
        Mean over the splits, as a fraction.
    micro_f1_std, macro_f1_std : float
        Standard deviation over the splits (n - 1 in the denominator); 0 for one split.
    """

    portion: float
    num_train: int
    num_test: int
    micro_f1: float
    macro_f1: float
    micro_f1_std: float
    macro_f1_std: float


@dataclass(frozen=True, repr=False)
class NodeClassification:
    """Result of :func:`node_classification`.

    Attributes
    ----------
    scores : tuple of ClassificationScore
        One for each portion, in the order asked for.
    num_labelled, num_classes, times : int
        Labelled nodes, classes, splits for each portion.
    """

    scores: tuple[ClassificationScore, ...]
    num_labelled: int
    num_classes: int
    times: int

    columns = ("portion", "train", "test", "micro-F1", "±", "macro-F1", "±")

    @property
    def _splits(self) -> str:
        return "one split" if self.times == 1 else f"{self.times:,} splits"

    def __repr__(self) -> str:
        lines = [f"NodeClassification: {self.num_labelled:,} nodes, {self.num_classes:,} classes, {self._splits}"]
        for s in self.scores:
            micro, macro = f"{s.micro_f1:.4f} ± {s.micro_f1_std:.4f}", f"{s.macro_f1:.4f} ± {s.macro_f1_std:.4f}"
            lines.append(f"  trained on {s.portion:.4g}: micro-F1 {micro}, macro-F1 {macro}")
        return "\n".join(lines)

    def rows(self) -> list[tuple[Any, ...]]:
        """Return one row of plain values for each portion, under :attr:`columns`. F1 and ± are fractions."""
        return [
            (s.portion, s.num_train, s.num_test, s.micro_f1, s.micro_f1_std, s.macro_f1, s.macro_f1_std)
            for s in self.scores
        ]

    def metrics(self) -> dict[str, float]:
        """Return the means under the names that GraphVite gives them, such as ``micro-F1@2%``."""
        means = {}
        for score in self.scores:
            means[f"micro-F1@{100 * score.portion:g}%"] = score.micro_f1
            means[f"macro-F1@{100 * score.portion:g}%"] = score.macro_f1
        return means

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types."""
        return {"task": "node classification", "metrics": self.metrics(), **_jsonable(asdict(self))}


def node_classification(
    vectors: Any,
    labels: Any,
    *,
    portions: Sequence[float] = (0.02,),
    times: int = 1,
    normalization: bool = False,
    C: float = 1.0,
    seed: int = 0,
    num_thread: int = 1,
    unknown: Unknown = "error",
) -> NodeClassification:
    """Train and test linear classifiers of nodes on their vectors.

    Parameters
    ----------
    vectors : model, or ndarray, float32 [N, D]
        A fitted model, or the vector of each node.
    labels : Labels, dict, Series, DataFrame, or array_like [N] or [N, C]
        Which nodes have which classes. By name: a dict ``{name: label}``, a Series or one column of pandas whose index are
        names, or a table of two columns, names and labels. In the order of the nodes: a label for each, or a matrix of 0 and 1.
        A list of labels, or several rows of a name, are several labels. Nodes without a label (None, NaN, or left out of the
        names) are neither trained nor tested on. The names of vectors that come without a model are 0 to N - 1.
    portions : sequence of float
        Shares of the labelled nodes to train on, each above 0 and below 1.
    times : int
        Number of random splits for each portion. The splits of one portion are the first nodes of the same permutations
        as those of another, so portions are compared on equal terms.
    normalization : bool
        Scale each vector to length 1 first.
    C : float
        Inverse strength of the L2 regularisation.
    seed : int
        Seed of the splits.
    num_thread : int
        Classes trained at a time. The result does not depend on it.
    unknown : {"error", "skip"}
        What to do about labels of names that the nodes lack: refuse them, or leave them out.

    Returns
    -------
    NodeClassification
        Micro and macro F1 for each portion. As in scikit-learn, a class that is neither among the test nodes nor
        predicted counts as 0 in macro-F1.

    Raises
    ------
    ConfigError
        If a portion, ``times`` or ``C`` is out of range.
    UnknownNodeError
        If a label has the name of no node, and `unknown` is "error".
    DataError
        If there are fewer than two labelled nodes, ``labels`` do not fit ``vectors``, or a vector is not finite.
    """
    vectors, names = vectors_and_names(vectors)
    labels = labels_of(labels, names, unknown)
    portions = [portions] if isinstance(portions, float | int) else list(portions)
    _check_arguments(labels, portions, times, C)
    labelled = labels.labelled
    features = np.asarray(vectors[labelled], dtype=np.float64)
    if not np.isfinite(features).all():
        hint = "The model has diverged, or the file is damaged."
        raise DataError(describe("vectors", expected="finite numbers", got="NaN or infinity", hint=hint))
    if normalization:
        features /= np.maximum(np.linalg.norm(features, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    truth = labels.indicator()
    num_labelled = len(labelled)
    f1 = np.empty((len(portions), times, 2))
    sizes = [min(max(int(portion * num_labelled), 1), num_labelled - 1) for portion in portions]
    for time in range(times):
        order = np.random.default_rng([seed, time]).permutation(num_labelled)
        for row, num_train in enumerate(sizes):
            train, test = order[:num_train], order[num_train:]
            weights, biases = _fit(features[train], truth[train], C, num_thread)
            f1[row, time] = _f1(*_count(features, truth, test, weights, biases))
    mean, std = f1.mean(axis=1), f1.std(axis=1, ddof=1) if times > 1 else np.zeros((len(portions), 2))
    scores = tuple(
        ClassificationScore(float(portion), size, num_labelled - size, *mean[i].tolist(), *std[i].tolist())
        for i, (portion, size) in enumerate(zip(portions, sizes, strict=True))
    )
    return NodeClassification(scores, num_labelled, len(labels.class_names), times)


def predict_top(scores: DoubleArray, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Predict for each row the classes with the highest scores, as many as it has.

    Parameters
    ----------
    scores : ndarray, float64 [M, C]
        Score of each class for each node.
    counts : ndarray, int64 [M]
        Number of classes to predict for each node.

    Returns
    -------
    ndarray, bool [M, C]
        The predictions: exactly ``counts`` in each row. Of equal scores the first class wins.
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    taken = np.arange(scores.shape[1]) < counts[:, None]
    predicted = np.zeros(scores.shape, dtype=bool)
    np.put_along_axis(predicted, order, taken, axis=1)
    return predicted


def _fit(features: DoubleArray, truth: sparse.csr_matrix, C: float, num_thread: int) -> tuple[DoubleArray, DoubleArray]:
    """Train one classifier for each class; return weights [C, D] and biases [C].

    A class that no training node has, or that all have, cannot be trained: its bias is minus or plus infinity, so it is
    predicted last or first.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    columns = sparse.csc_matrix(truth)
    num_nodes, num_classes = columns.shape
    weights = np.zeros((num_classes, features.shape[1]))
    biases = np.full(num_classes, -np.inf)
    positives = np.diff(columns.indptr)
    biases[positives == num_nodes] = np.inf
    features = np.ascontiguousarray(features)

    def fit_class(which: int) -> bool:
        target = np.zeros(num_nodes, dtype=np.int64)
        target[columns.indices[columns.indptr[which] : columns.indptr[which + 1]]] = 1
        # The primal solver takes no random numbers, and liblinear trains without the GIL.
        model = LogisticRegression(solver="liblinear", C=C, max_iter=_MAX_ITER).fit(features, target)
        weights[which], biases[which] = model.coef_[0], model.intercept_[0]
        return bool(model.n_iter_[0] < _MAX_ITER)

    trainable = np.flatnonzero((positives > 0) & (positives < num_nodes)).tolist()
    # Filters of warnings are shared by all threads, so they are set here and not where the warning comes up.
    with warnings.catch_warnings(), ThreadPoolExecutor(max(1, num_thread)) as pool:
        warnings.simplefilter("ignore", ConvergenceWarning)
        converged = list(pool.map(fit_class, trainable))
    if not all(converged):
        failed = len(converged) - sum(converged)
        logger.warning("%d of %d classifiers did not converge in %d steps.", failed, len(converged), _MAX_ITER)
    return weights, biases


def _count(
    features: DoubleArray,
    truth: sparse.csr_matrix,
    test: npt.NDArray[np.int64],
    weights: DoubleArray,
    biases: DoubleArray,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return for each class how often it is right, true and predicted among the test nodes: int64 [C] each."""
    num_classes = len(biases)
    right, true, predicted = (np.zeros(num_classes, dtype=np.int64) for _ in range(3))
    step = max(1, _BLOCK // max(num_classes, features.shape[1]))
    for begin in range(0, len(test), step):
        nodes = test[begin : begin + step]
        actual = truth[nodes].toarray()
        guess = predict_top(features[nodes] @ weights.T + biases, actual.sum(axis=1))
        right += (actual & guess).sum(axis=0)
        true += actual.sum(axis=0)
        predicted += guess.sum(axis=0)
    return right, true, predicted


def _f1(
    right: npt.NDArray[np.int64], true: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64]
) -> tuple[float, float]:
    """Return micro and macro F1, where F1 = 2 right / (true + predicted), 0 for a class that does not occur."""
    total = true + predicted
    each = 2 * right / np.maximum(total, 1)
    return 2 * float(right.sum()) / max(int(total.sum()), 1), float(each.mean())


def _check_arguments(labels: Labels, portions: Sequence[float], times: int, C: float) -> None:
    if len(labels.labelled) < 2:
        raise DataError(describe("labels", expected="at least 2 labelled nodes", got=len(labels.labelled)))
    for portion in portions:
        if not 0 < portion < 1:
            hint = "2 % of the labelled nodes is 0.02."
            raise ConfigError(describe("portions", expected="shares between 0 and 1", got=portion, hint=hint))
    if not portions:
        raise ConfigError(describe("portions", expected="at least one share", got=portions))
    if times < 1:
        raise ConfigError(describe("times", expected="at least 1", got=times))
    if not (C > 0 and np.isfinite(C)):
        raise ConfigError(describe("C", expected="a finite number above 0", got=C))


def _jsonable(value: Any) -> Any:
    """Turn tuples into lists, all the way down: what comes back from JSON equals what went in."""
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    return value
