"""The card: tensors on it, clocks, and trainings with what they took."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

import nodeloom

ON_CARD = torch.cuda.is_available()
DEVICE = "cuda" if ON_CARD else "cpu"
"""Without a card everything runs in Triton's interpreter and on the CPU engine: to see that it runs, never to measure."""

DTYPES = ("fp32", "bf16")


def tensor(array: np.ndarray) -> torch.Tensor:
    """Copy an array to the card; uint64 becomes int64 of the same bits."""
    array = np.array(array)
    return torch.from_numpy(array.view(np.int64) if array.dtype == np.uint64 else array).to(DEVICE)


def synchronize() -> None:
    """Wait for the card."""
    if ON_CARD:
        torch.cuda.synchronize()


def device_seconds(function: Callable[[], Any], inner: int = 1) -> float:
    """Seconds of one call on the device, over `inner` calls in a row."""
    if not ON_CARD:
        begin = time.perf_counter()
        for _ in range(inner):
            function()
        return (time.perf_counter() - begin) / inner
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(inner):
        function()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1e3 / inner


def alternate(functions: Mapping[str, Callable[[], Any]], repeats: int, inner: int = 1) -> dict[str, list[float]]:
    """Device seconds of each function, one after the other in every round, after a round to warm up."""
    for function in functions.values():
        function()
    synchronize()
    found: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            found[name].append(device_seconds(function, inner))
    return found


@dataclass
class Trained:
    """A training: its tables, its report, and the seconds around it.

    Attributes
    ----------
    vectors, contexts : float32 [N, D]
        The tables.
    report : dict
        ``report_`` of the model: seconds and pairs of the training itself.
    wall : float
        Seconds of ``fit``, with the way to the card and back.
    device_bytes : int
        Largest memory on the card.
    """

    vectors: np.ndarray
    contexts: np.ndarray
    report: dict[str, Any]
    wall: float
    device_bytes: int

    @property
    def seconds(self) -> float:
        """Seconds of the training."""
        return float(self.report["seconds"])

    @property
    def rate(self) -> float:
        """Positive pairs per second."""
        return float(self.report["num_pair"]) / self.seconds

    @property
    def finite(self) -> bool:
        """Whether all values are numbers."""
        return bool(np.isfinite(self.vectors).all())


def fit(graph: nodeloom.Graph, device: str, dtype: str = "fp32", **options: Any) -> Trained:
    """Train DeepWalk by the public interface; `device` is "cuda" or "cpu"."""
    if device == "cuda" and ON_CARD:
        options |= {"device": "cuda", "table_dtype": dtype}
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    else:
        options = {key: value for key, value in options.items() if key != "sampler"} | {"device": "cpu"}
    model = nodeloom.DeepWalk(**options)
    begin = time.perf_counter()
    model.fit(graph)
    wall = time.perf_counter() - begin
    used = torch.cuda.max_memory_allocated() if ON_CARD else 0
    return Trained(model.vectors_, model.context_vectors_, model.report_, wall, used)


def median(values: list[float]) -> float:
    """Middle value."""
    return statistics.median(values)
