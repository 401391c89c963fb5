"""Compiling: files of edges to a compiled graph, in bounded memory where the edges are too many for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from nodeloom.errors import MemoryLimitError, OutputError, describe
from nodeloom.graph import storage
from nodeloom.graph.build import BuildOptions, Duplicates, SelfLoops
from nodeloom.graph.normalizing import Normalizer
from nodeloom.graph.ranges import Budget, budget
from nodeloom.graph.runs import Range, RangeBuilder
from nodeloom.graph.sources import GraphSources
from nodeloom.graph.writing import GraphWriter, write_names
from nodeloom.io.atomic import atomic_path, check_writable
from nodeloom.io.cells import COMMENT, DELIMITERS
from nodeloom.io.corpus import CorpusFormat, Told, read_corpus
from nodeloom.io.edge_format import EdgeFormat
from nodeloom.io.edgelist import collect_edges, read_edges
from nodeloom.io.estimate import estimate_edges
from nodeloom.io.spill import SpillFolder
from nodeloom.io.spool import EdgeSpool, Numbering
from nodeloom.log import logger
from nodeloom.memory import resident_memory, total_memory
from nodeloom.units import bytes_of, size
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.io.vocabulary import Vocabulary
    from nodeloom.typing import Auto, FloatArray, IndexArray

Report = Callable[[str, int, int | None], None]
"""Called with what is done now, how many edges or entries are done, and of how many (None if that is not known)."""

# Of an edge at the peak of building in memory, as benchmarks/load_graph.py measures it, names left out.
_BYTES_IN_MEMORY = 32
_UNKNOWN = 8 << 30  # bytes of memory, where the system does not say it


class FileKeywords(TypedDict, total=False):
    """The options of :meth:`nodeloom.graph.Graph.from_file`."""

    delimiters: str
    comment: str
    directed: bool
    weighted: bool | Auto
    duplicates: Duplicates
    self_loops: SelfLoops
    normalization: bool
    columns: Sequence[str | int] | None
    encoding: str
    format: str
    num_thread: int | Auto


def compile_files(
    edges: str | Path | Iterable[str | Path],
    path: str | Path,
    memory_limit: int | str = "auto",
    report: Report | None = None,
    *,
    delimiters: str = DELIMITERS,
    comment: str = COMMENT,
    directed: bool = False,
    weighted: bool | Auto = "auto",
    duplicates: Duplicates = "auto",
    self_loops: SelfLoops = "keep",
    normalization: bool = False,
    columns: Sequence[str | int] | None = None,
    encoding: str = "utf-8",
    format: str = "auto",
    num_thread: int | Auto = "auto",
) -> None:
    """Compile files of edges; see :meth:`nodeloom.graph.Graph.compile`."""
    options = BuildOptions(directed, duplicates, self_loops, normalization, num_thread)
    form = EdgeFormat(delimiters, comment, weighted, columns, encoding, format, directed)
    files = [edges] if isinstance(edges, str | Path) else list(edges)
    limit = None if memory_limit == "auto" else bytes_of(memory_limit, setting("resource.memory_limit"))
    num_edge = estimate_edges(files, form)
    if limit is None:
        limit = automatic_limit(num_edge, total_memory())
    if limit is None:
        storage.save(GraphSources._from_columns(read_edges(files, form, num_thread=num_thread), options), path)
        return
    _import_readers()
    shares = budget(limit, resident_memory(), options.threads)
    logger.info(
        "compiling %s within %s of memory, %s of it for a range of rows", path, size(limit), size(shares.capacity)
    )
    if num_edge is not None:
        # Each once as it is read, and once for each of its ends; the rows grow as these go.
        width = 12 if weighted is True else 8
        check_writable(path, num_edge * width * (2 if directed else 3))
    compile_within(files, path, form, options, shares, report or _silent)


def automatic_limit(num_edge: int | None, total: int | None) -> int | None:
    """Return the memory to stay within, half of what there is, or None for edges that are built in memory.

    Parameters
    ----------
    num_edge : int or None
        Edges; None if that is not known.
    total : int or None
        Bytes of memory; None if that is not known.
    """
    if num_edge is None or total is None or num_edge * _BYTES_IN_MEMORY <= total // 2:
        return None
    return total // 2


def compile_within(
    files: Sequence[str | Path],
    path: str | Path,
    form: EdgeFormat,
    options: BuildOptions,
    shares: Budget,
    report: Report,
) -> None:
    """Compile files of edges with a share of memory for each step.

    The edges are read to the disk, their nodes are numbered, then their entries are moved to runs by ranges of rows, and
    then range by range is built and written. All of it is in a hidden folder beside `path` until it is complete.

    Parameters
    ----------
    files, path, form, options
        What to read and how, where to write, and what graph to make.
    shares : Budget
        The memory of each step.
    report : callable
        See :data:`Report`.

    Raises
    ------
    DataError, GraphError
        As :meth:`nodeloom.graph.Graph.from_file` does.
    MemoryLimitError
        What belongs to nodes, not edges, does not fit the memory.
    OutputError
        The file cannot be written, or there is too little space on the disk.
    """

    def collect(spool: EdgeSpool) -> None:
        collect_edges(files, spool, form, shares.num_thread)

    _spooled(collect, path, options, shares, report)


def compile_corpus(
    corpus: str | Path | Iterable[str | Path],
    path: str | Path,
    memory_limit: int | str,
    form: CorpusFormat,
    options: BuildOptions,
    told: Told | None = None,
    report: Report | None = None,
) -> None:
    """Compile the words of texts; see :meth:`nodeloom.graph.Graph.compile_corpus`."""
    limit = (
        (total_memory() or _UNKNOWN) // 2
        if memory_limit == "auto"
        else bytes_of(memory_limit, setting("resource.memory_limit"))
    )
    _import_readers()
    shares = budget(limit, resident_memory(), options.threads)

    def collect(spool: EdgeSpool) -> Vocabulary:
        return read_corpus(corpus, form, spool, num_thread=shares.num_thread, told=told, in_memory=False)[0]

    _spooled(collect, path, options, shares, report or _silent)


def _spooled(
    collect: Callable[[EdgeSpool], Vocabulary | None],
    path: str | Path,
    options: BuildOptions,
    shares: Budget,
    report: Report,
) -> None:
    """Compile what is collected in a spool; `collect` fills it, and returns the names of the nodes if these are not its own."""
    with atomic_path(path) as temporary:
        if not temporary.is_file():
            hint = f"Give the path of a file; without {setting('resource.memory_limit')} a pipe will do."
            raise OutputError(
                describe(path, expected="a file, to be written in parts", got="a device or a pipe", hint=hint)
            )
        with SpillFolder(temporary) as folder:
            spool = EdgeSpool(folder, shares.num_thread, shares.room, lambda done: report("reading", done, None))
            names = collect(spool)
            _compile_spool(spool, names, path, temporary, folder, options, shares, report)


def _compile_spool(
    spool: EdgeSpool,
    given: Vocabulary | None,
    path: str | Path,
    temporary: Path,
    folder: SpillFolder,
    options: BuildOptions,
    shares: Budget,
    report: Report,
) -> None:
    weighted = spool.num_weights > 0
    names, number = spool.number()
    names = names if given is None else given
    del given
    num_nodes, names_path = len(names), None
    if not names.is_range:
        names_path = folder.path / "names"
        write_names(names, names_path)
    del names  # they are on the disk, and go into the file at the end
    capacity = _capacity(num_nodes, options, shares)
    builder = RangeBuilder(folder, options, weighted, num_nodes, capacity, shares.rows)
    ranges = _cut(spool, number, builder, path, shares, report)
    del number
    inner = weighted or options.duplicates == "sum"
    normalizer = Normalizer(num_nodes, options.directed, options.threads) if options.normalization else None
    writer = GraphWriter(temporary, folder.path, num_nodes, inner)
    try:
        done, num_entry = 0, sum(span.run.num_rows for span in ranges)
        for span in ranges:
            done += span.run.num_rows
            builder.build(span, writer, normalizer)
            report("building", done, num_entry)
        weights = writer.waiting_weights() if inner else None
        if normalizer is not None and writer.num_entry:
            weights = normalizer.weights(writer, inner, capacity)
        writer.finish(weights, names_path, options.directed)
    finally:
        writer.close()


def _cut(
    spool: EdgeSpool, number: Numbering, builder: RangeBuilder, path: str | Path, shares: Budget, report: Report
) -> list[Range]:
    """Move the edges of a spool, which is removed, to runs by ranges of rows."""
    num_edge, width = spool.num_edges, 12 if spool.num_weights else 8

    def blocks(what: str) -> Iterator[tuple[IndexArray, IndexArray, FloatArray]]:
        done = 0
        for heads, tails, weights in spool.blocks(shares.rows):
            yield number(heads), number(tails), weights
            done += len(heads)
            report(what, done, num_edge)

    counts = builder.count(blocks("counting"))
    # Runs go as rows come, which are half as large but for their offsets.
    check_writable(path, int(counts.sum()) * width + 8 * builder.num_nodes)
    ranges = builder.partition(blocks("sorting"), counts)
    spool.remove()
    return ranges


def _capacity(num_nodes: int, options: BuildOptions, shares: Budget) -> int:
    """Return the bytes for a range of rows: all, less what normalisation holds of each node."""
    held = (16 if options.directed else 8) * num_nodes if options.normalization else 0
    if held > shares.room:
        raise MemoryLimitError(
            f"graph: normalization needs {size(held)} of memory for {num_nodes:,} nodes alone, and "
            f"{setting('resource.memory_limit')} leaves "
            f"{size(shares.room)} for it. Raise it, or leave {setting('graph.normalization')} out."
        )
    return shares.capacity - held


def _import_readers() -> None:
    """Import what the steps will need, so that it is among what the process holds when memory is divided."""
    import pyarrow.parquet  # noqa: F401


def _silent(what: str, done: int, total: int | None) -> None:
    """Report nothing."""
