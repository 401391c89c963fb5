"""Corpora: texts, a sentence a line, to the pairs of words that are near each other, with how often they are."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nodeloom.errors import ConfigError, DataError, MemoryLimitError, OutputError, describe
from nodeloom.io.cells import DELIMITERS
from nodeloom.io.edgelist_text import bad_byte
from nodeloom.io.interning import TextInterner
from nodeloom.io.source import line_blocks, open_source
from nodeloom.io.spill import SpillFolder
from nodeloom.io.vocabulary import Vocabulary
from nodeloom.io.word_pairs import BYTES_PAIR, KEYS, WordPairs
from nodeloom.kernels.cpu import words as kernels
from nodeloom.units import size
from nodeloom.words import setting

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nodeloom.io.collector import EdgeCollector
    from nodeloom.io.source import Source

CONTENT = "text, a sentence a line"
MAX_WINDOW = 1000
_UNKNOWN = 8 << 30  # bytes that there are, where the system does not say it


@dataclass(frozen=True, slots=True)
class CorpusFormat:
    """How a corpus is written, and which of its words are pairs; see :meth:`nodeloom.graph.Graph.from_corpus`.

    Raises
    ------
    ConfigError
        A value is not one of those allowed.
    """

    window: int = 5
    min_count: int = 5
    delimiters: str = DELIMITERS
    comment: str = ""
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        for key, most in (("window", MAX_WINDOW), ("min_count", 2**31 - 1)):
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 1 <= value <= most:
                expected = f"a whole number from 1 to {most:,}"
                raise ConfigError(describe(setting(f"graph.{key}"), expected=expected, got=value))
        delimiters, comment = self.delimiters, self.comment
        if not isinstance(delimiters, str) or not delimiters.strip("\r\n") or not delimiters.isascii():
            expected = "the ASCII characters that stand between words"
            raise ConfigError(describe(setting("format.delimiters"), expected=expected, got=delimiters))
        if not isinstance(comment, str) or set(comment) & set(delimiters + "\r\n"):
            expected = "a prefix without delimiters ('' for no comments)"
            raise ConfigError(describe(setting("format.comment"), expected=expected, got=comment))


@dataclass(slots=True)
class CorpusReport:
    """What was read of a corpus, so far.

    Attributes
    ----------
    num_sentence : int
        Lines with words.
    num_token : int
        Words in them, each as often as it is there.
    num_comment : int
        Lines whose end, or all of which, is a comment.
    num_word : int
        Different words.
    num_kept_word, num_kept_token : int
        The same of words that are frequent enough.
    num_pair : int
        Words at most `window` apart, each pair as often as it is there. 0 until the whole corpus is read.
    """

    num_sentence: int = 0
    num_token: int = 0
    num_comment: int = 0
    num_word: int = 0
    num_kept_word: int = 0
    num_kept_token: int = 0
    num_pair: int = 0

    def __str__(self) -> str:
        share = self.num_kept_token / max(self.num_token, 1)
        comments = f", {self.num_comment:,} of them cut at a comment" if self.num_comment else ""
        return (
            f"{self.num_token:,} words in {self.num_sentence:,} sentences{comments}; {self.num_kept_word:,} of {self.num_word:,} different "
            f"words are frequent enough, {share:.1%} of the text; {self.num_pair:,} pairs"
        )


Told = Callable[[CorpusReport], None]
"""Called after every block, while words are read and then while pairs are counted."""


def read_corpus(
    paths: str | Path | Iterable[str | Path],
    form: CorpusFormat,
    collector: EdgeCollector,
    *,
    num_thread: int = 1,
    told: Told | None = None,
    in_memory: bool = True,
) -> tuple[Vocabulary, CorpusReport]:
    """Hand the pairs of words in one or several texts to a collector, as integer names with counts as weights.

    The texts are read once. Their words wait as 4 bytes each, in memory or in a temporary folder, until all are counted.

    Parameters
    ----------
    paths : str, Path or iterable of them
        The files, also compressed; "-" is standard input.
    form : CorpusFormat
        How they are written, and which words are pairs.
    collector : EdgeCollector
        Takes the pairs. A pair may come several times; its counts are to be added.
    num_thread : int
        Threads that look up words.
    told : callable, optional
        See :data:`Told`.
    in_memory : bool
        Whether the graph is to be built in memory: then there are no more pairs than it holds.

    Returns
    -------
    words : Vocabulary
        By falling count; of equal ones the first to come first.
    report : CorpusReport

    Raises
    ------
    DataError
        A file cannot be read, is no text, or no word is frequent enough.
    MemoryLimitError
        The words, or the pairs, take more memory than there is.
    """
    files = [paths] if isinstance(paths, str | Path) else list(paths)
    if not files:
        raise DataError("corpus: expected at least one file, got an empty list")
    room = _UNKNOWN if collector.room is None else collector.room
    report = CorpusReport()
    with _WaitingWords(room // 4) as waiting:
        words = _Words(form, num_thread, room // 2)
        for path in files:
            with open_source(path, CONTENT) as source:
                for ids in words.read(source, report):
                    waiting.append(ids)
                    if told is not None:
                        told(report)
        names, numbers = words.chosen(files, report)
        del words
        pairs = WordPairs(form.window, len(names), collector, room, room // BYTES_PAIR if in_memory else None)
        for ids in waiting.blocks():
            pairs.add(ids, numbers)
            report.num_pair = pairs.num_pair
            if told is not None:
                told(report)
        pairs.finish()
        report.num_pair = pairs.num_pair
        if told is not None:
            told(report)
    return names, report


class _Words:
    """Numbers the words of texts as they come, and counts them. The word of the number 0 is the end of a sentence."""

    def __init__(self, form: CorpusFormat, num_thread: int, room: int) -> None:
        self._form = form
        self._room = room
        self._interner = TextInterner(num_thread, room=1 << 16)
        self._counts = np.zeros(1 << 16, np.int64)
        self._kinds = np.full(256, kernels.WORD, np.uint8)
        if form.comment:
            self._kinds[form.comment.encode()[0]] = kernels.COMMENT
        self._kinds[list(form.delimiters.encode())] = kernels.DELIMITER
        self._kinds[list(b"\r\n")] = kernels.LINE_END
        self._comment = np.frombuffer(form.comment.encode() or b"\0", np.uint8)
        self._interner.add(*_end())

    def read(self, source: Source, report: CorpusReport) -> Iterator[npt.NDArray[np.int32]]:
        """Yield the numbers of the words of a source, and count them."""
        if source.kind != "text":
            raise DataError(describe(source.name, expected=CONTENT, got=f"a table ({source.kind})"))
        state, line, before = np.zeros(3, np.int64), 1, report.num_comment
        for text in line_blocks(source, self._form.encoding, delimiters=self._form.delimiters.encode()):
            bad = text.find(b"\0") if b"\0" in text else _undecodable(text)
            if bad >= 0:
                raise bad_byte(source, text, bad, line)
            line += text.count(b"\n")
            tokens = np.empty((1, len(text) + 1), np.int64)
            block = np.frombuffer(text, np.uint8)
            count = kernels.cut_words(block, self._kinds, self._comment, state, tokens[0])
            report.num_comment = before + int(state[2])
            yield self._numbered(block, tokens[:, :count], report)
        if state[1]:  # the last line has no end
            yield self._numbered(*_end(), report)

    def _numbered(
        self, block: npt.NDArray[np.uint8], tokens: npt.NDArray[np.int64], report: CorpusReport
    ) -> npt.NDArray[np.int32]:
        ids = self._add(block, tokens)
        report.num_sentence = int(self._counts[0])
        report.num_token += len(ids) - int(np.count_nonzero(tokens == 0))
        report.num_word = len(self._interner) - 1
        return ids

    def _add(self, block: npt.NDArray[np.uint8], tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        # A copy has one kind of layout: one compilation.
        ids = self._interner.add(block, np.ascontiguousarray(tokens))[0]
        need = self._interner.peak_bytes
        if need > self._room:
            raise MemoryLimitError(
                f"corpus: {len(self._interner):,} different words need {size(need)} of memory, and there are {size(self._room)} "
                f"for them. Do blanks stand between the words? If not, give {setting('format.delimiters')}."
            )
        counts = np.bincount(ids, minlength=1)
        if len(counts) > len(self._counts):
            self._counts = np.concatenate([self._counts, np.zeros(len(counts), np.int64)])
        self._counts[: len(counts)] += counts
        return ids

    def chosen(self, files: list[str | Path], report: CorpusReport) -> tuple[Vocabulary, npt.NDArray[np.int32]]:
        """Return the words that are frequent enough, and for each number as words came the one of such a word, END or LEFT_OUT."""
        import pyarrow as pa

        counts = self._counts[: len(self._interner)].copy()
        most = int(counts[1:].max(initial=0))
        order = np.argsort(-counts[1:], kind="stable") + 1
        order = order[counts[order] >= self._form.min_count]
        report.num_kept_word, report.num_kept_token = len(order), int(counts[order].sum())
        if not len(order):
            names = ", ".join(map(str, files[:3])) + (", ..." if len(files) > 3 else "")
            if not most:
                raise DataError(f"{names}: expected {CONTENT}, got no words.")
            hint = f"Give {setting('graph.min_count', most)}, or more text."
            expected, got = f"a word that is there {self._form.min_count} times", f"at most {most}"
            raise DataError(f"{names}: expected {expected}, got {got}. {hint}")
        numbers = np.full(len(counts), kernels.LEFT_OUT, np.int32)
        numbers[0] = kernels.END
        numbers[order] = np.arange(len(order), dtype=np.int32)
        return Vocabulary.from_arrow(self._interner.to_arrow().take(pa.array(order)), check=False), numbers


def _end() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return a text with the end of a sentence alone, which is the word without letters."""
    block = np.zeros(1, np.uint8)
    block.flags.writeable = False
    return block, np.zeros((1, 1), np.int64)


