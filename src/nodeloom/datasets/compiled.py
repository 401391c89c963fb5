"""Data sets that the user holds as one ``graph.npz``.

Keys: ``edges`` [m, 2] (undirected, each once), ``labels`` [k, 2] rows of node and label, ``label_names`` (optional).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from nodeloom.datasets import conversion
from nodeloom.datasets.cache import cache_folder, written
from nodeloom.errors import DatasetError

SPLITS = ("graph", "label", "train", "valid", "test")
"""What can be made of a file: edges, labels, and a split for link prediction."""


def text_of(file: Path, name: str, split: str) -> Path:
    """Return the text file of a split, converted into the cache if it is not there.

    Parameters
    ----------
    file : Path
        ``graph.npz``.
    name, split : str
        Data set and split.

    Raises
    ------
    DatasetError
        The file cannot be read, or lacks what the split is made of.
    """
    stat = file.stat()
    stamp = hashlib.sha256(f"{file.resolve()} {stat.st_mtime_ns} {stat.st_size}".encode()).hexdigest()[:12]
    folder = cache_folder() / name / f"npz-{stamp}"
    path = folder / f"{name}_{split}.txt"
    if path.exists():
        return path
    if split in ("train", "valid", "test"):
        names = ("train", "valid", "test")
        with written(*(folder / f"{name}_{part}.txt" for part in names)) as outputs:
            conversion.link_split((100, 1, 1))([text_of(file, name, "graph")], dict(zip(names, outputs, strict=True)))
        return path
    content = _load(file)
    key = {"graph": "edges", "label": "labels"}[split]
    if key not in content:
        raise DatasetError(f"{file}: expected an array {key!r}, got {sorted(content)}. The split {split!r} needs it.")
    with written(path) as (temporary,):
        if split == "label" and "label_names" in content:
            names_of = content["label_names"]
            lines = (f"{node}\t{names_of[label]}\n" for node, label in content["labels"].tolist())
            with temporary.open("w", encoding="utf-8") as stream:
                stream.writelines(lines)
        else:
            conversion.write_blocks(temporary, [content[key]])
    return path


def _load(file: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(file, allow_pickle=False) as content:
            return {key: content[key] for key in content.files}
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"{file}: expected NumPy's npz format, got something else ({error}).") from None
