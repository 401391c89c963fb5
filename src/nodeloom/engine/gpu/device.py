"""A device with its streams, and what its errors mean."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import torch

from nodeloom.errors import MemoryLimitError, TrainingError, describe
from nodeloom.kernels.gpu._triton import INTERPRETED
from nodeloom.log import logger
from nodeloom.units import size
from nodeloom.words import setting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Device:
    """Where kernels run: a GPU, or the CPU where they are interpreted, which has no streams and waits for everything.

    Parameters
    ----------
    name : str
        "cuda:N".
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.torch = torch.device("cpu") if INTERPRETED else torch.device(name)
        self.is_real = not INTERPRETED

    def stream(self, first: bool = False) -> Any:
        """Return a new stream; blocks of a stream that comes `first` start before those of others that wait as well."""
        return torch.cuda.Stream(self.torch, priority=-1 if first else 0) if self.is_real else None

    def on(self, stream: Any) -> AbstractContextManager[Any]:
        """Return a context in which work is put on a stream."""
        return torch.cuda.stream(stream) if self.is_real else contextlib.nullcontext()

    def event(self) -> Any:
        """Return a new event."""
        return torch.cuda.Event() if self.is_real else _Done()

    def synchronize(self) -> None:
        """Wait for everything on the device."""
        if self.is_real:
            torch.cuda.synchronize(self.torch)

    def wait_for(self, stream: Any) -> None:
        """Wait for what is on a stream."""
        if self.is_real:
            stream.synchronize()

    def empty(self, *shape: int, dtype: torch.dtype) -> torch.Tensor:
        """Return a tensor on the device, not initialised."""
        return torch.empty(*shape, dtype=dtype, device=self.torch)

    def pinned(self, *shape: int, dtype: torch.dtype) -> torch.Tensor:
        """Return a tensor in main memory that the device can copy from by itself."""
        return torch.empty(*shape, dtype=dtype, pin_memory=self.is_real)

    @contextlib.contextmanager
    def pinning(self, arrays: list[Any]) -> Iterator[None]:
        """Let the device copy from and to arrays of NumPy by itself, without a copy of them.

        Where the driver refuses, copies are slower and hold up the host.
        """
        held = []
        try:
            for array in arrays if self.is_real else ():
                status = torch.cuda.cudart().cudaHostRegister(array.ctypes.data, array.nbytes, 0)
                if int(status):
                    logger.warning(
                        "%s: %s of main memory could not be pinned; transfers will be slow.",
                        self.name,
                        size(array.nbytes),
                    )
                else:
                    held.append(array)
            yield
        finally:
            if held:
                self.synchronize()
            for array in held:
                torch.cuda.cudart().cudaHostUnregister(array.ctypes.data)

    def upload(self, array: Any) -> torch.Tensor:
        """Return a copy of a NumPy array on the device."""
        return torch.tensor(array, device=self.torch)

    def record(self, work: Callable[[], object]) -> Any:
        """Return a record of what some work puts on the device; its ``replay()`` puts it there again, quickly.

        The work has been done before, so that nothing is compiled in it. ``torch.cuda.graph`` collects garbage and gives back memory first,
        which takes longer than a map of some thousand points.
        """
        record, stream = torch.cuda.CUDAGraph(), self.stream()
        stream.wait_stream(torch.cuda.current_stream(self.torch))
        with torch.cuda.stream(stream):
            record.capture_begin()
            try:
                work()
            finally:
                record.capture_end()
        torch.cuda.current_stream(self.torch).wait_stream(stream)
        return record

    def peak_memory(self) -> int:
        """Return the largest number of bytes that tensors took so far."""
        return int(torch.cuda.max_memory_allocated(self.torch)) if self.is_real else 0


# Older versions of torch raise a bare RuntimeError, which may be anything.
_DriverError: type[Exception] = getattr(torch, "AcceleratorError", torch.OutOfMemoryError)


class _Done:
    """An event where nothing is ever under way."""

    def record(self, stream: Any = None) -> None:
        """Do nothing."""

    def wait(self, stream: Any = None) -> None:
        """Do nothing."""

    def synchronize(self) -> None:
        """Do nothing."""

    def query(self) -> bool:
        """Tell that it is done."""
        return True


@contextlib.contextmanager
def explained(name: str, *, of_triples: bool = False) -> Iterator[None]:
    """Turn what a driver raises into one sentence that says what to do; `of_triples` in the training of a knowledge graph.

    Raises
    ------
    MemoryLimitError
        If the device has no memory left.
    TrainingError
        If the driver reports any other error.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        hint = (
            "Another program may have taken it since the plan was made. "
            f"Lower {setting('resource.gpu_memory_limit')} or {setting('resource.dim')}, give {setting('resource.table_dtype', 'bf16')} or "
            f"{setting('resource.sampler', 'host')}, or {setting('resource.device', 'cpu')}."
        )
        if of_triples:
            hint = (
                f"Another program may have taken it since the plan was made. Lower {setting('resource.dim')}, "
                f"{setting('train.triples_per_batch')} or {setting('train.num_shared_negative')}, or give "
                f"{setting('resource.device', 'cpu')}."
            )
        raise MemoryLimitError(
            describe(name, expected="the memory of the plan", got=str(error).partition(".")[0], hint=hint)
        ) from error
    except _DriverError as error:
        raise TrainingError(f"{name}: the driver reports: {str(error).splitlines()[0]}") from error
