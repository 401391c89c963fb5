"""The harness by which contract tests call the GPU: what it hides would hide a kernel's mistakes."""

from __future__ import annotations

import numpy as np
import pytest
from backends import GPU
from gpu_calls import on_device

pytestmark = pytest.mark.skipif(bool(GPU.missing), reason=f"gpu: {GPU.missing}")


def test_results_come_back_into_the_same_arrays():
    a, b = np.zeros((3, 4), np.float32), np.arange(5)

    def fill(x, y, number, flag, nothing, *, text):
        x[1:, ::2] = 7.0
        y += number
        return x.sum(), (y[:2], text), flag, nothing

    total, (first, text), flag, nothing = on_device(fill, a, b, np.int64(3), True, None, text="t")
    np.testing.assert_array_equal(a, [[0] * 4, [7, 0, 7, 0], [7, 0, 7, 0]])
    np.testing.assert_array_equal(b, np.arange(5) + 3)
    assert (int(total), first.tolist(), text, flag, nothing) == (28, [3, 4], "t", True, None)


def test_arrays_keep_their_strides_and_their_place():
    memory = np.zeros((6, 8), np.int32)
    shapes = []

    def look(x, y):
        shapes.append((x.shape, x.stride(), x.data_ptr() % 16))
        x[:] = 1
        y[:] = 2

    at = memory.ctypes.data % 16 // 4
    on_device(look, memory[1:, 3:5].T, memory[0])
    np.testing.assert_array_equal(memory.sum(0), [2, 2, 2, 2 + 5, 2 + 5, 2, 2, 2])
    assert shapes == [((2, 5), (1, 8), (at + 8 + 3) % 4 * 4)]


def test_arrays_that_share_memory_share_it_there():
    table = np.zeros((4, 2))

    def add(x, y, z):
        assert x.data_ptr() == y.data_ptr()
        x += 1
        y += 10
        z += 100

    on_device(add, table, table, table[2:])
    np.testing.assert_array_equal(table, [[11, 11]] * 2 + [[111, 111]] * 2)


def test_what_is_written_beside_an_array_shows():
    memory = np.zeros(10, np.float32)
    on_device(lambda x: x.as_strided((8,), (1,), x.storage_offset() - 2).fill_(5.0), memory[4:6])
    np.testing.assert_array_equal(memory, [0, 0, 5, 5, 5, 5, 5, 5, 5, 5])


@pytest.mark.parametrize("write", [False, True])
def test_arrays_that_are_read_only(write):
    array = np.arange(3.0)
    array.flags.writeable = False
    if write:
        with pytest.raises(AssertionError, match="read-only"):
            on_device(lambda x: x.add_(1.0), array)
    else:
        assert on_device(lambda x: float(x.sum()), array) == 3.0
    np.testing.assert_array_equal(array, [0, 1, 2])


def test_bits_and_keys_keep_all_64_bits():
    bits = np.array([2**64 - 1, 2**63, 5], np.uint64)

    def look(x, key):
        assert key == 2**64 - 3
        x[2] = x[0]
        return x.dtype.is_signed

    assert on_device(look, bits, np.uint64(2**64 - 3))
    assert bits.tolist() == [2**64 - 1, 2**63, 2**64 - 1]


def test_empty_arrays():
    empty = np.zeros(4, np.int32)[:0]
    assert on_device(lambda x, y: (tuple(x.shape), tuple(y.shape)), empty, np.empty((3, 0))) == ((0,), (3, 0))
