"""How parts travel from GPU to GPU while others are trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nodeloom.engine.gpu.device import Device, explained
from nodeloom.engine.workers.links import Links


class OnStream:
    """Sends and receives on a stream of its own.

    Parameters
    ----------
    links : Links
        To the other workers.
    device : Device
        Where the parts are.
    """

    def __init__(self, links: Links, device: Device) -> None:
        self._links, self._device, self._stream = links, device, device.stream()

    def __call__(self, outgoing: list[tuple[Any, int]], incoming: list[tuple[Any, int]]) -> _Travel:
        """Begin to send and receive: what is sent is trained, other parts are trained meanwhile."""
        with explained(self._device.name):
            self._device.synchronize()
            with self._device.on(self._stream):
                return _Travel(self._links.exchange(outgoing, incoming), self._device, self._stream)


class _Travel:
    """Parts that travel on a stream of their own."""

    def __init__(self, works: Sequence[Any], device: Device, stream: Any) -> None:
        self._works, self._device, self._stream = list(works), device, stream

    def wait(self) -> None:
        """Wait until all have arrived."""
        if not self._works:
            return
        with explained(self._device.name), self._device.on(self._stream):
            while self._works:
                self._works.pop(0).wait()
            self._device.wait_for(self._stream)
