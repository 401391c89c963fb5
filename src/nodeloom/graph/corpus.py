"""Graphs of the words in texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from nodeloom.graph.build import BuildOptions, SelfLoops
from nodeloom.graph.sources import GraphSources
from nodeloom.graph.storage import read
from nodeloom.keywords import check_names, known_keywords

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Self, Unpack

    from nodeloom.graph.compile import Report
    from nodeloom.io.corpus import CorpusFormat, Told
    from nodeloom.typing import Auto


class CorpusKeywords(TypedDict, total=False):
    """The options of :meth:`GraphOfWords.from_corpus`."""

    window: int
    min_count: int
    delimiters: str
    comment: str
    encoding: str
    self_loops: SelfLoops
    normalization: bool
    num_thread: int | Auto


def corpus_options(options: CorpusKeywords) -> tuple[CorpusFormat, BuildOptions]:
    """Return how a corpus is read, and what graph is made of it."""
    from nodeloom.io.corpus import CorpusFormat

    of_graph = ("self_loops", "normalization", "num_thread")
    form: dict[str, Any] = {key: value for key, value in options.items() if key not in of_graph}
    build_options: dict[str, Any] = {key: value for key, value in options.items() if key in of_graph}
    return CorpusFormat(**form), BuildOptions(duplicates="sum", **build_options)


class GraphOfWords(GraphSources):
    """What :class:`~nodeloom.graph.Graph` can be made of, texts among it."""

    @classmethod
    @known_keywords(CorpusKeywords)
    def from_corpus(
        cls,
        path: str | Path | Iterable[str | Path],
        *,
        report: Told | None = None,
        **options: Unpack[CorpusKeywords],
    ) -> Self:
        """Build the graph of the words in one or several texts: an edge says how often two words are near each other.

        Parameters
        ----------
        path : str, Path or iterable of them
            Text with a sentence a line, also compressed by gzip, bz2, xz or zstd. "-" is standard input. It is read once, a
            block at a time, and need not fit the memory; its pairs must (36 bytes for each different one). :meth:`compile_corpus`
            makes graphs that do not fit.
        window : int
            Words of a sentence that are at most so many words apart are a pair; 5 by default.
        min_count : int
            Words that are there less often than so, 5 times by default, are left out, as if they were not there.
        delimiters : str
            The set of characters that stand between words, blanks and tabs by default. Words are taken as they are:
            large and small letters are different, and a comma behind a word is a part of it.
        comment : str
            A word that begins so, and the rest of its line, is left out; "", the default, for no comments.
        encoding : str
            The encoding of the text, as Python calls it.
        self_loops : {"keep", "drop"}
            What becomes of a word near itself.
        normalization : bool
            As in :meth:`from_edges`.
        num_thread : int or "auto"
            Threads that read and build. The result does not depend on it.
        report : callable, optional
            Called after every block with a :class:`~nodeloom.io.corpus.CorpusReport` of what was read so far; the last time of
            the whole text.

        Returns
        -------
        Graph
            Undirected and weighted by counts. Its nodes are the words by falling count; of equal ones the first to come first.

        Raises
        ------
        DataError
            A file cannot be read, is no text, or no word is frequent enough.
        ConfigError
            An option has a value that is not allowed.
        MemoryLimitError
            The words, or the pairs, do not fit the memory.
        """
        from nodeloom.io.collector import EdgeCollector
        from nodeloom.io.corpus import read_corpus

        form, build_options = corpus_options(options)
        collector = EdgeCollector(build_options.threads)
        names, _ = read_corpus(path, form, collector, num_thread=build_options.threads, told=report)
        columns = collector.finish()
        columns.names = names
        return cls._from_columns(columns, build_options)

    @classmethod
    def compile_corpus(
        cls,
        corpus: str | Path | Iterable[str | Path],
        path: str | Path,
        *,
        memory_limit: int | str = "auto",
        report: Told | None = None,
        progress: Report | None = None,
        **options: Unpack[CorpusKeywords],
    ) -> Self:
        """Compile the words in one or several texts to one file at `path`, and open it.

        The file is what :meth:`from_corpus` and :meth:`save` would make, number for number. Pairs of words need not fit the
        memory: they wait on the disk, beside `path`.

        Parameters
        ----------
        corpus : str, Path or iterable of them
            Files as :meth:`from_corpus` takes them.
        path : str or Path
            Where the compiled graph goes. Until it is complete, what was there before stays.
        memory_limit : int, str or "auto"
            Memory that this process may hold, in bytes or as text such as "8GB"; by default half of what the machine has. The
            different words are held in memory whatever the limit.
        report : callable, optional
            As in :meth:`from_corpus`.
        progress : callable, optional
            As `report` of :meth:`compile`.
        **options
            As in :meth:`from_corpus`.

        Raises
        ------
        DataError, ConfigError
            As :meth:`from_corpus` does.
        MemoryLimitError
            The limit is too low to begin with, or for the words.
        OutputError
            The file cannot be written, or the disk has too little space.
        """
        from nodeloom.graph.compile import compile_corpus

        check_names(
            "Graph.compile_corpus", options, ["memory_limit", "report", "progress", *CorpusKeywords.__annotations__]
        )
        compile_corpus(corpus, path, memory_limit, *corpus_options(options), report, progress)
        return read(path, cls)
