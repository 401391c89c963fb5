"""Edge lists: files of ``head tail [weight]`` in text, CSV, Parquet or Arrow, to edge columns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nodeloom.errors import DataError
from nodeloom.io.collector import EdgeCollector
from nodeloom.io.edge_format import EdgeFormat
from nodeloom.io.edgelist_text import TextReader
from nodeloom.io.formats.recognise import reader_of
from nodeloom.io.source import open_source
from nodeloom.io.tables import read_table_file
from nodeloom.kernels.cpu.parallel import available_threads
from nodeloom.words import setting

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nodeloom.io.columns import EdgeColumns
    from nodeloom.io.triples import TripleCollector
    from nodeloom.typing import Auto


def read_edges(
    paths: str | Path | Iterable[str | Path], form: EdgeFormat | None = None, *, num_thread: int | Auto = "auto"
) -> EdgeColumns:
    """Read the edges of one or several files, in their order.

    Parameters
    ----------
    paths : str, Path or iterable of them
        The files; "-" is standard input. What a file is (text, gzip, bz2, xz, zstd, Parquet, Arrow) its first bytes
        tell.
    form : EdgeFormat, optional
        How edges are written.
    num_thread : int or "auto"
        Threads that cut text.

    Returns
    -------
    EdgeColumns
        Integer names in ascending order (a range where they are 0 to N - 1); if any name is text, all are, in the
        order of their first appearance.

    Raises
    ------
    DataError
        A file cannot be read, holds no edges, or a line is not an edge; with file and line.
    """
    threads = available_threads() if num_thread == "auto" else int(num_thread)
    collector = EdgeCollector(threads)
    collect_edges(paths, collector, form or EdgeFormat(), threads)
    return collector.finish()


def collect_edges(
    paths: str | Path | Iterable[str | Path],
    collector: EdgeCollector | TripleCollector,
    form: EdgeFormat,
    num_thread: int,
) -> None:
    """Hand the edges, or triples, of one or several files to a collector, in their order.

    Parameters
    ----------
    paths, form
        As in :func:`read_edges`.
    collector : EdgeCollector or TripleCollector
        Takes them; of which kind the form is.
    num_thread : int
        Threads that cut text.

    Raises
    ------
    DataError
        As :func:`read_edges` does.
    """
    files = [paths] if isinstance(paths, str | Path) else list(paths)
    what = "edges" if form.num_name == 2 else "triples"
    if not files:
        raise DataError(f"files of {what}: expected at least one, got an empty list")
    text = TextReader(form, collector, num_thread)
    weighted_by: dict[bool, str] = {}
    for path in files:
        with open_source(path, form.content) as source:
            before, weights_before = collector.num_edges, collector.num_weights
            reader = reader_of(source, form)
            if reader is not None:
                reader(source, collector, form)
            elif source.kind == "text":
                text.read(source)
            else:
                read_table_file(source, collector, form)
        if collector.num_edges > before:
            weighted_by.setdefault(collector.num_weights > weights_before, source.name)
            if len(weighted_by) == 2:
                raise DataError(
                    f"{weighted_by[False]}: expected weights as in {weighted_by[True]}, got {what} without. "
                    f"To read both without, give {setting('graph.weighted', False)}."
                )
    if not collector.num_edges:
        names = ", ".join(map(str, files[:3])) + (", ..." if len(files) > 3 else "")
        if text.num_headers:
            got = "a header and no line below it"
        elif text.num_lines:
            got = "only comments and blank lines"
        else:
            got = "an empty file" if len(files) == 1 else "empty files"
        hint = (
            f" If {form.comment!r} begins names, give {setting('format.comment', '')}."
            if text.num_lines and form.comment and not text.num_headers
            else ""
        )
        raise DataError(f"{names}: expected {what}, got {got}.{hint}")
