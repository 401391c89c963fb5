"""Write a map to a file: a picture, a page, or coordinates for another program; the suffix says which."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodeloom.errors import ConfigError, DataError, describe
from nodeloom.figures.canvas import check_matplotlib
from nodeloom.figures.page import map_page
from nodeloom.figures.pictures import map_figure
from nodeloom.figures.turning import check_moving, save_turning
from nodeloom.io.atomic import atomic_path

if TYPE_CHECKING:
    from nodeloom.figures.points import MapPoints

PICTURES = (".png", ".pdf", ".svg")
MOVING = (".gif", ".mp4")
TABLES = (".parquet", ".csv", ".tsv")
NETWORKS = (".gexf", ".graphml")
SUFFIXES = (".html", *PICTURES, *MOVING, *TABLES, *NETWORKS)
"""Files that a map can be written to."""


def check_map_file(path: str | Path, dim: int = 2) -> str:
    """Return the suffix of a file for a map, or refuse it before anything is computed.

    Raises
    ------
    ConfigError
        An unknown suffix; a library or a program for it is missing; a map of `dim` dimensions cannot be written so.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        hint = f"The suffix says what to write: {', '.join(SUFFIXES)}."
        raise ConfigError(describe(path, expected="a file for a map", got=suffix or "no suffix", hint=hint))
    if suffix == ".html" and dim == 3:
        hint = "Write a .gif that turns, or a .png; or make a map of 2 dimensions."
        raise ConfigError(describe(path, expected="a map of 2 dimensions for a page", got="3 dimensions", hint=hint))
    if suffix in MOVING:
        if dim != 3:
            hint = "Write a .png or an .html; or make a map of 3 dimensions."
            raise ConfigError(
                describe(path, expected="a map of 3 dimensions, which turns", got="2 dimensions", hint=hint)
            )
        check_moving(path)
    if suffix in PICTURES:
        check_matplotlib()
    if suffix in NETWORKS:
        _networkx(path)
    return suffix


def save_map(
    path: str | Path, points: MapPoints, *, color: str = "auto", dark: bool = False, size: float | None = None
) -> None:
    """Write a map.

    ======================  =============================================================================
    suffix                  holds
    ======================  =============================================================================
    .html                   a page that opens offline, two dimensions
    .png, .pdf, .svg        a picture; the points of PDF and SVG are pixels, text is text
    .gif, .mp4              a map of three dimensions that turns
    .parquet, .csv          columns ``name``, ``x``, ``y`` (``z``), ``label``, numbers
    .tsv                    metadata for the TensorBoard projector; vectors beside it in ``NAME.vectors.tsv``
    .gexf, .graphml         a graph with positions, for Gephi
    ======================  =============================================================================

    Parameters
    ----------
    path : str or Path
        The file. It is replaced when the new one is complete.
    points : MapPoints
        The map.
    color, dark
        As in :func:`~nodeloom.figures.map_figure`.
    size : float, optional
        Side of a picture in inches, 8 by default; 5 of a moving one.

    Raises
    ------
    ConfigError
        See :func:`check_map_file`.
    OutputError
        The file cannot be written.
    """
    suffix = check_map_file(path, points.dim)
    if suffix in MOVING:
        save_turning(path, points, color=color, dark=dark, size=size or 5.0)
        return
    if suffix in PICTURES:
        figure = map_figure(points, color=color, dark=dark, size=size or 8.0)
        # Without dates in it, the same map is the same file.
        dates: dict[str, Any] = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}.get(suffix, {})
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format=suffix[1:], metadata=dates, facecolor=figure.get_facecolor())
    elif suffix == ".html":
        page = map_page(points, color=color, dark=dark)
        with atomic_path(path) as temporary:
            temporary.write_text(page, encoding="utf-8")
    elif suffix in NETWORKS:
        _save_network(path, suffix, points)
    elif suffix == ".tsv":
        _save_projector(Path(path), points)
    else:
        _save_table(path, suffix, points)


def _table(points: MapPoints) -> Any:
    import pyarrow as pa

    columns: dict[str, Any] = {"name": points.names or [str(i) for i in range(len(points))]}
    columns |= {axis: points.coordinates[:, i] for i, axis in enumerate("xyz"[: points.dim])}
    if points.classes is not None:
        columns["label"] = _labels(points)
    taken = set(columns)
    columns |= {(f"{key}_" if key in taken else key): values for key, values in points.numbers.items()}
    return pa.table(columns)


def _labels(points: MapPoints) -> list[str | None]:
    assert points.classes is not None
    names = [*points.class_names, None]
    return [names[number] for number in points.classes.tolist()]


def _save_table(path: str | Path, suffix: str, points: MapPoints) -> None:
    import pyarrow.csv
    import pyarrow.parquet

    table = _table(points)
    with atomic_path(path) as temporary:
        if suffix == ".parquet":
            pyarrow.parquet.write_table(table, temporary, compression="zstd")
        else:
            pyarrow.csv.write_csv(table, temporary)


def _save_projector(path: Path, points: MapPoints) -> None:
    """Write metadata with a header, and vectors without one, as the projector reads them."""
    table = _table(points)
    numbers = table.select(list("xyz"[: points.dim]))
    rest = table.drop_columns(numbers.column_names)
    with atomic_path(path.with_suffix(".vectors.tsv")) as vectors, atomic_path(path) as metadata:
        _write_lines(vectors, numbers, header=False)
        _write_lines(metadata, rest, header=rest.num_columns > 1)


def _write_lines(path: Path, table: Any, *, header: bool) -> None:
    with path.open("w", encoding="utf-8") as file:
        if header:
            file.write("\t".join(table.column_names) + "\n")
        for batch in table.to_batches(max_chunksize=100_000):
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                file.write("\t".join("" if cell is None else " ".join(str(cell).split()) for cell in row) + "\n")


def _networkx(path: str | Path) -> Any:
    try:
        import networkx
    except ImportError:
        hint = "Install it with: pip install 'nodeloom[formats]'."
        raise ConfigError(describe(path, expected="networkx", got="no library of this name", hint=hint)) from None
    return networkx


def _save_network(path: str | Path, suffix: str, points: MapPoints) -> None:
    networkx = _networkx(path)
    graph = networkx.Graph()
    labels = _labels(points) if points.classes is not None else [None] * len(points)
    names = points.names or [str(i) for i in range(len(points))]
    for row, (place, name, label) in enumerate(zip(points.coordinates.tolist(), names, labels, strict=True)):
        values: dict[str, Any] = {"label": _plain(name, path)} | dict(zip("xyz", place, strict=False))
        values |= {} if label is None else {"class": _plain(label, path)}
        values |= {key: float(column[row]) for key, column in points.numbers.items()}
        if suffix == ".gexf":
            position = {axis: values.pop(axis, 0.0) for axis in "xyz"}
            values["viz"] = {"position": position}
        graph.add_node(row, **values)
    if points.edges is not None:
        graph.add_edges_from(points.edges.tolist())
    with atomic_path(path) as temporary:
        if suffix == ".gexf":
            networkx.write_gexf(graph, temporary)
        else:
            networkx.write_graphml(graph, temporary)


def _plain(text: str, path: str | Path) -> str:
    """Return a text that XML can hold."""
    if any((ord(char) < 32 and char not in "\t\n\r") or ord(char) in (0xFFFE, 0xFFFF) for char in text):
        hint = "Write .parquet or .csv instead."
        raise DataError(
            describe(path, expected="names without control characters, as XML has none", got=text, hint=hint)
        )
    return text
