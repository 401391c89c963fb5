"""Judge a map that was saved, beside the same map with its places dealt at random."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.cli.inputs import locate, read_graph_of
from nodeloom.cli.maps import MapInput, read_classes, read_vectors
from nodeloom.cli.tables import table
from nodeloom.errors import ConfigError, DataError, describe
from nodeloom.io.vocabulary import Vocabulary

if TYPE_CHECKING:
    from nodeloom.cli.session import Session
    from nodeloom.config import Config
    from nodeloom.typing import FloatArray


@dataclasses.dataclass(frozen=True)
class SavedMap:
    """A map from a file.

    Attributes
    ----------
    path : str
        The file.
    coordinates : float32 [N, 2 or 3]
        The places.
    names : Vocabulary or None
        The names of the points.
    vectors : float32 [N, D] or None
        The vectors that it was made of, if the file has them.
    metric : str
        Which of them are near.
    """

    path: str
    coordinates: FloatArray
    names: Vocabulary | None = None
    vectors: FloatArray | None = None
    metric: str = "euclidean"


def open_map(path: str) -> SavedMap | None:
    """Read a map: a model of one, or coordinates as ``visualize`` writes them (.parquet, .csv) or as an array (.npy); None if it is no map.

    Raises
    ------
    DataError, ModelError
        The file cannot be used.
    """
    suffix = Path(path).suffix.lower()
    if not os.path.isfile(path):  # noqa: PTH113
        return None
    if suffix in (".parquet", ".csv"):
        return _of_table(path, suffix)
    if suffix == ".npy":
        given = read_vectors(path)
        return None if given is None or given.vectors is None else SavedMap(path, given.vectors)
    with open(path, "rb") as file:  # noqa: PTH123
        if file.read(9)[8:] != b"{":
            return None
    from nodeloom.io.models import open_model

    data = open_model(path)
    if "point" not in data.rows:
        return None
    made = data.state.get("map", {})
    names = data.vocabularies["point"] if made.get("named") else None
    return SavedMap(path, data.tensors["point"], names, data.tensors.get("source"), made.get("metric") or "euclidean")


def _of_table(path: str, suffix: str) -> SavedMap | None:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    is_parquet = suffix == ".parquet"
    try:
        schema = pyarrow.parquet.read_schema(path) if is_parquet else pyarrow.csv.open_csv(path).schema
        axes = [axis for axis in "xyz" if axis in schema.names]
        if axes not in (["x", "y"], ["x", "y", "z"]):
            return None
        found = pyarrow.parquet.read_table(path) if is_parquet else pyarrow.csv.read_csv(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(describe(path, expected=f"a {suffix} file", got=str(error).splitlines()[0])) from None
    try:
        places = np.column_stack([np.asarray(found[axis], np.float32) for axis in axes])
    except (ValueError, TypeError):
        raise DataError(
            describe(path, expected="numbers in the columns x and y", got=str(found.schema.field("x").type))
        ) from None
    names = None
    if "name" in found.column_names:
        column = found["name"]
        rows = [str(i) for i in range(len(places))]
        names = None if column.cast(pa.string()).to_pylist() == rows else Vocabulary.from_arrow(column)
    return SavedMap(path, places, names)


def judge_map(
    saved: SavedMap,
    session: Session,
    config: Config,
    *,
    vectors: str | None,
    graph: str | None,
    labels: str | None,
    seed: int,
    control: bool,
    num_thread: int,
) -> list[dict[str, Any]]:
    """Judge a map by its vectors, by a graph, or by both, and print the tables.

    Returns
    -------
    list of dict
        The results for JSON.

    Raises
    ------
    ConfigError
        Neither vectors nor a graph are there.
    DataError, GraphError
        A file cannot be used, or is of other points.
    """
    from nodeloom.tasks import graph_map_quality, map_quality

    rows, metric = saved.vectors, saved.metric
    if vectors is not None:
        rows, metric = _rows(saved, vectors, session)
    if rows is None and graph is None:
        hint = "They say what it is a map of."
        raise ConfigError(
            describe(saved.path, expected="--vectors or --graph beside a map without vectors", got="neither", hint=hint)
        )
    classes = None
    if labels is not None:
        classes = read_classes(labels, MapInput(vectors=saved.coordinates, names=saved.names), session)
    judged = []
    names = Vocabulary.range(len(saved.coordinates)) if saved.names is None else saved.names
    common: dict[str, Any] = {"labels": classes, "seed": seed, "num_threads": num_thread}
    if graph is not None:
        nodes = read_graph_of(names, config, False, session)
        quality = graph_map_quality(saved.coordinates, nodes, **common)
        judged.append(_shown(f"Map of a graph, {quality.num_points:,} nodes", quality, session, control))
    if rows is not None and (vectors is not None or graph is None):
        sizes = [k for k in (15, 50) if k <= (len(rows) - 1) // 2] or [max(1, (len(rows) - 1) // 2)]
        quality = map_quality(saved.coordinates, rows, k=sizes, metric=metric, **common)
        judged.append(_shown(f"Map of vectors, {quality.num_points:,} points", quality, session, control))
    return judged


def _rows(saved: SavedMap, path: str, session: Session) -> tuple[FloatArray, str]:
    """Return the vectors of the points of a map: by name where both have names, else row by row."""
    given = read_vectors(locate(path, session))
    if given is None or given.vectors is None:
        raise DataError(describe(path, expected="vectors or a model", got="a file that holds none"))
    metric = given.metric or saved.metric
    if given.names is not None and saved.names is not None and given.names != saved.names:
        return given.vectors[given.names.find(saved.names.to_arrow())], metric
    if len(given.vectors) != len(saved.coordinates):
        expected = f"vectors of {len(saved.coordinates):,} points"
        raise DataError(describe(path, expected=expected, got=f"{len(given.vectors):,} vectors"))
    return given.vectors, metric


def _shown(title: str, quality: Any, session: Session, control: bool) -> dict[str, Any]:
    answer = quality.to_dict()
    rows, columns = quality.rows(), list(quality.columns)
    if not control:
        rows, columns = [row[:2] for row in rows], columns[:2]
        del answer["control"]
    sampled = "" if quality.num_sampled == quality.num_points else f" ({quality.num_sampled:,} looked at)"
    session.answer(table(title + sampled, columns, rows))
    return answer
