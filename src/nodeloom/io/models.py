"""Models of any kind: of nodeloom, of GraphVite, or vectors of another program; told by the first bytes of the file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from nodeloom.io.exported import has_vectors, kind_of, read_exported
from nodeloom.io.model_file import SUFFIX, read_model

if TYPE_CHECKING:
    from nodeloom.io.model_data import ModelData

_PICKLES = (".pkl", ".pickle")


def open_model(path: str | Path, *, mmap: bool = True) -> ModelData:
    """Read a model of nodeloom or of GraphVite, or vectors: of word2vec, or in what export writes.

    The pickle of GraphVite is read by a reader that runs no code of it.

    Parameters
    ----------
    path : str or Path
        The file.
    mmap : bool
        Whether the tables of a model of nodeloom stay in the file.

    Raises
    ------
    ModelError
        It is missing, damaged, or none of these.
    """
    path = Path(path)
    if not os.path.isfile(path) or path.suffix.lower() == SUFFIX or _is_safetensors(path):  # noqa: PTH113  pathlib raises OSError for names that are too long
        return read_model(path, mmap=mmap)
    kind = kind_of(_start(path))
    if kind:
        return read_exported(path, kind)
    if path.suffix.lower() in _PICKLES:
        from nodeloom.io.graphvite_pickle import read_graphvite

        return read_graphvite(path)
    from nodeloom.io.word2vec import read_word2vec

    return read_word2vec(path)


def is_model(path: str | Path) -> bool:
    """Tell whether a file is a model or vectors, and no list of edges."""
    path = Path(path)
    if path.suffix.lower() in (SUFFIX, *_PICKLES) or _is_safetensors(path):
        return True
    kind = kind_of(_start(path))
    if kind:
        return kind != "parquet" or has_vectors(path)
    from nodeloom.io.word2vec import looks_like_word2vec

    return looks_like_word2vec(path)


def _is_safetensors(path: Path) -> bool:
    return _start(path)[8:9] == b"{"


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(64)
    except OSError:
        return b""
