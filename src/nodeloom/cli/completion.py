"""Values that a shell offers while a command is typed. What has none is completed as the name of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from pydantic.fields import FieldInfo

from nodeloom.config.problems import literals

Complete = Callable[[str], list[str]]

_OTHERS = {
    "device": ("auto", "cpu", "cuda", "cuda:0"),
    "encoding": ("utf-8", "latin-1", "utf-16"),
    "gpu_memory_limit": ("auto", "8GB"),
    "memory_limit": ("auto", "8GB"),
}
MODEL_SUFFIXES = (".safetensors", ".txt", ".bin", ".tsv", ".csv", ".npz", ".parquet")
VECTOR_SUFFIXES = MODEL_SUFFIXES[1:]
FORMATS = ("word2vec", "word2vec-binary", "npz", "parquet", "tsv", "csv")


def one_of(values: Iterable[str]) -> Complete:
    """Return the completion of an option that takes one of some values."""
    listed = list(values)

    def complete(incomplete: str) -> list[str]:
        return [value for value in listed if value.lower().startswith(incomplete.lower())]

    return complete


def of_field(key: str, field: FieldInfo) -> Complete | None:
    """Return the completion of a key of the configuration; None if it takes anything."""
    values = _OTHERS.get(key) or tuple(dict.fromkeys(literals(field.annotation)))
    return one_of(values) if values else None


def output(suffixes: Iterable[str]) -> Complete:
    """Return the completion of the name of an output: folders, and the name with each suffix that there is."""
    known = tuple(suffixes)

    def complete(incomplete: str) -> list[str]:
        folder, stem = Path(incomplete).parent, Path(incomplete).name
        try:
            there = sorted(f"{path}/" for path in folder.glob(f"{stem}*") if path.is_dir()) if stem else []
        except OSError:
            there = []
        begun = Path(incomplete).suffix
        named = incomplete.removesuffix(begun)
        return there + ([named + suffix for suffix in known if suffix.startswith(begun)] if stem else [])

    return complete


def edges(incomplete: str) -> list[str]:
    """Complete a data set, ``<name.split>``; files are completed by the shell."""
    quote = incomplete[:1] if incomplete[:1] in ("'", '"', "\\") else ""
    if not incomplete.removeprefix(quote).startswith("<"):
        return []
    from nodeloom.datasets.registry import DATASETS

    names = [f"{quote}<{data.name}.{split}>" for data in DATASETS.values() for split in data.splits]
    return [name for name in names if name.startswith(incomplete)]


def setting(incomplete: str) -> list[str]:
    """Complete ``KEY=`` for ``--set``."""
    from nodeloom.config import Config
    from nodeloom.config.problems import join, key_paths

    keys = [path for path in key_paths(Config) if path[0] != "evaluate"]
    return [name for path in keys for name in (f"{join(path)}=", f"{path[-1]}=") if name.startswith(incomplete)]


def baseline(incomplete: str) -> list[str]:
    """Complete a word of the name of a baseline."""
    from nodeloom.cli.baselines import baselines

    words = sorted({word for path in baselines() for word in path.stem.split("_")})
    return [word for word in words if word.startswith(incomplete)]
