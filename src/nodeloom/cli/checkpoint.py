"""Where a training keeps what it has done so far, and where it starts from."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodeloom.config.train import SpectralTrain
from nodeloom.io.export import SUFFIXES
from nodeloom.log import logger

if TYPE_CHECKING:
    from nodeloom.config import Config
    from nodeloom.transport.base import Transport


def is_automatic(config: Config) -> bool:
    """Tell whether the checkpoint is ours to name and to remove, and not a file that was asked for."""
    return config.save.checkpoint == "auto"


def checkpoint_path(config: Config) -> Path | None:
    """Return where checkpoints go: the file that was named, else one beside the result, or None for nowhere."""
    if isinstance(config.train, SpectralTrain):  # computed in seconds: there is nothing to go on from
        return None
    if not is_automatic(config):
        return None if config.save.checkpoint == "none" else Path(config.save.checkpoint)
    if config.save.file_name is None:
        return None
    result = Path(config.save.file_name)
    # Only a suffix that says what is written goes: model.1 and model.2 are two models.
    known = {".safetensors", ".pkl", ".pickle", *SUFFIXES}
    stem = result.stem if result.suffix.lower() in known else result.name
    end = ".checkpoint.safetensors"
    if len(os.fsencode(stem + end)) > 255:  # what file systems take
        mark = hashlib.sha256(os.fsencode(stem)).hexdigest()[:8]
        stem = f"{os.fsencode(stem)[:200].decode(errors='ignore')}.{mark}"
    return result.with_name(stem + end)


def set_aside(path: Path) -> None:
    """Keep the checkpoint of an interrupted training from being replaced by that of a training that starts anew.

    Raises
    ------
    OutputError
        If it cannot be renamed.
    """
    from nodeloom.io.atomic import output_error

    if not path.exists():
        return
    kept = path.with_name(path.name.replace(".checkpoint.", ".checkpoint.previous."))
    try:
        path.replace(kept)
    except OSError as error:
        raise output_error(kept, error) from error
    logger.warning(
        "%s: holds an interrupted training, and --resume was not given. This training starts anew; the other one was "
        "kept as %s.",
        path,
        kept,
    )


def remove(config: Config) -> None:
    """Remove the checkpoint of a training whose result is safe, unless it was asked for by name."""
    path = checkpoint_path(config)
    if path is None or not is_automatic(config):
        return
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("%s: the checkpoint is of no use any more, but cannot be removed: %s", path, error.strerror)


def fit_options(config: Config, transport: Transport) -> dict[str, Any]:
    """Return where to start from and where to write checkpoints, as ``fit`` takes it; the same for all workers."""
    import nodeloom

    options: dict[str, Any] = {}
    path = checkpoint_path(config)
    if path is not None:
        options["checkpoint"] = str(path)
        options["checkpoint_interval"] = config.save.checkpoint_interval
    if config.train.resume:
        is_there = path is not None and path.exists()
        if transport.gather_objects(is_there)[0]:  # what the first worker sees holds for all
            return {**options, "resume": str(path)}
        if config.load.file_name is not None and (path is None or is_automatic(config)):
            return {**options, "resume": config.load.file_name}
        logger.warning("%s: there is no checkpoint yet; training starts at the beginning.", path)
    if config.load.file_name is not None:
        options["init"] = nodeloom.load(config.load.file_name)  # which may be the checkpoint that is set aside next
    transport.barrier()  # all have opened it
    if transport.rank == 0 and path is not None and is_automatic(config) and not config.train.resume:
        set_aside(path)
    return options
