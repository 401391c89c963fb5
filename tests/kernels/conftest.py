"""Fixtures that run a test on every family of kernels."""

from __future__ import annotations

import pytest
from backends import BACKENDS, FAST_BACKENDS


@pytest.fixture(params=BACKENDS, ids=repr)
def backend(request):
    """Each family of kernels, the reference too: for what the contract says."""
    return request.param


@pytest.fixture(params=FAST_BACKENDS, ids=repr)
def fast(request):
    """Each family but the reference: for comparisons with the reference."""
    return request.param
