"""How parts travel from GPU to GPU while others are trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodeloom.engine.gpu.device import Device, explained

if TYPE_CHECKING:
    from nodeloom.transport.base import Pending
    from nodeloom.transport.nccl import DeviceTransport


class OnStream:
    """Sends and receives on a stream of its own.

    Parameters
    ----------
    transport : DeviceTransport
        To the other workers.
    device : Device
        Where the parts are.
    """

    def __init__(self, transport: DeviceTransport, device: Device) -> None:
        self._transport, self._device, self._stream = transport, device, device.stream()

    def __call__(self, outgoing: list[tuple[Any, int]], incoming: list[tuple[Any, int]]) -> _Travel:
        """Begin to send and receive: what is sent is trained, other parts are trained meanwhile."""
        with explained(self._device.name):
            self._device.synchronize()
            with self._device.on(self._stream):
                return _Travel(self._transport.exchange(outgoing, incoming), self._device, self._stream)


class _Travel:
    """Parts that travel on a stream of their own."""

    def __init__(self, pending: Pending, device: Device, stream: Any) -> None:
        self._pending: Pending | None = pending
        self._device, self._stream = device, stream

    def wait(self) -> None:
        """Wait until all have arrived."""
        if self._pending is None:
            return
        with explained(self._device.name), self._device.on(self._stream):
            self._pending.wait()
            self._pending = None
            self._device.wait_for(self._stream)
