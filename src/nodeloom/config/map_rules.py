"""Rules between the keys of a map, and what to say of those that change nothing here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeloom.config.relations import Problem
from nodeloom.words import in_words, setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeloom.config.maps import MapConfig
    from nodeloom.config.section import Section

_SOURCES = ("vector_file", "vectors", "file_name", "edge_list", "weighted_edge_list")
WITHOUT_EFFECT: dict[tuple[str, str], str] = {
    ("build", "num_partition"): "coordinates are one small table",
    ("build", "batch_size"): "all points move at once",
    ("build", "episode_size"): "all points move at once",
    ("train", "negative_sample_exponent"): "points are pushed by all others alike",
    ("train", "positive_reuse"): "edges are drawn anew for every move",
    ("train", "sample_batch_size"): "there are no samplers",
    ("train", "log_frequency"): "progress is shown every few seconds",
    ("save", "save_hyperparameter"): "a map always holds the settings it was made with",
    ("save", "checkpoint"): "a map has no checkpoints",
    ("save", "checkpoint_interval"): "a map has no checkpoints",
    ("resource", "num_worker"): "a map is made in one process",
    ("resource", "parallelism"): "a map is made in one process",
    ("resource", "max_restart"): "a map is made in one process",
    ("resource", "table_dtype"): "coordinates are fp32",
    ("resource", "sampler"): "there are no samplers",
}
"""Keys without a role for a map, and why."""

OF_VECTORS = ("vector_normalization",)
OF_GRAPHS = ("as_undirected", "normalization", "weighted", "duplicates", "self_loops", "columns", "format")
OF_MODELS = {"TSNE": ("exaggeration", "num_iteration"), "LargeVis": ("num_epoch", "negative_weight")}
"""Keys of ``train`` that act with one model alone."""


def of_map(config: MapConfig) -> Iterator[Problem]:
    """Yield the broken rules of a configuration of a map."""
    given = [key for key in _SOURCES if getattr(config.graph, key)]
    if len(given) != 1:
        yield Problem(
            ("graph", given[1] if given else "vector_file"),
            "exactly one of vector_file, vectors, file_name, edge_list and weighted_edge_list",
            given or None,
            "Name a file of vectors, or an edge list.",
        )
    dim = config.resource.dim
    if dim not in (2, 3):
        yield Problem(("resource", "dim"), "2 or 3, since the application is visualization", dim)
    if config.train.resume:
        hint = f"Give {setting('load.file_name')} to begin where an earlier map has its points."
        yield Problem(("train", "resume"), "false: a map has no checkpoint", True, hint)
    for index, task in enumerate(config.evaluate):
        wanted = {"animation": 3, "hierarchy": 2}.get(task.task, dim)
        if wanted != dim:
            yield Problem(
                ("evaluate", index, "task"),
                f"a task for maps of {dim} dimensions",
                task.task,
                f"Give {setting('resource.dim', wanted)}.",
            )
        if task.task == "hierarchy":
            if (task.file_name is None) == (not task.HY):
                yield Problem(("evaluate", index, "file_name"), "a label file, or HY", task.file_name)
            if task.target is None:
                yield Problem(("evaluate", index, "target"), "the class to follow", None)
        elif task.file_name is not None and task.Y:
            yield Problem(("evaluate", index, "file_name"), "a label file or Y, not both", task.file_name)


def map_notices(config: MapConfig) -> list[str]:
    """Return one sentence for each key that was set to other than its default but has no effect."""
    found = [
        f"{setting(f'{section}.{key}')} has no effect: {reason}."
        for (section, key), reason in WITHOUT_EFFECT.items()
        if _changed(getattr(config, section), key)
    ]
    optimizer = config.build.optimizer
    if config.train.model == "TSNE":
        reason = "t-SNE has its own"
        found += (
            [f"{setting('build.optimizer')} has no effect: {reason}."] if _changed(config.build, "optimizer") else []
        )
    elif optimizer.type != "SGD":
        found.append(
            f"{setting('build.optimizer')} has no effect but for SGD: points move along their gradients, no further than 4 a move, at a "
            "rate that falls from 1 to 0."
        )
    elif optimizer.weight_decay not in ("auto", 0):
        found.append(f"{setting('build.optimizer.weight_decay')} has no effect: edges hold points together.")
    other = "TSNE" if config.train.model == "LargeVis" else "LargeVis"
    found += [
        f"{setting(f'train.{key}')} has no effect: the model is {config.train.model}."
        for key in OF_MODELS[other]
        if _changed(config.train, key)
    ]
    is_graph = not (config.graph.vectors or config.graph.vector_file)
    what = "a graph" if is_graph else "vectors"
    found += [
        f"{setting(f'graph.{key}')} has no effect: the map is made of {what}."
        for key in (OF_VECTORS if is_graph else OF_GRAPHS)
        if _changed(config.graph, key)
    ]
    found += [
        f"evaluate.{index}.scale has no effect: the size of points follows from their number."
        for index, task in enumerate(config.evaluate)
        if _changed(task, "scale")
    ]
    return [in_words(sentence) for sentence in found]


def _changed(group: Section, key: str) -> bool:
    return key in group.model_fields_set and getattr(group, key) != type(group).model_fields[key].default
