"""The cache of compiled kernels: kept from run to run, and never older than what a kernel calls."""

from __future__ import annotations

import errno
import importlib.util
import os
import tempfile

import numba.core.config
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
    monkeypatch.setattr(numba.core.config, "CACHE_DIR", str(tmp_path / "cache"))

    def run(number=3):
        spec = importlib.util.spec_from_file_location("doubling", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert module.double(number) == 2 * number
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


def files(tmp_path):
    return sorted(path for path in (tmp_path / "cache").rglob("*") if path.is_file())


def test_two_signatures_that_are_compiled_at_once_never_share_a_file(hits, tmp_path):
    # Two processes, neither of which has seen what the other one writes: Numba would name both files ".1.nbc".
    assert hits(3) == 0
    (of_integers,) = files(tmp_path)
    of_integers.rename(tmp_path / "aside")
    assert hits(3.0) == 0
    (of_floats,) = files(tmp_path)
    assert of_integers != of_floats
    (tmp_path / "aside").rename(of_integers)
    assert hits(3) == hits(3.0) == 1


def test_code_under_a_wrong_name_is_not_called(hits, tmp_path):
    assert hits(3) == 0
    (of_integers,) = files(tmp_path)
    assert hits(3.0) == 0
    (of_floats,) = set(files(tmp_path)) - {of_integers}
    of_floats.replace(of_integers)
    assert hits(3) == 0
    assert hits(3) == 1


@pytest.mark.parametrize(
    "change", [lambda b: b"", lambda b: b[:20], lambda b: b[:-1], lambda b: b[:-9] + b"?" + b[-8:]]
)
def test_a_broken_file_is_replaced(hits, tmp_path, change):
    assert hits() == 0
    (path,) = files(tmp_path)
    path.write_bytes(change(path.read_bytes()))
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


@pytest.fixture
def told(caplog):
    _jit._tell_once.cache_clear()
    _jit._temporary_folder.cache_clear()
    yield caplog
    _jit._tell_once.cache_clear()
    _jit._temporary_folder.cache_clear()


@pytest.mark.parametrize("broken", [b"", b"x" * 31, b"x" * 64, "cut", "flipped"])
def test_broken_files_are_replaced(hits, tmp_path, broken, told):
    assert hits() == 0
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(
        {"cut": whole[:-1], "flipped": whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:]}.get(broken, broken)
    )
    assert hits() == 0
    assert hits() == 1
    assert told.messages == []


def test_a_kernel_that_cannot_be_read_is_compiled_anew(hits, monkeypatch):
    assert hits() == 0
    with monkeypatch.context() as patch:
        patch.setattr(_jit.pickle, "loads", lambda content: 1 / 0)
        assert hits() == 0
    assert hits() == 1


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_folder_that_cannot_be_written_is_done_without(hits, tmp_path, monkeypatch, told, error):
    def full(self, path):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(_jit.CacheFiles, "_open_for_write", full)
    assert hits() == 0
    assert hits(3.5) == 0
    assert len(told.messages) == 1
    assert "Set NUMBA_CACHE_DIR" in told.text


def _nowhere(self, function):
    raise RuntimeError("cannot cache function: no locator available")


def test_without_a_folder_there_is_a_temporary_one(tmp_path, monkeypatch, told):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    tried = []

    def init(self, function):
        tried.append(numba.core.config.CACHE_DIR)
        if len(tried) % 2:
            _nowhere(self, function)

    monkeypatch.setattr(_jit.KernelCache, "__init__", init)
    before = numba.core.config.CACHE_DIR
    for _ in range(2):
        assert isinstance(_jit.cache_of(test_broken_files_are_replaced), _jit.KernelCache)
    assert before == numba.core.config.CACHE_DIR
    assert tried[1].startswith(str(tmp_path / "nodeloom-kernels-"))
    assert len(told.messages) == 1


@pytest.mark.parametrize("trap", ["link", "writable by all", "file"])
def test_code_is_never_read_from_a_folder_of_others(tmp_path, monkeypatch, told, trap):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = tmp_path / f"nodeloom-kernels-{os.getuid()}"
    if trap == "link":
        (tmp_path / "theirs").mkdir()
        path.symlink_to(tmp_path / "theirs")
    elif trap == "file":
        path.touch()
    else:
        path.mkdir()
        path.chmod(0o777)
    monkeypatch.setattr(_jit.KernelCache, "__init__", _nowhere)
    assert isinstance(_jit.cache_of(test_broken_files_are_replaced), _jit.NullCache)
    assert "every process compiles them anew" in told.text
