"""A map as a configuration file says: GraphVite's application ``visualization``."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.cli.inputs import locate, read_graph
from nodeloom.cli.maps import MapInput, check_map_output, read_classes, read_vectors
from nodeloom.cli.outputs import check_output, kind_of_vectors, target_of
from nodeloom.cli.tables import escape, facts
from nodeloom.config.map_rules import map_notices
from nodeloom.errors import ConfigError, DataError, MemoryLimitError, OutputError, describe
from nodeloom.io.cells import cut
from nodeloom.log import logger
from nodeloom.words import setting

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nodeloom.cli.session import Session
    from nodeloom.config.maps import MapAnimation, MapConfig, MapDrawing, MapHierarchy
    from nodeloom.typing import FloatArray

Paths = list[tuple[str, ...]]

_KEYS = {
    "num_neighbor": "graph.num_neighbor",
    "perplexity": "graph.perplexity",
    "metric": "graph.metric",
    "lr": "build.optimizer.lr",
    "schedule": "build.optimizer.schedule",
    "num_negative": "build.num_negative",
    **{key: f"train.{key}" for key in ("num_epoch", "negative_weight", "exaggeration", "num_iteration", "seed")},
    **{key: f"resource.{key}" for key in ("dim", "device", "num_thread", "gpu_memory_limit", "memory_limit")},
}
"""Where a file has the parameters of a map."""


def run_map(
    config: MapConfig, session: Session, *, evaluate: bool = True, overwrite: bool = False, inputs: Sequence[str] = ()
) -> None:
    """Make a map, save it, and draw it.

    Parameters
    ----------
    config : MapConfig
        What to do.
    session : Session
        Where to print and what to collect for JSON.
    evaluate : bool
        Whether to draw.
    overwrite : bool
        Whether files of other kinds may be replaced.
    inputs : sequence of str
        Files that were read for `config` itself.

    Raises
    ------
    NodeloomError
        Of any part. Outputs, inputs and settings are checked before anything is computed.
    """
    import nodeloom
    from nodeloom.figures.turning import check_moving

    for sentence in map_notices(config):
        logger.warning(sentence)
    tasks = [(task, _picture(config, index, session)) for index, task in enumerate(config.evaluate)] if evaluate else []
    read = [*inputs, *_inputs(config)]
    target = None if config.save.file_name is None else target_of(config.save.file_name)
    if target is not None:
        if kind_of_vectors(target):
            hint = "Coordinates go to the save_file of a task: a .parquet or a .csv."
            raise OutputError(describe(target, expected="a name for a map", got=target.suffix, hint=hint))
        check_output(target, "a model", read, overwrite=overwrite)
    for task, path in tasks:
        moving = task.task != "visualization"
        if moving:
            check_moving(path)
        check_map_output(path, 3 if moving else config.resource.dim, read, overwrite=overwrite)
    kind = nodeloom.LargeVis if config.train.model == "LargeVis" else nodeloom.TSNE
    estimator: Any = kind(**_parameters(config), verbose=False if session.quiet or session.json else "auto")
    with _in_keys(config):
        estimator._settings()
    given = _read(config, session)
    labels = [_labels(config, task, given, session) for task, _ in tasks]
    earlier = None if config.load.file_name is None else _earlier(config.load.file_name)
    data = given.graph if given.graph is not None else given.vectors
    if given.metric is not None and config.graph.metric == "auto":
        estimator.set_params(metric=given.metric)
    with _in_keys(config):
        plan = estimator.plan(data)
        session.result["plan"] = plan.to_dict()
        session.show(facts("Plan", plan.rows()))
        estimator.fit(data, init=earlier)
    session.result["map"] = {"num_points": len(given), **estimator.report_}
    if target is not None:
        path = estimator.save(target)
        session.result["saved"] = str(path)
        session.show(f"[bold]Saved[/bold]  {escape(str(path))}")
    session.result["pictures"] = []
    for (task, path), found in zip(tasks, labels, strict=True):
        _draw(task, path, given, estimator.coordinates_, found)
        session.result["pictures"].append(path)
        session.show(f"[bold]Drew[/bold]  {escape(path)}")


def _parameters(config: MapConfig) -> dict[str, Any]:
    """Return the parameters of the estimator."""
    graph, train, resource, optimizer = config.graph, config.train, config.resource, config.build.optimizer
    near = {"num_neighbor": graph.num_neighbor, "perplexity": graph.perplexity}
    if config.graph.file_name or config.graph.edge_list or config.graph.weighted_edge_list:
        # Neighbors of vectors are GraphVite's keys: a graph has edges, and our own neighbors beside them.
        near = {key: value if key in graph.model_fields_set else "auto" for key, value in near.items()}
    own: dict[str, Any] = (
        {"exaggeration": train.exaggeration, "num_iteration": train.num_iteration}
        if train.model == "TSNE"
        else {
            "num_epoch": train.num_epoch,
            "negative_weight": train.negative_weight,
            "num_negative": config.build.num_negative,
            **({"lr": optimizer.lr, "schedule": optimizer.schedule} if optimizer.type == "SGD" else {}),
        }
    )
    return {
        "dim": resource.dim,
        **near,
        "metric": graph.metric,
        "seed": train.seed,
        "num_thread": resource.threads,
        "device": _device(config),
        "gpu_memory_limit": resource.gpu_memory_limit,
        "memory_limit": resource.memory_limit,
        **own,
    }


def _device(config: MapConfig) -> str:
    """Return the device: of the GPUs that are named, the first that can be used; the CPU, if there is none."""
    from nodeloom.engine.device import resolve_device

    return resolve_device(config.resource, deterministic=False)


@contextmanager
def _in_keys(config: MapConfig) -> Iterator[None]:
    """Tell mistakes in the words of the file."""
    try:
        yield
    except (ConfigError, DataError, MemoryLimitError) as error:
        text = str(error)
        for name in ("LargeVis", "TSNE"):
            for key, path in _KEYS.items():
                text = text.replace(f"{name}.{key}:", f"{path}:")
            text = text.replace(f"{name}: ", f"{_source(config)}: ")
        for key, path in _KEYS.items():
            text = text.replace(f"layout.{key}", path)
        raise type(error)(text) from None


def _source(config: MapConfig) -> str:
    """Return what the map is made of, in words."""
    graph = config.graph
    return graph.vector_file or graph.vectors or ", ".join(graph.file_name) or "the edges"


def _inputs(config: MapConfig) -> list[str]:
    from nodeloom.datasets import is_reference

    graph = config.graph
    found = [graph.vector_file, graph.vectors, config.load.file_name, *graph.file_name]
    for task in config.evaluate:
        found += [task.file_name, task.Y if task.task != "hierarchy" and isinstance(task.Y, str) else None]
    return [name for name in found if name and name != "-" and not is_reference(name)]


def _picture(config: MapConfig, index: int, session: Session) -> str:
    """Return where a picture goes: GraphVite shows one that has no file in a window, which we do not."""
    task = config.evaluate[index]
    if task.save_file is not None:
        if Path(task.save_file).suffix.lower() == ".safetensors":
            hint = f"Give {setting('save.file_name')} to save the map."
            raise ConfigError(
                describe(f"evaluate.{index}.save_file", expected="a picture", got=task.save_file, hint=hint)
            )
        return task.save_file
    stem = Path(config.save.file_name or "map").stem
    moving = task.task != "visualization"
    suffix = f"_{task.task}.gif" if moving else ".html" if config.resource.dim == 2 else ".png"
    session.tell(f"evaluate.{index}: no save_file is given; the picture goes to {stem}{suffix}.")
    return f"{stem}{suffix}"


def _read(config: MapConfig, session: Session) -> MapInput:
    """Read what the map is made of."""
    name = config.graph.vector_file or config.graph.vectors
    if name is None:
        graph = read_graph(config, session)  # type: ignore[arg-type]  # it has the keys of a graph
        session.show(f"[bold]Read[/bold]  {escape(repr(graph))}")
        return MapInput(graph=graph, names=graph.names)
    given = read_vectors(locate(name, session), config.format)
    if given is None:
        raise DataError(
            describe(name, expected="vectors", got="a file that holds none", hint="Of a graph it is graph.file_name.")
        )
    assert given.vectors is not None
    session.show(f"[bold]Read[/bold]  {len(given.vectors):,} vectors of {given.vectors.shape[1]:,} values")
    return dataclasses.replace(given, vectors=normalized(given.vectors)) if config.graph.vector_normalization else given


def normalized(vectors: FloatArray) -> FloatArray:
    """Return vectors whose columns have a mean of 0 and a largest absolute value of 1, float32 [N, D]; columns that are constant are 0."""
    mean = vectors.mean(axis=0, dtype=np.float64)
    found = np.empty(vectors.shape, np.float32)
    for first in range(0, len(vectors), 4096):
        found[first : first + 4096] = vectors[first : first + 4096] - mean
    largest = np.maximum(found.max(axis=0, initial=0), -found.min(axis=0, initial=0))
    found /= np.where(largest > 0, largest, np.float32(1))
    return found


def _earlier(path: str) -> Any:
    import nodeloom
    from nodeloom.estimators.maps import Map

    model = nodeloom.load(path)
    if not isinstance(model, Map):
        raise DataError(describe(path, expected="a map", got=f"a model {type(model).__name__}"))
    return model


def _labels(
    config: MapConfig, task: MapDrawing | MapAnimation | MapHierarchy, given: MapInput, session: Session
) -> Any:
    """Return the label, or in a hierarchy the labels, of each point; None if there are none."""
    if task.task == "hierarchy":
        rows = task.HY or _hierarchy(locate(str(task.file_name), session), config)
        return [tuple("" if label is None else str(label) for label in row) for row in rows]
    labels = task.labels
    if labels is None:
        return None
    if isinstance(labels, str):
        return read_classes(labels, given, session, config.format)
    return [None if label is None else str(label) for label in labels]


def _hierarchy(path: str, config: MapConfig) -> Paths:
    from nodeloom.io.source import open_source, read_text

    layout = config.format
    with open_source(path, "labels") as source:
        lines = read_text(source, layout.encoding).splitlines()
    rows = [tuple(cut(line, layout.delimiters, layout.comment)) for line in lines]
    rows = [row for row in rows if row]
    longest = max(map(len, rows), default=0)
    return [row + ("",) * (longest - len(row)) for row in rows]


def _draw(
    task: MapDrawing | MapAnimation | MapHierarchy, path: str, given: MapInput, coordinates: FloatArray, labels: Any
) -> None:
    from nodeloom.figures import save_hierarchy, save_map, save_turning

    dim = coordinates.shape[1]
    if task.task == "hierarchy":
        assert task.target is not None
        points = given.points(coordinates, None, "", dim)
        save_hierarchy(path, points, labels, task.target, size=task.figure_size, seconds=task.duration)
        return
    points = given.points(coordinates, labels, "", dim)
    if task.task == "animation":
        seconds = task.num_frame / 10
        save_turning(
            path, points, size=task.figure_size, num_frame=task.num_frame, seconds=seconds, elevation=task.elevation
        )
        return
    save_map(path, points, size=task.figure_size)
