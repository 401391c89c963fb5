"""Graphs of words: pair for pair what a dictionary counts, whatever the blocks, and what is wrong in a text is told."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from nodeloom import Graph
from nodeloom.errors import ConfigError, DataError, MemoryLimitError, OutputError
from nodeloom.io import corpus
from nodeloom.io import word_pairs as word_pairs_module
from nodeloom.io.source import line_blocks
from nodeloom.io.word_pairs import cells_of
from nodeloom.kernels.reference.words import sentences, vocabulary, word_pairs

WORDS = ["a", "b", "ein", "é", "日本", "#x", "c#", "1", "007", "longer-word,", "."]


def text_of(seed=0, num_line=60, ends="\n"):
    rng = random.Random(seed)
    blanks = (" ", "  ", "\t", " \t ")
    lines = (
        rng.choice(("", " ")) + "".join(rng.choice(WORDS) + rng.choice(blanks) for _ in range(rng.randrange(15)))
        for _ in range(num_line)
    )
    return ends.join(lines)


def pairs_of(graph):
    heads, tails, counts = graph.edge_columns()
    return {(int(u), int(v)): int(c) for u, v, c in zip(heads, tails, counts, strict=True)}


def check(graph, text, window, min_count, delimiters=" \t", comment=""):
    lines = sentences(text, delimiters, comment)
    words = vocabulary(lines, min_count)
    assert graph.names.to_list() == words
    assert pairs_of(graph) == word_pairs(lines, words, window)
    assert not graph.directed and graph.is_weighted


@pytest.fixture
def small(monkeypatch):
    """Blocks, tables and buffers so small that every edge of them is met."""
    monkeypatch.setattr(corpus, "line_blocks", partial(line_blocks, size=37))
    monkeypatch.setattr(word_pairs_module, "KEYS", 16)
    monkeypatch.setattr(word_pairs_module, "cells_of", lambda count, _, cells=cells_of: cells(count, 7))


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("window", "min_count", "comment"), [(1, 1, ""), (2, 3, "#"), (5, 40, ""), (14, 2, "#x"), (300, 1, "")]
)
def test_pairs_are_those_of_the_definition(tmp_path, small, window, min_count, comment, ends):
    path, text = tmp_path / "text.txt", text_of(ends=ends)
    path.write_bytes(text.encode())
    check(
        Graph.from_corpus(path, window=window, min_count=min_count, comment=comment),
        text,
        window,
        min_count,
        comment=comment,
    )


def test_usual_blocks_give_the_same(tmp_path):
    text = text_of(3)
    (tmp_path / "text.txt").write_text(text)
    check(Graph.from_corpus(tmp_path / "text.txt", min_count=2, num_thread=2), text, 5, 2)


def test_a_line_longer_than_a_block_is_one_sentence(tmp_path, small):
    text = text_of(1).replace("\n", " ")
    (tmp_path / "text.txt").write_text(text)
    check(Graph.from_corpus(tmp_path / "text.txt", min_count=1, comment="zz"), text, 5, 1)


def test_files_compressed_or_not_are_one_text_and_no_sentence_goes_on_in_the_next(tmp_path, monkeypatch):
    parts = [text_of(seed, 20) for seed in range(5)]
    pack = {"txt": bytes, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
    paths = [tmp_path / f"part.{suffix}" for suffix in pack]
    for path, part, packed in zip(paths, parts, pack.values(), strict=False):
        path.write_bytes(packed(part.encode()))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(parts[4].encode())))
    check(Graph.from_corpus([*paths, "-"], min_count=1), "\n".join(parts), 5, 1)


def test_encoding_delimiters_and_byte_order_mark(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes("é,a;é\n".encode("latin-1"))
    graph = Graph.from_corpus(path, min_count=1, encoding="latin-1", delimiters=",;")
    assert (graph.names.to_list(), pairs_of(graph)) == (["é", "a"], {(0, 1): 2, (0, 0): 1})
    assert pairs_of(Graph.from_corpus(path, min_count=1, encoding="latin-1", delimiters=",;", self_loops="drop")) == {
        (0, 1): 2
    }
    path.write_text("a b", encoding="utf-16")
    assert Graph.from_corpus(path, min_count=1).names.to_list() == ["a", "b"]


def test_normalization_and_threads(tmp_path):
    (tmp_path / "text.txt").write_text(text_of(2))
    plain = Graph.from_corpus(tmp_path / "text.txt", min_count=1)
    norm = Graph.from_corpus(tmp_path / "text.txt", min_count=1, normalization=True, num_thread=3)
    dense = plain.to_scipy().toarray()
    strength = dense.sum(0)
    np.testing.assert_allclose(norm.to_scipy().toarray(), dense / np.sqrt(np.outer(strength, strength)), rtol=1e-6)


def test_the_report_tells_what_was_read(tmp_path):
    (tmp_path / "text.txt").write_text("a b a # rest\n\n#all\na c\nb\n")
    told = []
    Graph.from_corpus(tmp_path / "text.txt", min_count=2, comment="#", report=lambda report: told.append(str(report)))
    assert told[-1] == (
        "6 words in 3 sentences, 2 of them cut at a comment; 2 of 3 different words are frequent enough, 83.3% of the text; 3 pairs"
    )


def test_words_that_do_not_fit_the_memory_wait_in_a_folder_that_goes(tmp_path, monkeypatch):
    (tmp_path / "text.txt").write_text(text_of(4, 200))
    folder = tmp_path / "waiting"
    folder.mkdir()
    monkeypatch.setattr(corpus.tempfile, "gettempdir", lambda: str(folder))
    init = corpus._WaitingWords.__init__
    monkeypatch.setattr(corpus._WaitingWords, "__init__", lambda self, _: init(self, 100))
    monkeypatch.setattr(corpus, "line_blocks", partial(line_blocks, size=90))
    seen = []
    graph = Graph.from_corpus(
        tmp_path / "text.txt", min_count=1, report=lambda _: seen.append(len(list(folder.iterdir())))
    )
    check(graph, text_of(4, 200), 5, 1)
    assert max(seen) == 1 and list(folder.iterdir()) == []
    monkeypatch.setattr(corpus.tempfile, "gettempdir", lambda: str(folder / "none"))
    with pytest.raises(OutputError, match="TMPDIR"):
        Graph.from_corpus(tmp_path / "text.txt", min_count=1)


def test_compiled_in_parts_it_is_the_same_graph(tmp_path, small):
    (tmp_path / "text.txt").write_text(text_of(5) + "\nalone\nalone")
    for options in ({"min_count": 1}, {"min_count": 2, "window": 2, "self_loops": "drop", "normalization": True}):
        whole = Graph.from_corpus(tmp_path / "text.txt", **options)
        parts = Graph.compile_corpus(tmp_path / "text.txt", tmp_path / "words.nlg", **options)
        assert parts.names == whole.names and parts.fingerprint() == whole.fingerprint()
    with pytest.raises(MemoryLimitError, match="memory_limit"):
        Graph.compile_corpus(tmp_path / "text.txt", tmp_path / "words.nlg", memory_limit=1000)


def test_more_pairs_than_fit_the_memory_are_refused(tmp_path, small, monkeypatch):
    (tmp_path / "text.txt").write_text(text_of(6))
    monkeypatch.setattr(corpus, "BYTES_PAIR", 1 << 42)
    with pytest.raises(MemoryLimitError, match=r"Raise min_count or lower window, .*Graph\.compile_corpus"):
        Graph.from_corpus(tmp_path / "text.txt", min_count=1)


@pytest.mark.parametrize("count", [1, 2, 9, 100])
@pytest.mark.parametrize("most", [1, 5, 60, 10_000])
def test_cells_are_those_of_the_most_frequent_pairs(count, most):
    widths, starts, num_cell = cells_of(count, most)
    cells = [starts[u] + v for u in range(len(widths)) for v in range(u, widths[u])]
    assert cells == list(range(num_cell)) and num_cell <= max(most, 1)
    products = [(u + 1) * (v + 1) for u in range(len(widths)) for v in range(u, widths[u])]
    assert len(cells) == sum((u + 1) * (v + 1) <= max(products) for u in range(count) for v in range(u, count))


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"", {}, "text.txt: expected text, a sentence a line, got no words"),
        (b" \n\t\n", {}, "got no words"),
        (b"a b a\n", {}, r"a word that is there 5 times, got at most 2\. Give min_count=2"),
        (b"a\nb \xe9\n", {}, r"text.txt:2: expected text in UTF-8.*encoding='latin-1'"),
        (b"a\n\nb\0c\n", {}, "text.txt:3: expected lines of text"),
        (b"PAR1....", {}, r"got 'a table \(parquet\)'"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path, content, options, message):
    (tmp_path / "text.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        Graph.from_corpus(tmp_path / "text.txt", **options)


def test_missing_files(tmp_path):
    with pytest.raises(DataError, match="no file of this name"):
        Graph.from_corpus(tmp_path / "none.txt")
    with pytest.raises(DataError, match="at least one file"):
        Graph.from_corpus([])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, "window: expected a whole number from 1 to 1,000, got 0"),
        ({"window": True}, "window: expected"),
        ({"min_count": 0}, "min_count: expected"),
        ({"delimiters": ""}, "delimiters: expected"),
        ({"delimiters": "。"}, "ASCII"),
        ({"comment": "# "}, "comment: expected"),
        ({"self_loops": "maybe"}, "self_loops: expected"),
    ],
)
def test_options_out_of_bounds(tmp_path, options, message):
    (tmp_path / "text.txt").write_text("a b")
    with pytest.raises(ConfigError, match=message):
        Graph.from_corpus(tmp_path / "text.txt", **options)
    with pytest.raises(TypeError, match="windw"):
        Graph.from_corpus(tmp_path / "text.txt", windw=3)
