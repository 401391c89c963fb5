"""From a reference such as ``<youtube.graph>`` to a file on this machine."""

from __future__ import annotations

import dataclasses
import difflib
import importlib.resources
import re
from pathlib import Path

from nodeloom.datasets import compiled, download
from nodeloom.datasets.cache import cache_folder, check_inside, data_folder, written
from nodeloom.datasets.registry import DATASETS, Dataset, Recipe
from nodeloom.errors import DatasetError

_REFERENCE = re.compile(r"<([^<>.]+)\.([^<>.]+)>")
_NAME = re.compile(r"\w[\w -]*")  # a file name on any system, and no path
_PACKAGED = {
    "graph": "edges.txt.gz", "label": "labels.txt", "train": "train.txt.gz", "valid": "valid.txt.gz", "test": "test.txt.gz",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Listing:
    """One line of :func:`list_datasets`.

    Attributes
    ----------
    name, title, licence : str
        As registered.
    splits : tuple of str
        What follows the dot in a reference.
    num_nodes, num_edges : int
        Published size; of a knowledge graph entities, and triples of all splits.
    available : tuple of str
        The splits that are on this machine already.
    num_relations : int
        Of a knowledge graph.
    """

    name: str
    title: str
    splits: tuple[str, ...]
    num_nodes: int
    num_edges: int
    licence: str
    available: tuple[str, ...]
    num_relations: int = 0


def is_reference(text: str) -> bool:
    """Tell whether `text` has the form ``<dataset.split>``."""
    return _REFERENCE.fullmatch(text.strip()) is not None


def resolve(reference: str, progress: download.Progress | None = None) -> Path:
    """Return the file that a reference means, fetching and converting it if need be.

    The offline folder ``NODELOOM_DATA`` is searched first: ``<name>/<name>_<split>.txt`` (also ``.txt.gz``, and ``.npy`` of arrays), then
    ``<name>/graph.npz`` and ``triples.npz`` in ``<name>`` or ``kg/<name>``. Then what comes with the package, then the cache, then the
    network.

    Parameters
    ----------
    reference : str
        ``<dataset.split>``, for example ``<youtube.graph>``.
    progress : callable, optional
        Called with (file name, bytes received, bytes in all or None) during a download.

    Returns
    -------
    Path
        A text file, or an array of NumPy.

    Raises
    ------
    DatasetError
        The data set or the split is unknown, or cannot be fetched; says how to get it by hand.
    """
    match = _REFERENCE.fullmatch(reference.strip())
    if match is None:
        raise DatasetError(f"data set: expected a reference such as <blogcatalog.graph>, got {reference!r}.")
    name, split = match.groups()
    if not _NAME.fullmatch(name) or not _NAME.fullmatch(split):
        raise DatasetError(
            f"data set: expected <name.split> of letters, digits, blanks, '-' and '_', got {reference!r}. For a file of your own give its "
            "path, without brackets."
        )
    dataset = DATASETS.get(name)
    if dataset is not None:
        split = dataset.aliases.get(split, split)
    found = _on_this_machine(name, split, convert=True)
    if found is not None:
        return found
    if dataset is None:
        raise DatasetError(_unknown(name))
    recipe = dataset.recipe(split)
    if recipe is None:
        close = difflib.get_close_matches(split, dataset.splits, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise DatasetError(
            f"<{name}.{split}>: expected one of the splits {', '.join(dataset.splits)}, got {split!r}.{hint}"
        )
    return _make(dataset, recipe, split, progress)


def located(text: str, progress: download.Progress | None = None) -> str:
    """Return the path that `text` means: references are resolved, everything else is a path already."""
    return str(resolve(text, progress)) if is_reference(text) else text


def list_datasets() -> list[Listing]:
    """Return all registered data sets, each with the splits that are on this machine."""
    return [
        Listing(
            dataset.name,
            dataset.title,
            dataset.splits,
            dataset.num_nodes,
            dataset.num_edges,
            dataset.licence,
            tuple(split for split in dataset.splits if _on_this_machine(dataset.name, split, convert=False)),
            dataset.num_relations,
        )
        for dataset in DATASETS.values()
    ]


def load_lastfm_asia() -> tuple[Path, Path]:
    """Return the paths of the edge list and the label file of the graph that comes with the package.

    Friendships between 7,624 LastFM users in Asia; the label of a user is a number that stands for a country.
    """
    return _packaged("lastfm_asia", "graph"), _packaged("lastfm_asia", "label")


def _packaged(name: str, split: str) -> Path:
    return Path(str(importlib.resources.files("nodeloom.datasets") / "packaged" / name / _PACKAGED[split]))


def _on_this_machine(name: str, split: str, *, convert: bool) -> Path | None:
    """Return the file of a split without the network; with `convert` False only tell what it would be made from."""
    offline = data_folder()
    if offline is not None:
        for suffix in (".txt", ".txt.gz", ".npy"):
            path = offline / name / f"{name}_{split}{suffix}"
            if path.is_file():
                return path
        npz = offline / name / "graph.npz"
        if npz.is_file() and split in compiled.SPLITS:
            return compiled.text_of(npz, name, split) if convert else npz
        triples = _triples_below(offline, name)
        if triples is not None and split in compiled.TRIPLES:
            return compiled.triples_of(triples, name, split) if convert else triples
    dataset = DATASETS.get(name)
    if dataset is not None and dataset.packaged and split in dataset.splits:
        return _packaged(name, split)
    cached = cache_folder() / name / f"{name}_{split}.txt"
    if not cached.is_file():
        return None
    check_inside(cached)
    return cached


def _triples_below(offline: Path, name: str) -> Path | None:
    """Return ``triples.npz`` of a knowledge graph, in ``<name>`` or ``kg/<name>``: FB15k-237 is fb15k237, too."""

    def plain(text: str) -> str:
        return re.sub(r"[-_ ]", "", text).lower()

    for folder in (offline, offline / "kg"):
        for path in sorted(folder.glob("*/triples.npz")):
            if plain(path.parent.name) == plain(name):
                return path
    return None


def _make(dataset: Dataset, recipe: Recipe, split: str, progress: download.Progress | None) -> Path:
    folder = cache_folder() / dataset.name
    try:
        inputs = [resolve(f"<{dataset.name}.{need}>", progress) for need in recipe.needs]
        for source in recipe.sources:
            path = download.fetch(source, folder / "downloads", progress)
            inputs.append(download.member(path, source.member) if source.member else path)
        with written(*(folder / f"{dataset.name}_{part}.txt" for part in recipe.splits)) as outputs:
            recipe.convert(inputs, dict(zip(recipe.splits, outputs, strict=True)))
    except DatasetError as error:
        if recipe.needs or "NODELOOM_DATA" in str(error):
            raise
        raise DatasetError(
            f"<{dataset.name}.{split}>: {error} Or put {dataset.name}_{split}.txt into a folder "
            f"{dataset.name} below the folder that NODELOOM_DATA names."
        ) from None
    return folder / f"{dataset.name}_{split}.txt"


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, DATASETS, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return (
        f"data set {name!r}: unknown.{hint} Known are {', '.join(DATASETS)}; others are found as "
        f"{name}/{name}_<split>.txt, or .npy of arrays, below the folder that NODELOOM_DATA names."
    )
