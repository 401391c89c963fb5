"""Whether what a command writes may go where it was asked to go: known before anything is read or trained.

A file is replaced without being asked only by the same kind of file, and then a note says so: a model by a model, a compiled graph by a
compiled graph, vectors by vectors in the same format. Anything else is replaced with ``--overwrite`` alone, and a file that the command
reads not even then.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from nodeloom.cli.checkpoint import checkpoint_path, is_automatic
from nodeloom.cli.session import active
from nodeloom.config.evaluate import LinkPrediction
from nodeloom.datasets import is_reference
from nodeloom.errors import OutputError, describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nodeloom.config import Config

_KINDS = {"nodeloom": "a model", "nodeloom-graph": "a compiled graph"}


def check_outputs(config: Config, *, overwrite: bool, inputs: Sequence[str] = ()) -> Path | None:
    """Return where the result of a configuration goes; None if it goes nowhere.

    Parameters
    ----------
    config : Config
        Its outputs are the result and the checkpoint.
    overwrite : bool
        Whether files of other kinds may be replaced.
    inputs : sequence of str
        Files that are read beside those that the configuration names: the configuration itself.

    Raises
    ------
    OutputError
        Writing would fail, or would destroy what was not asked for.
    """
    from nodeloom.io.model_file import written_path

    target = None
    read = [*inputs, *inputs_of(config)]
    start = (
        [str(written_path(config.load.file_name))]
        if config.load.file_name is not None and not config.train.resume
        else []
    )
    if config.save.file_name is not None:
        target = target_of(config.save.file_name)
        vectors = kind_of_vectors(target)
        check_output(target, vectors or "a model", [*read, *([] if overwrite else start)], overwrite=overwrite)
    checkpoint = checkpoint_path(config)
    if checkpoint is not None:
        named = [] if is_automatic(config) else [*read, *start, *([] if target is None else [str(target)])]
        # A checkpoint in the way is kept aside if we chose its name; a training resumed from it replaces it.
        free = overwrite or is_automatic(config)
        check_output(checkpoint, "a model", named, overwrite=free, note=not config.train.resume)
    return target


def target_of(path: str) -> Path:
    """Return the file that a training writes when the user says `path`: a model, or vectors in a format of ``export``."""
    from nodeloom.io.export import SUFFIXES
    from nodeloom.io.model_file import model_path

    target = Path(path)
    _refuse_folder(target)
    return target if target.suffix.lower() in SUFFIXES else model_path(target)


def kind_of_vectors(target: Path, format: str = "auto") -> str:
    """Return the kind of file that holds vectors under a name: ``vectors (tsv)``; empty for a model."""
    from nodeloom.io.export import SUFFIXES

    chosen = SUFFIXES.get(target.suffix.lower(), "") if format == "auto" else format
    return f"vectors ({chosen})" if chosen else ""


def inputs_of(config: Config) -> list[str]:
    """Return the files that a configuration names to be read, without models to start from."""
    found = [name for name in config.graph.file_name if name != "-"]
    found += getattr(config.train, "validation", ())
    for task in config.evaluate:
        found += [task.file_name or "", (task.filter_file or "") if isinstance(task, LinkPrediction) else ""]
    return [name for name in found if name and not is_reference(name)]


def check_output(path: str | Path, kind: str, inputs: Iterable[str], *, overwrite: bool, note: bool = True) -> None:
    """Make sure that a file can be written and that it replaces nothing of value.

    Parameters
    ----------
    path : str or Path
        The file.
    kind : str
        What it will be: "a model", "a compiled graph", "vectors (FORMAT)" or other words.
    inputs : iterable of str
        Files that the command reads.
    overwrite : bool
        Whether a file of another kind may be replaced.
    note : bool
        Whether to say that a file of the same kind is replaced.

    Raises
    ------
    OutputError
        It is one of the inputs, a folder, a file of another kind, or cannot be written.
    """
    from nodeloom.io.atomic import check_writable

    _refuse_folder(Path(path))
    check_writable(path)
    for other in inputs:
        if _is_same(path, other):
            hint = "Give the output another name."
            raise OutputError(
                describe(path, expected="an output that is no input", got=f"the input {other}", hint=hint)
            )
    if overwrite:
        return
    try:
        there = kind_of(path, kind) if os.path.isfile(path) and os.path.getsize(path) else ""  # noqa: PTH113, PTH202
    except OSError:
        there = "a file that cannot be read"
    if there not in ("", kind):
        hint = "Give another name, or --overwrite to replace the file."
        raise OutputError(describe(path, expected=f"a new file, or {kind} to replace", got=there, hint=hint))
    if there and note:
        active().tell(f"{path}: the file there, {kind}, is replaced.")


def kind_of(path: str | Path, expected: str) -> str:
    """Tell from its first bytes what a file is, in words; vectors are looked for only in the format that is `expected`."""
    from nodeloom.io.export import holds_vectors

    with open(path, "rb") as file:  # noqa: PTH123
        length = int.from_bytes(file.read(8), "little")
        head = file.read(length) if 2 <= length <= min(1 << 26, os.path.getsize(path)) else b""  # noqa: PTH202
    if head.startswith(b"{"):
        with contextlib.suppress(ValueError, AttributeError):
            name = json.loads(head).get("__metadata__", {}).get("format")
            return _KINDS.get(str(name), "a safetensors file of another program")
    if expected.startswith("vectors (") and holds_vectors(path, expected[9:-1]):
        return expected
    return "a file of another kind"


def _is_same(path: str | Path, other: str) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return os.path.samefile(Path(path).expanduser(), Path(other).expanduser())  # noqa: PTH121
    return os.path.abspath(path) == os.path.abspath(other)  # noqa: PTH100


def _refuse_folder(path: Path) -> None:
    try:
        is_folder = path.is_dir()
    except (OSError, ValueError):
        return  # a name that is too long: who tries to write it says so
    if is_folder:
        raise OutputError(describe(path, expected="the path of a file", got="a folder", hint="Add a file name."))
