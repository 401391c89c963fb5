"""Rows of tables on a device, and their way to main memory."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize(("num_rows", "piece"), [(1, 64), (1000, 1 << 10), (1003, 1 << 12), (1003, 1 << 30)])
def test_a_copy_in_pieces_is_a_copy(monkeypatch, dtype, num_rows, piece):
    from nodeloom.engine.gpu import memory
    from nodeloom.engine.gpu.device import Device

    monkeypatch.setattr(memory, "_PIECE", piece)
    monkeypatch.setattr(memory, "available_threads", lambda: 3)
    rows = memory.DeviceMemory(Device("cuda:0"), memory.DTYPES[dtype])
    table = rows.zeros(num_rows, 32)
    values = np.random.default_rng(0).normal(size=(num_rows, 32)).astype(np.float32)
    rows.write(table, slice(0, num_rows), values)
    found = rows.read(table, slice(0, num_rows))
    np.testing.assert_allclose(found, values, rtol=0 if dtype == "fp32" else 2.0**-8)
    chosen = np.arange(0, num_rows, 3)
    np.testing.assert_array_equal(rows.read(table, chosen), found[chosen])
    found[:] = 0.0  # which is no view of the table
    assert rows.read(table, slice(0, num_rows)).any()
