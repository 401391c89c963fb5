"""Read what a map is made of, and know before it is made whether it can be written."""

from __future__ import annotations

import dataclasses
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.errors import ConfigError, DataError, describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeloom.cli.session import Session
    from nodeloom.config import FormatConfig
    from nodeloom.figures import MapPoints
    from nodeloom.graph import Graph
    from nodeloom.io.vocabulary import Vocabulary
    from nodeloom.typing import FloatArray


@dataclasses.dataclass(frozen=True)
class MapInput:
    """What a map is made of: vectors or a graph.

    Attributes
    ----------
    vectors : float [N, D] or None
        Vectors.
    graph : Graph or None
        A graph.
    names : Vocabulary or None
        Names of the points.
    metric : str or None
        Which neighbors are near; None is what the estimator takes.
    """

    vectors: FloatArray | None = None
    graph: Graph | None = None
    names: Vocabulary | None = None
    metric: str | None = None

    def __len__(self) -> int:
        return self.graph.num_nodes if self.graph is not None else len(self.vectors)  # type: ignore[arg-type]

    def points(
        self, coordinates: FloatArray | None, labels: list[str | None] | None, title: str, dim: int
    ) -> MapPoints:
        """Return the points of a map of this; without coordinates, points at zero."""
        from nodeloom.figures import MapPoints

        places = np.zeros((len(self), dim), np.float32) if coordinates is None else coordinates
        more: dict[str, Any] = {}
        if self.graph is not None:
            heads, tails, _ = self.graph.edge_columns()
            more = {"numbers": {"degree": np.asarray(self.graph.degrees)}, "edges": np.column_stack([heads, tails])}
        names = None if self.names is None else self.names.to_list()
        return MapPoints.of(places, names=names, labels=labels, title=title, **more)


def check_map_output(output: str, dim: int, inputs: list[str], *, overwrite: bool) -> None:
    """Refuse a file that a map cannot be written to, before anything is read.

    Raises
    ------
    ConfigError
        Its suffix is none of a map, or what it needs is missing.
    OutputError
        It is an input, a folder, a file that is not replaced without being asked, or cannot be written.
    """
    from nodeloom.cli.outputs import check_output
    from nodeloom.cli.session import active
    from nodeloom.figures.files import check_map_file

    if Path(output).suffix.lower() == ".safetensors":
        check_output(output, "a model", inputs, overwrite=overwrite)
        return
    suffix = check_map_file(output, dim)
    replaced = os.path.isfile(output) and _is_map(output, suffix)  # noqa: PTH113
    check_output(output, "a map", inputs, overwrite=overwrite or replaced)
    if replaced and not overwrite:
        active().tell(f"{output}: the file there, a map, is replaced.")


_STARTS = {
    ".html": b"<!DOCTYPE html>",
    ".png": b"\x89PNG",
    ".pdf": b"%PDF",
    ".svg": b"<?xml",
    ".gif": b"GIF8",
    ".mp4": b"\0\0\0",
    ".gexf": b"<gexf",
    ".graphml": b"<?xml",
}


