"""Several workers, as the command line sees them: who starts them, who speaks, and what they share."""

from __future__ import annotations

import signal
import sys

from nodeloom.cli.checkpoint import checkpoint_path
from nodeloom.cli.session import Session, WorkersEnded
from nodeloom.config import Config


def started(config: Config, session: Session) -> bool:
    """Do the whole command with workers if several are asked for, and torchrun has not started this process.

    Returns
    -------
    bool
        Whether that was done, and nothing is left to do.

    Raises
    ------
    ConfigError
        If torch is not installed.
    WorkersEnded
        If workers failed or were interrupted.
    """
    from nodeloom.engine.torchrun import place
    from nodeloom.engine.workers.launcher import start_workers, this_program

    number = config.resource.num_worker
    if number == "auto" or number == 1 or place() is not None:
        return False
    ended = start_workers(
        this_program(sys.argv[1:]), number, max_restart=config.resource.max_restart, chatty=session.verbose
    )
    session.silent = True  # the workers have said it all
    if ended.signal:
        raise WorkersEnded("", 130)
    if ended.code < 0:
        name = signal.Signals(-ended.code).name
        hint = " The machine may have run out of memory." if name == "SIGKILL" else ""
        raise WorkersEnded(
            f"worker {ended.rank} was ended by {name}.{hint}{_how_to_go_on(config, session)}", 128 - ended.code
        )
    if ended.code > 0:
        raise WorkersEnded("", ended.code)
    return True


def _how_to_go_on(config: Config, session: Session) -> str:
    path = checkpoint_path(config)
    if path is None or not path.exists():
        return " There is no checkpoint to go on from."
    return f" The last checkpoint is {path}; go on with: {session.resume_hint}"
