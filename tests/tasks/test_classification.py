"""Node classification: the protocol of the papers, against a slow definition, beside controls that must fail."""

import json
import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from nodeloom.errors import ConfigError, DataError
from nodeloom.io.labels import Labels
from nodeloom.tasks import classification, node_classification, random_control, shuffled_control


def planted(n=300, num_classes=5, dim=8, seed=0, unlabelled=40, noise=0.6):
    """Nodes with one or two classes and vectors that know them; some nodes have no label."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, num_classes, n)
    second = np.where(rng.random(n) < 0.4, rng.integers(0, num_classes, n), first)
    centers = rng.standard_normal((num_classes, dim))
    vectors = (centers[first] + centers[second] + noise * rng.standard_normal((n, dim))).astype(np.float32)
    with_label = np.sort(rng.permutation(n)[unlabelled:])
    nodes = np.concatenate([with_label, with_label])
    classes = np.concatenate([first[with_label], second[with_label]])
    return vectors, Labels.from_pairs(nodes, classes, num_nodes=n)


def naive(vectors, labels, portion, seed, C=1.0):
    """One split, one node and one class at a time."""
    nodes = sorted({int(node) for node in labels.nodes})
    sets = {node: set() for node in nodes}
    for node, cls in zip(labels.nodes.tolist(), labels.classes.tolist(), strict=True):
        sets[node].add(cls)
    order = np.random.default_rng([seed, 0]).permutation(len(nodes))
    cut = max(1, int(portion * len(nodes)))
    train, test = [nodes[i] for i in order[:cut]], [nodes[i] for i in order[cut:]]
    scores = np.empty((len(test), labels.num_classes))
    for cls in range(labels.num_classes):
        target = [cls in sets[node] for node in train]
        if len(set(target)) == 1:
            scores[:, cls] = np.inf if target[0] else -np.inf
            continue
        model = LogisticRegression(solver="liblinear", C=C).fit(vectors[train].astype(np.float64), target)
        scores[:, cls] = model.decision_function(vectors[test].astype(np.float64))
    truth, guess = np.zeros((2, len(test), labels.num_classes), dtype=int)
    for row, node in enumerate(test):
        for cls in sets[node]:
            truth[row, cls] = 1
        for cls in sorted(range(labels.num_classes), key=lambda c: (-scores[row, c], c))[: len(sets[node])]:
            guess[row, cls] = 1
    return [f1_score(truth, guess, average=average, zero_division=0) for average in ("micro", "macro")]


@pytest.mark.parametrize("portion", [0.02, 0.1, 0.5, 0.9])
def test_equals_the_definition(monkeypatch, portion):
    monkeypatch.setattr(classification, "_BLOCK", 100)
    vectors, labels = planted()
    score = node_classification(vectors, labels, portions=[portion], seed=3).scores[0]
    micro, macro = naive(vectors, labels, portion, 3)
    assert score.micro_f1 == pytest.approx(micro, abs=1e-12)
    assert score.macro_f1 == pytest.approx(macro, abs=1e-12)


def test_controls_fail_where_vectors_succeed():
    vectors, labels = planted()
    options = {"portions": [0.5], "times": 5, "normalization": True}
    real = node_classification(vectors, labels, **options).scores[0].micro_f1
    random = node_classification(random_control(vectors, 1), labels, **options).scores[0].micro_f1
    shuffled = node_classification(vectors, shuffled_control(labels, 1), **options).scores[0].micro_f1
    assert real > 0.75
    assert random < 0.45
    assert shuffled < 0.45


def test_result_does_not_depend_on_threads():
    vectors, labels = planted()
    results = [node_classification(vectors, labels, portions=[0.1, 0.5], times=3, num_thread=t) for t in (1, 2, 5)]
    assert results[0] == results[1] == results[2]


def test_seeds_give_splits():
    vectors, labels = planted(noise=2.0)
    first, again, other = (node_classification(vectors, labels, portions=[0.3], seed=s).metrics() for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_deviation_is_over_splits():
    vectors, labels = planted(noise=2.0)
    once = node_classification(vectors, labels, portions=[0.3]).scores[0]
    assert (once.micro_f1_std, once.macro_f1_std) == (0, 0)
    many = node_classification(vectors, labels, portions=[0.3], times=4).scores[0]
    assert 0 < many.micro_f1_std < 0.2
    assert 0 < many.macro_f1_std < 0.2


def test_portions_share_their_splits():
    vectors, labels = planted()
    both = node_classification(vectors, labels, portions=[0.1, 0.5], times=2).scores
    alone = node_classification(vectors, labels, portions=[0.5], times=2).scores
    assert both[1] == alone[0]


def test_every_knob_turns():
    vectors, labels = planted(noise=2.0)
    base = node_classification(vectors, labels, portions=[0.3]).metrics()
    assert node_classification(vectors, labels, portions=[0.3], C=0.001).metrics() != base
    assert node_classification(vectors, labels, portions=[0.3], normalization=True).metrics() != base
    longer = node_classification(vectors * np.float32(3), labels, portions=[0.3], normalization=True).metrics()
    assert longer == node_classification(vectors, labels, portions=[0.3], normalization=True).metrics()


def test_a_class_that_training_never_sees():
    vectors = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)
    classes = np.arange(20) % 2
    classes[7] = 2  # one node only: in training or in testing, never in both
    labels = Labels.from_pairs(np.arange(20), classes)
    for seed in range(8):
        score = node_classification(vectors, labels, portions=[0.05, 0.5, 0.95], seed=seed)
        assert all(0 <= s.micro_f1 <= 1 and 0 <= s.macro_f1 <= 1 for s in score.scores)


def test_one_class_for_all():
    vectors = np.random.default_rng(0).standard_normal((10, 3)).astype(np.float32)
    score = node_classification(vectors, Labels.from_pairs(np.arange(10), np.zeros(10, int)), portions=[0.5]).scores[0]
    assert (score.micro_f1, score.macro_f1) == (1, 1)


def test_zero_vectors_survive_normalisation():
    vectors, labels = planted()
    vectors[::2] = 0
    assert node_classification(vectors, labels, portions=[0.5], normalization=True).scores[0].micro_f1 > 0


def test_unlabelled_nodes_do_not_matter():
    vectors, labels = planted()
    changed = vectors.copy()
    changed[np.setdiff1d(np.arange(len(vectors)), labels.nodes)] = 1e30
    before, after = (node_classification(v, labels, portions=[0.5]) for v in (vectors, changed))
    assert before == after


def test_a_limit_of_steps_is_a_line_of_log_not_an_error(monkeypatch, caplog):
    monkeypatch.setattr(classification, "_MAX_ITER", 1)
    vectors, labels = planted()
    with caplog.at_level(logging.WARNING, logger="nodeloom"):
        node_classification(vectors, labels, portions=[0.5], num_thread=2)
    assert "did not converge" in caplog.text


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_top_k_predicts_as_many_as_there_are(data):
    rows, columns = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6))
    values = data.draw(
        st.lists(st.sampled_from([-np.inf, 0, 1, 2, np.inf]), min_size=rows * columns, max_size=rows * columns)
    )
    scores = np.array(values, dtype=float).reshape(rows, columns)
    counts = np.array(data.draw(st.lists(st.integers(0, columns), min_size=rows, max_size=rows)))
    predicted = classification.predict_top(scores, counts)
    for row in range(rows):
        best = sorted(range(columns), key=lambda c: (-scores[row, c], c))[: counts[row]]
        assert np.flatnonzero(predicted[row]).tolist() == sorted(best)


def test_result_is_json_and_a_table():
    vectors, labels = planted()
    result = node_classification(vectors, labels, portions=(0.02, 0.5), times=2)
    record = json.loads(json.dumps(result.to_dict()))
    assert record == result.to_dict()
    assert set(record["metrics"]) == {"micro-F1@2%", "macro-F1@2%", "micro-F1@50%", "macro-F1@50%"}
    assert record["scores"][1]["num_train"] == 130
    assert [len(row) for row in result.rows()] == [len(result.columns)] * 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"portions": [0]}, "between 0 and 1, got 0"),
        ({"portions": [1.0]}, "between 0 and 1"),
        ({"portions": [50]}, "2 % of the labelled nodes is 0.02"),
        ({"portions": []}, "at least one"),
        ({"times": 0}, "times"),
        ({"C": 0}, "C: "),
        ({"C": np.inf}, "C: "),
    ],
)
def test_arguments_out_of_range(options, words):
    vectors, labels = planted()
    with pytest.raises(ConfigError, match=words):
        node_classification(vectors, labels, **options)


def test_input_that_does_not_fit():
    vectors, labels = planted()
    with pytest.raises(DataError, match="labels of 299 nodes"):
        node_classification(vectors[:-1], labels)
    with pytest.raises(DataError, match="at least 2 labelled nodes, got 1"):
        node_classification(vectors, Labels.from_pairs([3], [0], num_nodes=300))
    vectors[labels.nodes[0], 0] = np.nan
    with pytest.raises(DataError, match="NaN"):
        node_classification(vectors, labels)
