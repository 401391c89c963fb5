"""Fixtures that run a test on every family of kernels that has what it needs."""

from __future__ import annotations

import pytest
from backends import FAMILIES, GPU, REFERENCE, having
from covering import thin
from gpu_calls import INTERPRETED

FIXTURES = {
    "backend": FAMILIES,  # each family, the reference too: for what the contract says
    "fast": [b for b in FAMILIES if b is not REFERENCE],  # for comparisons with the reference
}


def _named(markers):
    """Return the arguments that a test's own ``parametrize`` marks give."""
    for mark in markers:
        names = mark.args[0]
        yield from names.replace(",", " ").split() if isinstance(names, str) else names


def pytest_generate_tests(metafunc):
    own = set(_named(metafunc.definition.iter_markers("parametrize")))
    for fixture, families in FIXTURES.items():
        if fixture not in metafunc.fixturenames or fixture in own:
            continue
        needed = getattr(metafunc.function, "needs", None) or metafunc.module.NEEDS
        values = [
            pytest.param(b, marks=pytest.mark.skip(reason=f"{b.name}: {b.missing}") if b.missing else ())
            for b in having(families, *needed)
        ]
        assert values, f"{metafunc.function.__name__}: no family of kernels has {needed}"
        metafunc.parametrize(fixture, values, ids=repr)


def pytest_collection_modifyitems(items):
    if INTERPRETED:
        thin(items, lambda item: GPU in item.callspec.params.values() or item.module.__name__.endswith("_gpu"))
