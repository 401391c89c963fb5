"""Workers that train on GPUs, as threads of one process: on the card if there is one, in Triton's interpreter if not."""

from __future__ import annotations

import threading

import pytest

from gpu_runs import INTERPRETED, OnGpu, fake_gpu, missing
from nodeloom.engine.workers import devices
from nodeloom.kernels.reference import merge

GB = 10**9


def prepare(monkeypatch, *, kernels_of_the_cpu=True, free=16 * GB):
    """Let threads of :func:`local_transport.together` train on GPUs.

    Parameters
    ----------
    monkeypatch : MonkeyPatch
        What is changed is changed back with it.
    kernels_of_the_cpu : bool
        Whether walks are trained by the kernels of the CPU where there is no card, and tables merged by the definition: much faster.
    free : int
        Memory of the GPU, which all workers share.
    """
    if reason := missing():
        pytest.skip(reason)
    if not INTERPRETED:
        return
    from triton.runtime import interpreter

    # The interpreter has one state for the process, and so has the parser of Python 3.11, with which it reads kernels.
    lock = threading.RLock()

    def one_at_a_time(function):
        def call(self, *arguments, **options):
            with lock:
                return function(self, *arguments, **options)

        return call

    monkeypatch.setattr(interpreter.GridExecutor, "__call__", one_at_a_time(interpreter.GridExecutor.__call__))
    rewrite = interpreter.InterpretedFunction.rewrite
    monkeypatch.setattr(interpreter.InterpretedFunction, "rewrite", one_at_a_time(rewrite))
    monkeypatch.setattr(
        devices,
        "_in_turn",
        lambda resource, turn, *, deterministic: "cpu" if resource.device == "cpu" or deterministic else "cuda:0",
    )
    monkeypatch.setattr(devices, "find_gpu", lambda index: fake_gpu(free))
    if kernels_of_the_cpu:
        from nodeloom.engine.gpu import merge_lane

        OnGpu(None, monkeypatch).take_kernels_of_the_cpu()
        monkeypatch.setattr(merge_lane, "changes", changes)
        monkeypatch.setattr(merge_lane, "apply", apply)


def changes(table, base, first, out, squares):
    arrays = [tensor.float().numpy() for tensor in (table, base, out)]
    merge.changes(*arrays[:2], first, arrays[2], squares.numpy())
    out.copy_(out.new_tensor(arrays[2]))


def apply(table, base, first, sums, squares, num_worker, seed):
    arrays = [tensor.float().numpy() for tensor in (table, base, sums)]
    merge.apply(*arrays[:2], first, arrays[2], squares.numpy(), num_worker, seed)
    table.copy_(table.new_tensor(arrays[0]))
    base.copy_(base.new_tensor(arrays[1]))
