"""Data sets that the user holds as one ``graph.npz``.

Keys: ``edges`` [m, 2] (undirected, each once), ``labels`` [k, 2] rows of node and label, ``label_names`` (optional).
"""

from __future__ import annotations

import hashlib
import math
import re
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.datasets import conversion
from nodeloom.datasets.cache import cache_folder, written
from nodeloom.errors import DatasetError, describe

if TYPE_CHECKING:
    from pathlib import Path

SPLITS = ("graph", "label", "train", "valid", "test")
"""What can be made of a file: edges, labels, and a split for link prediction."""

TRIPLES = ("train", "valid", "test")
"""What can be made of a file of triples: its arrays."""

_APART = re.compile(r"""[\s,;#"']+""")
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
# No array of edges is packed to a hundredth; two megabytes of zeros unpack to gigabytes.
_MOST_PACKED, _SMALL = 100, 1 << 26
_ROWS = 1 << 17


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
    folder = _folder_of(file, name)
    path = folder / f"{name}_{split}.txt"
    if path.exists():
        return path
    if split in ("train", "valid", "test"):
        names = ("train", "valid", "test")
        with written(*(folder / f"{name}_{part}.txt" for part in names)) as outputs:
            conversion.link_split((100, 1, 1))([text_of(file, name, "graph")], dict(zip(names, outputs, strict=True)))
        return path
    if split == "label":
        labels, class_names = _labels(file)
        with written(path) as (temporary,):
            if class_names is None:
                conversion.write_blocks(temporary, [labels])
            else:
                with temporary.open("w", encoding="utf-8") as stream:
                    stream.writelines(f"{node}\t{class_names[label]}\n" for node, label in labels.tolist())
        return path
    edges = _pairs(file, "edges", split)
    with written(path) as (temporary,):
        conversion.write_blocks(temporary, [edges])
    return path


def triples_of(file: Path, name: str, split: str) -> Path:
    """Return the text file of a split of a knowledge graph, converted into the cache if it is not there.

    Parameters
    ----------
    file : Path
        ``triples.npz`` with an array of ids [k, 3] for each split: heads, relations, tails. The names, one a line, may be beside it in
        ``entities.txt`` and ``relations.txt`` (also packed by gzip or xz); else the ids are the names.
    name, split : str
        Data set and split.

    Raises
    ------
    DatasetError
        A file cannot be read, or lacks what the split is made of.
    """
    path = _folder_of(file, name) / f"{name}_{split}.txt"
    if path.exists():
        return path
    triples = _load(file, split)
    if triples is None:
        raise DatasetError(f"{file}: expected an array {split!r}, got none.")
    if triples.ndim != 2 or triples.shape[1] != 3 or triples.dtype.kind not in "iu":
        got = f"{triples.dtype} {list(triples.shape)}"
        raise DatasetError(describe(f"{file}: {split}", expected="integers [k, 3]", got=got))
    entities, relations = (_names(file, kind) for kind in ("entities", "relations"))
    with written(path) as (temporary,), temporary.open("w", encoding="utf-8") as stream:
        for start in range(0, len(triples), _ROWS):
            columns = [
                _named(triples[start : start + _ROWS, i], names, file)
                for i, names in enumerate((entities, relations, entities))
            ]
            stream.writelines("\t".join(row) + "\n" for row in zip(*columns, strict=True))
    return path


def _folder_of(file: Path, name: str) -> Path:
    """Return the folder in the cache for what is made of a file as it is now."""
    stat = file.stat()
    stamp = hashlib.sha256(f"{file.resolve()} {stat.st_mtime_ns} {stat.st_size}".encode()).hexdigest()[:12]
    return cache_folder() / name / f"npz-{stamp}"


def _names(file: Path, kind: str) -> list[str] | None:
    """Return the names in a text file beside a file of triples, or None if there is none."""
    path = next((p for suffix in ("", ".xz", ".gz") if (p := file.parent / f"{kind}.txt{suffix}").is_file()), None)
    if path is None:
        return None
    try:
        with conversion.open_binary(path) as stream:
            return stream.read().decode().removesuffix("\n").split("\n")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DatasetError(f"{path}: expected lines of text, got something else ({str(error)[:200]}).") from None


