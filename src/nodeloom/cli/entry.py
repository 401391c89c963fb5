"""From arguments to an exit code: errors become one line, signals an orderly end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any

import typer

from nodeloom.cli.session import Session, WorkersEnded, activate
from nodeloom.cli.starting import is_limited, limits, undisturbed
from nodeloom.cli.streams import lasting, printable
from nodeloom.errors import NodeloomError, SecondaryFailureError, TrainingInterrupted, WorkerError
from nodeloom.words import in_words, of_python, setting, spoken

if TYPE_CHECKING:
    from collections.abc import Iterator

OK = 0
UNEXPECTED = 1
USER_ERROR = 2
INTERRUPTED = 130  # what a shell reports for a program ended by Ctrl-C

# typer has a copy of click inside since 0.16; its errors are reached through the public class that inherits them.
_CLICK_ERROR: Any = typer.BadParameter.__mro__[2]


def run(arguments: list[str]) -> int:
    """Run a command and return the exit code.

    0: done. 1: an error that is ours, to be reported. 2: an error of input, configuration or use, told in one line.
    130: stopped by Ctrl-C or SIGTERM. Another worker that has failed is 1 too; its own code says what it was.

    A reader of the output that leaves (``| head``) ends nothing: the work is done, saved, and the code is that of the work.
    """
    with spoken(of_python), lasting() as out:
        code = _run(arguments)
        out.flush()
        if out.problem and code == OK:
            _error(f"the standard output cannot be written: {out.problem}. What was to be printed there is lost.")
            return USER_ERROR
        return code


def _run(arguments: list[str]) -> int:
    session = Session()
    try:
        with activate(session), _terminate_as_interrupt():
            with undisturbed():
                from nodeloom.cli.app import app
            code = app(arguments or ["--help"], prog_name="nodeloom", standalone_mode=False)
        if code == INTERRUPTED:  # typer turns Ctrl-C into this code
            raise session.interrupted or KeyboardInterrupt
    except NodeloomError as error:
        session.close()
        return _tell(error, session)
    except (KeyboardInterrupt, typer.Abort) as error:
        session.close()
        if session.led:
            from nodeloom.transport.launcher import SECONDARY_FAILURE

            return SECONDARY_FAILURE
        if isinstance(error.__cause__, EOFError):  # typer takes it for Ctrl-C
            return _tell_unexpected(error.__cause__, session)
        if not session.silent:
            _error("interrupted.")
        return INTERRUPTED
    except typer.Exit as error:
        return error.exit_code
    except _CLICK_ERROR as error:
        from nodeloom.cli.misuse import message_of

        _error(message_of(error))
        return USER_ERROR
    except MemoryError as error:
        session.close()
        return _tell(
            error,
            session,
            in_words(f"out of memory. Lower {setting('resource.dim')}, or use a machine with more memory."),
        )
    except Exception as error:  # noqa: BLE001  the last line of defence: no traceback for users
        session.close()
        return _tell_unexpected(error, session)
    return OK


def _tell_unexpected(error: BaseException, session: Session) -> int:
    reason = (str(error).splitlines() or [""])[0]
    message = f"unexpected {type(error).__name__}: {reason} (--verbose shows where)"
    if is_limited():
        message += f". The limits of this process ({limits()}) may be why"
    return _tell(error, session, message, UNEXPECTED)


def _tell(error: BaseException, session: Session, message: str = "", code: int = USER_ERROR) -> int:
    if isinstance(error, WorkersEnded):
        _error(str(error))
        return error.code
    if isinstance(error, SecondaryFailureError):
        from nodeloom.transport.launcher import SECONDARY_FAILURE

        # All workers find the same mistake of the user; it has one exit code, whoever ends first.
        return USER_ERROR if isinstance(error.__cause__, NodeloomError) else SECONDARY_FAILURE
    if session.silent and isinstance(error, TrainingInterrupted):
        return INTERRUPTED
    if session.verbose:
        traceback.print_exception(error)
    text = message or str(error)
    _error(_of_worker(text) if session.silent and not isinstance(error, WorkerError) else text)
    if isinstance(error, WorkerError):
        return UNEXPECTED
    if isinstance(error, TrainingInterrupted):
        if session.resume_hint and error.checkpoint is not None:
            sys.stderr.write(f"Go on with: {printable(session.resume_hint)}\n")
        return INTERRUPTED
    return code


def _of_worker(message: str) -> str:
    """Say which worker an error belongs to, if it is not the first."""
    return f"worker {os.environ['RANK']} on {socket.gethostname()}: {message}"


def _error(message: str) -> None:
    """Print a message; a configuration may have several problems, a line for each. What is empty has been said by others."""
    for line in message.split("\n") if message else []:
        sys.stderr.write(f"error: {printable(line)}\n")
    sys.stderr.flush()


@contextlib.contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C inside the block, so that training ends its step, writes its checkpoint and says so."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signal handlers belong to the main thread; elsewhere (tests, notebooks) they stay as they are
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
