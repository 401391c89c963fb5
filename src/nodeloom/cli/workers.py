"""Several workers on the command line: how they are started, which one prints, and what they share."""

from __future__ import annotations

import contextlib
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from nodeloom.cli.checkpoint import checkpoint_path
from nodeloom.cli.session import Session, WorkersEnded
from nodeloom.config import Config, LinkPrediction
from nodeloom.config.relations import of_workers
from nodeloom.errors import ConfigError, DataError, describe
from nodeloom.log import logger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeloom.graph import Graph
    from nodeloom.transport.base import Transport


_FILES = {"save", "load", "file_name", "filter_file", "filter_H", "filter_T", "X", "Y", "H", "T"}
"""Keys whose values may differ between hosts: the graphs read are compared, and one worker writes."""


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
    from nodeloom.transport.launcher import start_workers, this_program
    from nodeloom.transport.torchrun import worker_rank

    number = config.resource.num_worker
    if number == "auto" or number == 1 or worker_rank().launched:
        return False
    ended = start_workers(this_program(sys.argv[1:]), number, max_restart=config.resource.max_restart)
    session.silent = True  # the workers have said it all
    if ended.signal and ended.code:  # else they were done by then
        raise WorkersEnded("" if ended.is_told else "interrupted.", 130)
    if ended.is_told:
        raise WorkersEnded("", ended.code if ended.code > 0 else 1)
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


@contextlib.contextmanager
def together(config: Config, session: Session) -> Iterator[tuple[Config, Transport]]:
    """Be one of the workers that torchrun has started, inside the block.

    Yields
    ------
    config : Config
        What to do: a training that is started again goes on from its checkpoint.
    transport : Transport
        All workers.

    Raises
    ------
    ConfigError
        If workers cannot do what the configuration says, or are not as many as it says.
    """
    from nodeloom.engine.workers.agreement import check_same, of_sections
    from nodeloom.transport.alone import ALONE
    from nodeloom.transport.session import worker_session
    from nodeloom.transport.torchrun import num_workers, worker_rank

    here = worker_rank()
    number = num_workers(config.resource, "resource.num_worker")
    if number == 1:
        yield config, ALONE
        return
    for problem in of_workers(config.train, number):
        raise ConfigError(problem.message(".".join(map(str, problem.path))))
    if "-" in config.graph.file_name and here.local_size < number:
        hint = "The standard input is on one host only: save what it gives to a file that all hosts can read."
        raise ConfigError(
            describe("graph.file_name", expected="files, with workers on several hosts", got="-", hint=hint)
        )
    path = checkpoint_path(config)
    if here.restart:
        logger.warning("a worker has failed, and all were started again (restart %d).", here.restart)
    if here.restart and path is not None:
        config = config.model_copy(update={"train": config.train.model_copy(update={"resume": True})})
    with worker_session(config.resource.worker_timeout, checkpoint=path, command=session.resume_hint) as transport:
        check_same(transport, of_sections(config.model_dump(mode="json"), _FILES))
        yield config, transport


def own_tasks(config: Config, transport: Transport) -> Config:
    """Return the configuration with the tasks of this worker: all for the first one; tasks that hold edges out for every other one."""
    if transport.rank == 0:
        return config
    nothing = {"filter_file": None, "filter_H": (), "filter_T": ()}
    tasks = [
        task.model_copy(update=nothing)
        for task in config.evaluate
        if isinstance(task, LinkPrediction) and task.fraction is not None
    ]
    return config.model_copy(update={"evaluate": tuple(tasks)})


def share_graph(graph: Graph | None, path: str | None, transport: Transport) -> Graph:
    """Return the graph of this host, mapped from one file by all workers there. All workers have to call this.

    Parameters
    ----------
    graph : Graph or None
        What the first worker of a host has read; None for the others.
    path : str or None
        The compiled graph that it comes from, if it is one. Otherwise one is written, and taken away when all have opened it.

    Raises
    ------
    DataError
        If hosts have read different graphs.
    """
    from nodeloom.graph import Graph
    from nodeloom.temporary import Temporary

    here = transport.worker
    folder = None
    if graph is not None and path is None and here.local_size > 1:
        folder = Temporary(Path(tempfile.gettempdir()) / "nodeloom-workers", folder=True)
    try:
        if graph is not None and folder is not None:
            path = str(folder.path / "graph.safetensors")
            graph.save(path)
        offers = transport.gather_objects(None if graph is None else (here.host, path, graph.fingerprint()))
        prints = {offer[2]: offer[0] for offer in reversed(offers) if offer is not None}
        if len(prints) > 1:
            got = f"different ones on hosts {', '.join(map(str, sorted(prints.values())))}"
            hint = "Give all hosts the same files."
            raise DataError(describe("graph", expected="the same graph on all hosts", got=got, hint=hint))
        path = next(offer[1] for offer in offers if offer is not None and offer[0] == here.host)
        if path is not None:
            graph = Graph.open(path)
        assert graph is not None
        transport.barrier()  # what is mapped stays when the file goes
    finally:
        if folder is not None:
            folder.remove()
    return graph