def _is_map(path: str, suffix: str) -> bool:
    """Tell whether a file looks like one of the kind that replaces it; tables could be anything."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return suffix in _STARTS and file.read(16).startswith(_STARTS[suffix])
    except OSError:
        return False


def draw_map(
    source: str,
    output: str,
    labels: str | None,
    session: Session,
    *,
    directed: bool = False,
    color: str = "auto",
    title: str = "",
    dark: bool = False,
    **parameters: Any,
) -> None:
    """Make a map of a file and write it; `parameters` are those of :class:`nodeloom.TSNE`."""
    from nodeloom import TSNE
    from nodeloom.cli.tables import escape
    from nodeloom.figures import save_map
    from nodeloom.figures.pictures import chosen_color

    estimator = TSNE(**parameters, verbose=False if session.quiet or session.json else "auto")
    with _in_words(source):
        estimator._settings()  # a mistake is told before files are read
    given = read_input(source, session, directed=directed)
    classes = None if labels is None else read_classes(labels, given, session)
    with _in_words(source):
        chosen_color(given.points(None, classes, title, estimator.dim), color)
    if given.graph is not None:
        session.show("A map of a graph: its edges, and neighbors by vectors of propagation, attract each other.")
    if given.metric is not None:
        estimator.set_params(metric=given.metric)
    with _in_words(source):
        estimator.fit(given.graph if given.graph is not None else given.vectors)
    points = given.points(estimator.coordinates_, classes, title, estimator.dim)
    if Path(output).suffix.lower() == ".safetensors":
        estimator.save(output)
    else:
        save_map(output, points, color=color, dark=dark)
    session.result["map"] = {"written": output, "num_points": len(points), "dim": estimator.dim, **estimator.report_}
    session.show(f"Wrote a map of {len(points):,} points to {escape(output)}.")


@contextmanager
def _in_words(source: str) -> Iterator[None]:
    """Tell mistakes in the words of the command: data are the file, arguments are options."""
    try:
        yield
    except (ConfigError, DataError) as error:
        text = str(error).replace("TSNE.num_thread", "--num-thread").replace("TSNE.", "--")
        for argument, word in (("TSNE: ", f"{source}: "), ("color: ", "--color: ")):
            text = word + text.removeprefix(argument) if text.startswith(argument) else text
        raise type(error)(text) from None


def read_input(source: str, session: Session, *, directed: bool) -> MapInput:
    """Read vectors, a model or a graph.

    Raises
    ------
    DataError, ModelError, GraphError, DatasetError
        The file cannot be used.
    """
    from nodeloom.cli.inputs import locate, read_graph
    from nodeloom.config import config_from_dict
    from nodeloom.config.yaml_tree import COMMAND_LINE

    vectors = read_vectors(locate(source, session))
    if vectors is not None:
        return vectors
    config = config_from_dict(
        {"graph": {"file_name": [source], "as_undirected": not directed}}, COMMAND_LINE, {"graph.file_name": "INPUT"}
    )
    graph = read_graph(config, session)
    return MapInput(graph=graph, names=graph.names)


def read_vectors(path: str, layout: FormatConfig | None = None) -> MapInput | None:
    """Read vectors or a model; None if the file is neither.

    Parameters
    ----------
    path : str
        The file.
    layout : FormatConfig, optional
        How text is written. If given, text is a vector a line, whatever it looks like.

    Raises
    ------
    DataError, ModelError
        The file cannot be used.
    """
    from nodeloom.cli.inputs import is_compiled
    from nodeloom.cli.vectors import vectors_of
    from nodeloom.io.models import is_model, open_model

    suffix = Path(path).suffix.lower()
    if not os.path.isfile(path):  # noqa: PTH113
        if layout is not None:
            raise DataError(describe(path, expected="a file of vectors", got="no file of this name"))
        return None
    if suffix == ".npy" or (suffix == ".npz" and not _has_names(path)):
        return MapInput(vectors=_numbers(path))
    if suffix in (".txt", ".csv", ".tsv", "") and _is_table_of_numbers(path):
        return MapInput(vectors=_text(path))
    if not is_compiled(path) and is_model(path):
        data = open_model(path)
        return MapInput(vectors=vectors_of(data, "auto", path), names=data.names, metric="cosine")
    return None if layout is None else MapInput(vectors=_lines(path, layout))


def _lines(path: str, layout: FormatConfig) -> FloatArray:
    """Return text with a vector a line, cut as it says; also compressed."""
    from nodeloom.io.cells import cut
    from nodeloom.io.source import open_source, read_text

    with open_source(path, "vectors") as source:
        lines = read_text(source, layout.encoding).splitlines()
    rows: list[list[float]] = []
    for number, line in enumerate(lines, 1):
        cells = cut(line, layout.delimiters, layout.comment, len(rows[0]) if rows else 1)
        if not cells:
            continue
        try:
            row = [float(cell) for cell in cells]
        except ValueError:
            row = []
        if not row or (rows and len(row) != len(rows[0])):
            expected = f"{len(rows[0])} numbers" if rows else "numbers"
            raise DataError(describe(f"{path}:{number}", expected=expected, got=line))
        rows.append(row)
    if not rows:
        raise DataError(describe(path, expected="vectors, one a line", got="no numbers"))
    return np.array(rows, np.float32)


def read_classes(path: str, given: MapInput, session: Session, layout: FormatConfig | None = None) -> list[str | None]:
    """Read the label of each point: by name, or in the order of the points if they have no names.

    Raises
    ------
    DataError
        The file cannot be used, names a point that is not there, or has another number of labels than there are points.
    """
    from nodeloom.cli.inputs import locate
    from nodeloom.datasets import is_reference
    from nodeloom.io.labels import Labels
    from nodeloom.io.source import open_source, read_text

    unknown: Any = "skip" if is_reference(path) else "error"  # a set may label nodes that no edge has
    path = locate(path, session)
    count = len(given)
    if Path(path).suffix.lower() == ".npy":
        labels = [str(label) for label in _load(path).reshape(-1).tolist()]
    elif given.names is not None:
        found = Labels.from_file(path, given.names, unknown=unknown)
        several = len(found.nodes) - len(found.labelled)
        if several:
            session.tell(f"{path}: of nodes with several labels the first is shown ({several:,} labels are not).")
        classes: list[str | None] = [None] * count
        for node, number in zip(found.nodes[::-1].tolist(), found.classes[::-1].tolist(), strict=True):
            classes[node] = found.class_names[number]
        return classes
    else:
        with open_source(path, "labels") as source:
            lines = read_text(source).splitlines()
        labels = [line.strip() for line in lines]
        if layout is not None and layout.comment:
            labels = [
                label.partition(layout.comment)[0].strip() for label in labels if not label.startswith(layout.comment)
            ]
    if len(labels) != count:
        got = f"{len(labels):,} labels"
        raise DataError(describe(path, expected=f"a label for each of {count:,} points", got=got))
    return list(labels)


def _load(path: str) -> Any:
    try:
        return np.load(path, mmap_mode="r" if path.lower().endswith(".npy") else None, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(describe(path, expected="an array of NumPy without objects", got=reason)) from None


def _has_names(path: str) -> bool:
    with _load(path) as archive:
        return {"vectors", "names"} <= set(archive.files)


def _numbers(path: str) -> FloatArray:
    """Return the array of a file of NumPy, two dimensions or an image for each row."""
    array = _load(path)
    if hasattr(array, "files"):
        with array as archive:
            wide = [name for name in archive.files if archive[name].ndim >= 2]
            if len(wide) != 1:
                got = f"{len(wide)} of {archive.files}"
                raise DataError(describe(path, expected="one array of two dimensions", got=got))
            array = archive[wide[0]]
    if array.ndim < 2 or array.dtype.kind not in "fiub":
        got = f"{array.dtype} {list(array.shape)}"
        raise DataError(describe(path, expected="numbers [N, D]", got=got))
    return array.reshape(len(array), -1)


def _separator(line: str) -> str | None:
    return "," if "," in line else None


def _is_table_of_numbers(path: str) -> bool:
    """Tell whether the first line has four numbers or more and nothing else: an edge has three columns at most.

    An integer before numbers that are none is the name of a node.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            line = file.readline(1 << 20)
    except OSError:
        return False
    cells = line.split(_separator(line))
    try:
        numbers = len([float(cell) for cell in cells])
    except ValueError:
        return False
    integers = [cell.strip().isdecimal() for cell in cells]
    return numbers >= 4 and (not integers[0] or all(integers))


def _text(path: str) -> FloatArray:
    with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
        separator = _separator(file.readline())
    try:
        return np.loadtxt(path, dtype=np.float32, delimiter=separator, ndmin=2)
    except ValueError as error:
        raise DataError(describe(path, expected="the same number of numbers in each line", got=str(error))) from None