def _undecodable(text: bytes) -> int:
    """Return the position of the first byte that is not UTF-8, or -1."""
    if text.isascii():
        return -1
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return error.start
    return -1


class _WaitingWords:
    """Words as numbers, in blocks, until all of them are counted: in memory up to `room` bytes, the others in a temporary folder."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._held: deque[npt.NDArray[np.int32]] = deque()
        self._folder: SpillFolder | None = None

    def __enter__(self) -> _WaitingWords:
        return self

    def __exit__(self, *error: object) -> None:
        if self._folder is not None:
            self._folder.__exit__(*error)

    def append(self, ids: npt.NDArray[np.int32]) -> None:
        """Put a block behind the others."""
        if self._folder is None and ids.nbytes <= self._room:
            self._room -= ids.nbytes
            self._held.append(ids)
            return
        try:
            if self._folder is None:
                self._folder = SpillFolder(Path(tempfile.gettempdir()) / "corpus")
                self._run = self._folder.new_run()
            self._run.append(ids)
        except OSError as error:
            raise OutputError(
                describe(
                    tempfile.gettempdir(),
                    expected="space for the words of a corpus that do not fit the memory, 4 bytes each",
                    got=error.strerror or str(error),
                    hint="Set TMPDIR to a folder on a disk with space.",
                )
            ) from None

    def blocks(self) -> Iterator[npt.NDArray[np.int32]]:
        """Yield all blocks once."""
        while self._held:
            yield self._held.popleft()
        if self._folder is not None:
            for (ids,) in self._run.blocks(KEYS // 4):
                yield ids
