"""The walks of an episode, again and again: drawn anew on the device each time, or once by threads of the host and copied."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nodeloom.engine.gpu.samplers import DeviceWalks
from nodeloom.kernels.cpu.parallel import run_slices
from nodeloom.kernels.gpu.pairs import renumber
from nodeloom.plan.launch import BlockLaunch
from nodeloom.plan.memory import SLACK
from nodeloom.sampling import WalkSampler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeloom.engine.gpu.device import Device
    from nodeloom.graph import Graph
    from nodeloom.model.stage import Stage
    from nodeloom.partition import Placement
    from nodeloom.plan.plan import Plan


class EpisodeWalks:
    """Walks as slots, in chunks on the device.

    Where the graph lies on the device they are drawn for every pass. Else threads of the host draw those of the next episode into
    pinned memory while this one is trained.
    """

    def __init__(self, graph: Graph, plan: Plan, stage: Stage, device: Device, placement: Placement) -> None:
        self._device, self._plan = device, plan
        self._dtype = torch.int32 if graph.indices.dtype == np.int32 else torch.int64
        self._slot = device.upload(placement.slot)
        assert isinstance(plan.launch, BlockLaunch)
        self._chunk = plan.launch.walks_at_a_time
        self._first = self._count = 0
        self._drawn: DeviceWalks | _HostEpisodes
        if plan.sampler == "device":
            self._drawn = DeviceWalks(graph, plan, stage, device)
            self._buffer = device.empty(plan.positives.nodes_per_walk, self._chunk, dtype=self._dtype).t()
        else:
            self._drawn = _HostEpisodes(graph, plan, stage, device, self._dtype)
            self._buffer = device.empty(self._chunk, plan.positives.nodes_per_walk, dtype=self._dtype)
        self._transposed = self._buffer.stride(0) < self._buffer.stride(1)
        self._flat = (self._buffer.t() if self._transposed else self._buffer).view(-1)  # as they lie in memory

    def __enter__(self) -> EpisodeWalks:
        self._drawn.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._drawn.__exit__(*error)

    def begin(self, first_walk: int, num_walk: int, following: int | None = None) -> None:
        """Say which walks the next passes are over; the next episode begins about with walk `following`, by default with the next one."""
        self._first, self._count = first_walk, num_walk
        if isinstance(self._drawn, _HostEpisodes):
            self._drawn.hold(first_walk, num_walk, following)

    def chunks(self) -> Iterator[torch.Tensor]:
        """Yield the walks in chunks [W, L + 1] of slots, on the current stream; a chunk is gone when the next one comes."""
        width = self._buffer.shape[1]
        for first in range(0, self._count, self._chunk):
            count = min(self._chunk, self._count - first)
            flat = self._flat[: count * width]  # a last chunk that is not full takes the front of the buffer
            walks = flat.view(width, count).t() if self._transposed else flat.view(count, width)
            self._drawn.fill(self._first + first, walks)
            renumber(walks, self._slot)
            yield walks


class _HostEpisodes:
    """Episodes in pinned memory: one that is read, one that threads draw meanwhile."""

    def __init__(self, graph: Graph, plan: Plan, stage: Stage, device: Device, dtype: torch.dtype) -> None:
        self._sampler = WalkSampler.of(
            graph, p=plan.positives.p, q=plan.positives.q, seed=stage.seed, num_thread=plan.num_thread
        )
        self._num_thread, self._width, self._device, self._dtype = (
            plan.num_thread,
            plan.positives.nodes_per_walk,
            device,
            dtype,
        )
        self._held = self._next = device.pinned(0, self._width, dtype=dtype)
        self._first = 0
        self._ahead: Future[Any] | None = None
        self._ahead_of = range(0)

    def __enter__(self) -> _HostEpisodes:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="nodeloom-episode")
        return self

    def __exit__(self, *error: object) -> None:
        self._device.synchronize()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._ahead = None

    def hold(self, first_walk: int, num_walk: int, following: int | None) -> None:
        """Have an episode at hand, and let the threads draw as many walks about from `following` on, by default those behind it."""
        if self._ahead is not None:
            self._ahead.result()
        self._device.synchronize()  # nothing is copied from the one that is overwritten
        there = self._ahead_of
        if self._ahead is None or first_walk < there.start or first_walk + num_walk > there.stop:
            there = range(first_walk, first_walk + num_walk)
            self._next = self._with_room(self._next, num_walk)
            self._draw(first_walk, self._next[:num_walk])
        self._held, self._next = self._next, self._held
        self._first = there.start
        few = num_walk // SLACK
        if following is None:
            self._ahead_of = range(first_walk + num_walk, first_walk + 2 * num_walk + few)
        else:
            self._ahead_of = range(max(0, following - few), following + num_walk + few)
        self._next = self._with_room(self._next, len(self._ahead_of))
        self._ahead = self._pool.submit(self._draw, self._ahead_of.start, self._next[: len(self._ahead_of)])

    def _with_room(self, buffer: torch.Tensor, num_walk: int) -> torch.Tensor:
        """Return a buffer for so many walks: this one if it is large enough, and not far too large."""
        if num_walk <= len(buffer) <= 2 * num_walk:
            return buffer
        return self._device.pinned(num_walk + num_walk // SLACK, self._width, dtype=self._dtype)

    def _draw(self, first_walk: int, out: torch.Tensor) -> None:
        walks = out.numpy()
        run_slices(lambda a, b: self._sampler.sample(first_walk + a, walks[a:b]), len(walks), self._num_thread)

    def fill(self, first_walk: int, out: torch.Tensor) -> None:
        """Copy walks number ``first_walk ...`` of the episode at hand to `out`, on the current stream."""
        at = first_walk - self._first
        out.copy_(self._held[at : at + len(out)], non_blocking=True)
