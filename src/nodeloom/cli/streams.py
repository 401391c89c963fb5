"""The streams of the program. A reader may close its end, and a disk may be full: neither ends the work."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a terminal obeys or what reorders a line: control characters but tab and line end, marks of direction, and halves of
# characters, which names of files may hold and no stream can write.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""Return a text with what a terminal would obey written out: ``\x1b[31m`` in the name of a node stays without effect."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class Stream:
    """A stream that never fails: text that cannot be delivered is dropped, and the reason kept.

    Parameters
    ----------
    stream : text stream or None
        Where text goes; None if the program was started without it.

    Attributes
    ----------
    error : OSError or None
        Why nothing is written any more.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.error: OSError | None = None if stream is not None else OSError(errno.EBADF, os.strerror(errno.EBADF))

    def write(self, text: str) -> int:
        """Write a text, with escapes for what the encoding of the stream does not have."""
        if self.error is None:
            try:
                self._stream.write(text)
            except UnicodeEncodeError:
                encoding = self._stream.encoding or "ascii"
                return self.write(text.encode(encoding, "backslashreplace").decode(encoding))
            except OSError as error:
                self._lose(error)
        return len(text)

    def flush(self) -> None:
        """Hand on what was written."""
        if self.error is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._lose(error)

    def isatty(self) -> bool:
        """Tell whether this is a terminal."""
        return self._stream is not None and self._stream.isatty()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _lose(self, error: OSError) -> None:
        self.error = error
        # What Python still holds of it goes to nowhere when the interpreter ends.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    @property
    def problem(self) -> str:
        """Why a result is lost that was to be printed here; empty if it is not, or if its reader left of its own will."""
        if self.error is None or self.error.errno in (errno.EPIPE, errno.EBADF):
            return ""
        return self.error.strerror or type(self.error).__name__


@contextlib.contextmanager
def lasting() -> Iterator[Stream]:
    """Let the standard output and the standard error take text for ever, inside the block. Yields the output."""
    before = sys.stdout, sys.stderr
    out, err = Stream(sys.stdout), Stream(sys.stderr)
    sys.stdout, sys.stderr = out, err
    try:
        yield out
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before
