"""The tree of exceptions.

::

    NodeloomError
    ├── ConfigError        a key or a value of the configuration, of the command line or of an estimator is not allowed
    │   └── ParameterError     there is no parameter, keyword or callback method of this name; also a TypeError
    ├── DataError          a file or an array given as input cannot be used (edge lists, labels, vectors)
    │   └── UnknownNodeError   there is no node of this name; also a KeyError
    ├── GraphError         the graph is well-formed but cannot be used for what was asked
    ├── DatasetError       a registered data set is unknown, cannot be fetched, or is not what its checksum says
    ├── ModelError         a model file is foreign, truncated, or belongs to another graph
    ├── OutputError        a result cannot be written (no permission, no space)
    ├── DeviceError        the GPU that was asked for cannot be used
    ├── MemoryLimitError   the plan does not fit the memory
    ├── WorkerError        another worker of the training has failed, or cannot be reached any more
    ├── TrainingError      training cannot go on (values diverged)
    └── TrainingInterrupted  training was stopped by the user; carries the checkpoint from which to go on; also a KeyboardInterrupt

``ConfigError``, ``DataError``, ``GraphError`` and ``ModelError`` are also ``ValueError``.

Every message says what, where, got, expected and what to do; :func:`describe` puts it together, and
:func:`~nodeloom.words.setting` names what to set in the words of the interface that the user is at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeloom.words import in_words

if TYPE_CHECKING:
    from pathlib import Path


class NodeloomError(Exception):
    """Base of all errors that nodeloom raises on purpose. Its text names settings as the interface at hand writes them."""

    def __str__(self) -> str:
        return in_words(super().__str__())


class ConfigError(NodeloomError, ValueError):
    """A key or a value of the configuration, of the command line or of an estimator is not allowed."""


class ParameterError(ConfigError, TypeError):
    """A function, a model or a callback does not have what it was given, or asked for, by name."""


class DataError(NodeloomError, ValueError):
    """A file or an array given as input cannot be used."""


class UnknownNodeError(DataError, KeyError):
    """There is no node of this name."""

    def __str__(self) -> str:
        return in_words(Exception.__str__(self))  # that of KeyError puts the message in quotes


class GraphError(NodeloomError, ValueError):
    """The graph is well-formed but cannot be used for what was asked."""


class DatasetError(NodeloomError):
    """A data set is unknown, cannot be fetched, or is not what its checksum says."""


class ModelError(NodeloomError, ValueError):
    """A model file is foreign, truncated, or belongs to another graph."""


class OutputError(NodeloomError, OSError):
    """A result cannot be written."""


class DeviceError(NodeloomError):
    """The GPU that was asked for cannot be used."""


class MemoryLimitError(NodeloomError, MemoryError):
    """What was planned does not fit the memory."""


class WorkerError(NodeloomError):
    """Another worker of the training has failed, or cannot be reached any more."""


class SecondaryFailureError(WorkerError):
    """What another process on this host says already: nobody needs to hear it twice."""


class TrainingError(NodeloomError):
    """Training cannot go on, for example because values diverged."""


class TrainingInterrupted(NodeloomError, KeyboardInterrupt):  # noqa: N818  an event more than an error
    """Training was stopped by the user (Ctrl-C or SIGTERM) after its last step was finished.

    It is a ``KeyboardInterrupt`` too, as programs expect after Ctrl-C.

    Parameters
    ----------
    message : str
        What happened and how to go on.
    checkpoint : Path or None
        The checkpoint that was written, if any.
    """

    def __init__(self, message: str, checkpoint: Path | None = None) -> None:
        super().__init__(message)
        self.checkpoint = checkpoint


def describe(where: str | Path, *, expected: str, got: object, hint: str = "") -> str:
    """Put an error message together: ``where: expected ..., got ... . hint``.

    >>> describe("edges.txt:1834", expected="'head tail [weight]'", got="a", hint="A line lacks an end.")
    "edges.txt:1834: expected 'head tail [weight]', got 'a'. A line lacks an end."
    """
    try:
        text = repr(got)
    except (ValueError, RecursionError):  # an integer of more digits than Python writes, or nested without end
        text = f"a value of type {type(got).__name__} that is too large to write"
    if len(text) > 120:
        text = text[:100] + "..." + text[-1]
    message = f"{where}: expected {expected}, got {text}"
    return f"{message}. {hint}" if hint else message