def _named(ids: npt.NDArray[Any], names: list[str] | None, file: Path) -> list[str]:
    if names is None:
        return [str(i) for i in ids.tolist()]
    if len(ids) and not (int(ids.min()) >= 0 and int(ids.max()) < len(names)):
        raise DatasetError(describe(file, expected=f"ids from 0 to {len(names) - 1}", got=int(ids.max())))
    return [names[i] for i in ids.tolist()]


def _labels(file: Path) -> tuple[npt.NDArray[Any], list[str] | None]:
    """Return rows of node and label, and the names of the labels if there are any."""
    labels = _pairs(file, "labels", "label")
    found = _load(file, "label_names")
    if found is None:
        return labels, None
    if found.ndim != 1 or found.dtype.kind not in "Uiu":
        got = f"{found.dtype} {list(found.shape)}"
        raise DatasetError(describe(f"{file}: label_names", expected="text in one dimension", got=got))
    wrong = (labels[:, 1] < 0) | (labels[:, 1] >= len(found))
    if wrong.any():
        row = int(wrong.argmax())
        expected = f"labels from 0 to {len(found) - 1}, of which label_names has the names"
        raise DatasetError(describe(f"{file}: labels[{row}]", expected=expected, got=int(labels[row, 1])))
    # A line of the text file is a node and its label: neither may fall apart.
    class_names = [_APART.sub("_", str(name)) for name in found.tolist()]
    if len(set(class_names)) != len(class_names) or "" in class_names:
        raise DatasetError(describe(f"{file}: label_names", expected="each name once, and none empty", got=class_names))
    return labels, class_names


def _pairs(file: Path, key: str, split: str) -> npt.NDArray[Any]:
    """Return an array of integers [k, 2]."""
    array = _load(file, key)
    if array is None:
        raise DatasetError(f"{file}: expected an array {key!r}, got none. The split {split!r} needs it.")
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iu":
        got = f"{array.dtype} {list(array.shape)}"
        raise DatasetError(describe(f"{file}: {key}", expected="integers [k, 2]", got=got))
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise DatasetError(describe(f"{file}: {key}", expected="numbers below 2^63", got=int(array.max())))
    return array.astype(np.int64, copy=False)


def _load(file: Path, key: str) -> npt.NDArray[Any] | None:
    """Return an array, or None if there is none of this name. Its size is looked at before there is room for it."""
    import lzma

    try:
        with zipfile.ZipFile(file) as archive:
            if f"{key}.npy" not in archive.namelist():
                return None
            member = archive.getinfo(f"{key}.npy")
            if member.file_size > max(_SMALL, _MOST_PACKED * member.compress_size):
                got = f"{member.file_size:,} bytes in {member.compress_size:,}"
                expected = f"an array that is packed to a {_MOST_PACKED}th at most"
                raise DatasetError(
                    describe(f"{file}: {key}", expected=expected, got=got, hint="It is damaged or forged.")
                )
            with archive.open(member) as stream:
                version = np.lib.format.read_magic(stream)
                if version not in _HEADERS:
                    raise ValueError(f"an array of version {version}")
                shape, _, dtype = _HEADERS[version](stream)
                if dtype.hasobject:
                    raise ValueError("an array of objects")
                size = math.prod(shape) * dtype.itemsize
                if size > member.file_size:
                    raise ValueError(f"an array of {size:,} bytes in {member.file_size:,}")
            with archive.open(member) as stream:
                return np.lib.format.read_array(stream, allow_pickle=False)
    except DatasetError:
        raise
    except (
        OSError,
        ValueError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        RuntimeError,
        SyntaxError,
        TypeError,
    ) as error:
        raise DatasetError(f"{file}: expected NumPy's npz format, got something else ({str(error)[:200]}).") from None
