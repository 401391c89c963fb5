"""What callbacks are told."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nodeloom.errors import ParameterError

if TYPE_CHECKING:
    from nodeloom.plan.plan import Plan


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where training is, after a pool of walks.

    Attributes
    ----------
    epoch : float
        Epochs done: positive pairs over edges.
    num_epoch : int
        Epochs of the whole training.
    num_pair, total_pair : int
        Positive pairs trained, and of the whole training.
    loss : float
        Mean loss of the last pool: of a positive pair and its weighted negatives, over 1 + their weight, as GraphVite logs it.
    lr : float
        Learning rate at the end of the pool.
    rate : float
        Positive pairs per second of training so far.
    seconds, seconds_left : float
        Time spent training, and what is left at this rate.
    part, num_part : int
        A model may be trained in parts (LINE's orders); the others count all parts together.
    unit : str
        What the pairs are: "triples" of a knowledge graph.
    """

    epoch: float
    num_epoch: int
    num_pair: int
    total_pair: int
    loss: float
    lr: float
    rate: float
    seconds: float
    seconds_left: float
    part: int = 0
    num_part: int = 1
    unit: str = "pairs"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What any computation came to.

    Attributes
    ----------
    seconds : float
        Time spent; of a training that was resumed, earlier runs included.
    peak_memory : int
        Largest resident size of this process so far, in bytes.
    num_thread : int
        Threads.
    device : str
        Where it was computed.
    peak_device_memory : int
        Most bytes in use on the GPU so far; 0 on the CPU.
    """

    seconds: float
    peak_memory: int
    num_thread: int
    device: str = "cpu"
    peak_device_memory: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return all as JSON types."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report(Outcome):
    """What a training came to; further attributes are those of :class:`Outcome`.

    Attributes
    ----------
    num_pair : int
        Positive pairs trained.
    rate : float
        Positive pairs per second.
    loss : float
        Loss of the last pool.
    num_worker : int
        Workers that trained together.
    sent_bytes, num_sent : int
        Bytes that this worker sent to others in this run, and how often: in rounds, a context part; or in merges of whole tables.
    waited_seconds : float
        Of `seconds`, what this worker spent on such merges in this run, waiting for the others included.
    unit : str
        What the pairs are: "triples" of a knowledge graph.
    """

    num_pair: int
    rate: float
    loss: float
    num_worker: int = 1
    sent_bytes: int = 0
    num_sent: int = 0
    waited_seconds: float = 0.0
    unit: str = "pairs"


class Callback(Protocol):
    """Is told about a training, by any of these methods.

    An exception of a callback ends the training and reaches the caller of ``fit``, whose model keeps what was learned.
    """

    def on_train_begin(self, plan: Plan) -> None:
        """Before the first pool."""

    def on_pool_end(self, progress: Progress) -> bool | None:
        """After every pool of walks. What returns True ends the training in good order: ``fit`` returns what was learned."""

    def on_train_end(self, report: Report) -> None:
        """After the last pool."""


EVENTS = {"on_train_begin": "plan", "on_pool_end": "progress", "on_train_end": "report"}
"""The methods of a callback, each with what it is given."""


def checked_callbacks(callbacks: Iterable[Any] | None) -> tuple[Any, ...]:
    """Return the callbacks, after making sure that each can be told something, and means nothing else.

    Raises
    ------
    ParameterError
        It is no list, or a callback is a function or a class, has a method ``on_...`` that is never called, none that is, or
        one that cannot be given what it is called with.
    """
    if callbacks is None:
        return ()
    if any(hasattr(callbacks, event) for event in EVENTS) or not isinstance(callbacks, Iterable):
        raise _no_callback("callbacks", "a list of objects", callbacks)
    found = tuple(callbacks)
    for number, callback in enumerate(found):
        _check_callback(f"callbacks[{number}]", callback)
    return found


def _check_callback(where: str, callback: Any) -> None:
    if isinstance(callback, type):
        raise _no_callback(where, "an object", callback, f" Make one: {callback.__name__}().")
    others = [name for name in dir(callback) if name not in EVENTS and not name.startswith("_")]
    for name in others:
        if name.startswith("on_") and callable(inspect.getattr_static(callback, name, None)):
            raise _no_callback(where, "methods among them only", callback, _meant(name))
    methods = {event: getattr(callback, event, None) for event in EVENTS}
    if not any(map(callable, methods.values())):
        meant = next((text for name in others if (text := _meant(name))), "")
        raise _no_callback(where, "an object with such a method", callback, meant)
    for event, method in methods.items():
        if method is None:
            continue
        if any(kind(method) for kind in (inspect.iscoroutinefunction, inspect.isgeneratorfunction)):
            raise ParameterError(
                f"{where}: expected a plain method {event}, got one with async or yield, which would not run."
            )
        try:
            inspect.signature(method).bind(None)
        except TypeError:
            raise ParameterError(
                f"{where}: expected the method {event}(self, {EVENTS[event]}), got {event}{_signature(method)}."
            ) from None
        except ValueError:  # a builtin does not tell
            pass


def _meant(name: str) -> str:
    import difflib

    close = difflib.get_close_matches(name, EVENTS, n=1, cutoff=0.6)
    if close:
        return f" Did you mean {close[0]}, and not {name}?"
    return f" {name} would never be called." if name.startswith("on_") else ""


def _signature(method: Any) -> str:
    return str(inspect.signature(method)) if callable(method) else f" = {method!r}"


def _no_callback(where: str, expected: str, got: object, hint: str = "") -> ParameterError:
    kind = f"the class {got.__name__}" if isinstance(got, type) else f"{type(got).__name__!r}"
    name = getattr(got, "__name__", "")
    kind = f"the function {name}" if inspect.isroutine(got) else kind
    methods = ", ".join(f"{event}({argument})" for event, argument in EVENTS.items())
    return ParameterError(f"{where}: expected {expected}, got {kind}.{hint} Callbacks have any of {methods}.")


def tell(callbacks: tuple[Any, ...], event: str, argument: object) -> bool:
    """Call the method `event` of every callback that has it; return whether any of them returned True."""
    asked = False
    for callback in callbacks:
        method = getattr(callback, event, None)
        if method is not None:
            answer = method(argument)
            asked = asked or answer is True or (isinstance(answer, np.bool_) and bool(answer))
    return asked


def peak_memory() -> int:
    """Return the largest resident size of this process so far, in bytes; 0 where the system does not tell (Windows)."""
    try:
        # On Linux getrusage also counts what the process was before it became this program.
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        pass
    try:
        import resource
    except ImportError:
        return 0
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024
