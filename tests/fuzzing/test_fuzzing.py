"""The fuzzer finds what it is there to find, and its targets run."""

from __future__ import annotations

import ctypes
import os
import sys
import time
import warnings
from pathlib import Path
from random import Random

import pytest

from nodeloom.errors import DataError

sys.path.insert(0, str(Path(__file__).parent.parent.parent))  # the fuzzer is a program: python -m tests.fuzzing
from tests.fuzzing.mutations import flip_bit, mutate_arrays, mutate_bytes, mutate_json
from tests.fuzzing.runner import Campaign, Case, Target, WrongResult, case_of

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")


def _run(case: Case, path: Path) -> None:
    assert path.read_bytes() == case.content
    number = case.content[0]
    if number == 1:
        raise DataError("refused")
    if number == 2:
        raise KeyError("uncaught")
    if number == 3:
        ctypes.string_at(0)
    if number == 4:
        raise WrongResult("wrong")
    if number == 5:
        warnings.warn("a warning is an error", stacklevel=1)
    if number == 6:
        bytearray(b"x") * (60 << 20)
    if number == 7:
        while True:
            time.time()


def test_whatever_an_input_does_is_counted(monkeypatch, tmp_path):
    # So little memory that taking it is no hang.
    monkeypatch.setattr("tests.fuzzing.runner.CPU_SECONDS", 1)
    monkeypatch.setattr("tests.fuzzing.runner.MEMORY", 40 << 20)
    order = [0, 1, 2, 3, 4, 5, 6, 7, *[0, 1, 2, 3, 4, 5] * 4]

    def make(random: Random) -> Case:
        return Case(bytes([random.choice(order)]))

    campaign = Campaign([Target("fake", make, _run)], 0, batch=20, num_child=2, keep=tmp_path / "kept")
    campaign.run(count=60)
    numbers = [case_of(campaign.targets[0], 0, index).content[0] for index in range(60)]
    expected = {
        "ok": numbers.count(0),
        "refused": numbers.count(1),
        "uncaught": numbers.count(2) + numbers.count(5),
        "crash": numbers.count(3),
        "wrong": numbers.count(4),
        "memory": numbers.count(6),
        "hang": numbers.count(7),
    }
    assert min(expected.values()) > 0
    assert dict(campaign.counts["fake"]) == expected
    assert len(campaign.failures) == 60 - expected["ok"] - expected["refused"]
    assert len(list((tmp_path / "kept").iterdir())) == 2 * len(campaign.failures)


def test_inputs_depend_on_their_number_only():
    from tests.fuzzing.targets import TARGETS

    assert len({target.name for target in TARGETS}) == len(TARGETS) >= 14
    for target in TARGETS:
        if target.name not in ("models", "checkpoints"):  # which train first
            assert case_of(target, 3, 5) == case_of(target, 3, 5)
            assert case_of(target, 3, 5) != case_of(target, 4, 5)


def test_mutations_change_and_leave_the_original():
    import numpy as np

    random = Random(0)
    data, value, arrays = b"a b\nc d\n", {"a": [1, {"b": 2}]}, {"x": np.arange(5)}
    assert any(mutate_bytes(data, random) != data for _ in range(5))
    assert sum(a != b for a, b in zip(flip_bit(data, random), data, strict=True)) == 1
    assert any(mutate_json(value, random) != value for _ in range(5))
    for _ in range(50):
        mutate_arrays(arrays, random)
    assert value == {"a": [1, {"b": 2}]}
    assert arrays["x"].tolist() == [0, 1, 2, 3, 4]
