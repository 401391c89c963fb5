"""Numbers with units, as people write them."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from nodeloom import memory, units
from nodeloom.errors import ConfigError


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (8, 8),
        ("8", 8),
        ("8GB", 8 * 10**9),
        ("1.5 GiB", 3 * 2**29),
        ("800m", 8 * 10**8),
        (" 2 TB ", 2 * 10**12),
        ("5kB", 5000),
    ],
)
def test_sizes_are_read(written, meant):
    assert units.bytes_of(written) == meant


@pytest.mark.parametrize("written", ["", "GB", "-1GB", "8 apples", "0", 0, True, "1e9", "8iB", "nan"])
def test_what_is_no_size_is_refused(written):
    with pytest.raises(ConfigError, match=r"memory_limit: expected a number of bytes such as"):
        units.bytes_of(written, "memory_limit")


def test_sizes_that_are_written_can_be_read():
    for size in (1, 999, 1000, 10**9, 15 * 10**11):
        assert units.bytes_of(units.size(size)) == pytest.approx(size, rel=0.01)
    assert doctest.testmod(units).failed == 0


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not say what a process holds")
def test_what_is_held_is_less_than_there_is():
    total = memory.total_memory()
    assert 10**7 < memory.resident_memory() < (10**15 if total is None else total)
    held = memory.resident_memory()
    block = b"\1" * (64 << 20)
    assert memory.resident_memory() - held > len(block) // 2
