"""The cache of compiled kernels: kept from run to run, and never older than what a kernel calls."""

from __future__ import annotations

import importlib.util

import pytest

from nodeloom.kernels.cpu import _jit, skipgram

KERNEL = """
from nodeloom.kernels.cpu._jit import jit

@jit
def double(x):
    return 2 * x
"""


@pytest.fixture
def hits(tmp_path, monkeypatch):
    """Return a function that imports a kernel anew, calls it, and returns how many of its calls came from the cache."""
    path = tmp_path / "doubling.py"
    path.write_text(KERNEL)

    def run():
        spec = importlib.util.spec_from_file_location("doubling", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert module.double(3) == 6
        return sum(module.double.stats.cache_hits.values())

    return run


def test_a_kernel_is_compiled_once(hits):
    assert hits() == 0
    assert hits() == 1


def test_a_kernel_is_compiled_again_when_a_file_of_the_kernels_has_changed(hits, monkeypatch):
    assert hits() == 0
    monkeypatch.setattr(_jit, "sources", lambda: "other files")
    assert hits() == 0
    assert hits() == 1


def test_all_files_count(tmp_path, monkeypatch):
    (tmp_path / "simd").mkdir()
    (tmp_path / "simd" / "rows.py").write_text("a = 1")
    monkeypatch.setattr(_jit, "__file__", str(tmp_path / "_jit.py"))
    before = _jit.sources.__wrapped__()
    (tmp_path / "simd" / "rows.py").write_text("a = 2")
    assert _jit.sources.__wrapped__() != before


def test_kernels_carry_the_stamp():
    assert skipgram.train_walks._cache._cache_file._source_stamp[1] == _jit.sources()
