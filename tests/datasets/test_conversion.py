"""Conversions, on inputs small enough to know the answer."""

from __future__ import annotations

import bz2
import gzip
import lzma

import numpy as np
import pytest

from nodeloom.datasets import conversion


def run(convert, tmp_path, *texts):
    inputs = []
    for index, text in enumerate(texts):
        path = tmp_path / f"in{index}.txt"
        path.write_text(text)
        inputs.append(path)
    convert(inputs, {"out": tmp_path / "out.txt"})
    return (tmp_path / "out.txt").read_text()


@pytest.mark.parametrize(
    "text", ["1 2\n3 4\n", "1\t2\n3\t4\n", "1,2\n3,4\n", "# a\n#b\n1 2 0.5\n3 4 1\n", "1 2\r\n3 4\r\n", "1 2\n3 4"]
)
def test_pairs_are_read_whatever_separates_them(tmp_path, text):
    assert run(conversion.copy_pairs, tmp_path, text) == "1\t2\n3\t4\n"


@pytest.mark.parametrize(("suffix", "module"), [(".gz", gzip), (".xz", lzma), (".bz2", bz2)])
def test_compressed_files_are_read(tmp_path, suffix, module):
    path = tmp_path / f"g.txt{suffix}"
    path.write_bytes(module.compress(b"1 2\n"))
    assert np.concatenate(list(conversion.read_blocks(path))).tolist() == [[1, 2]]


def test_blocks_join_to_the_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(conversion, "_BLOCK", 64)
    pairs = np.random.default_rng(0).integers(0, 10**9, (500, 2))
    conversion.write_blocks(tmp_path / "g", [pairs[:200], pairs[200:]])
    blocks = list(conversion.read_blocks(tmp_path / "g"))
    assert len(blocks) > 5
    assert (np.concatenate(blocks) == pairs).all()


def test_largest_groups_take_the_first_named_of_equals(tmp_path):
    text = "1 9\n2 3\n1 3\n4 5\n1 7\n2 7\n"
    assert run(conversion.largest_groups(2), tmp_path, text) == "1\t3\n2\t3\n1\t7\n2\t7\n"
    text = "1 9\n2 8\n"
    assert run(conversion.largest_groups(1), tmp_path, text) == "1\t9\n"


def test_largest_communities_are_numbered_by_their_line(tmp_path):
    assert run(conversion.largest_communities(2), tmp_path, "5\n3 1 2\n9\n8 7\n") == "1\t1\n2\t1\n3\t1\n7\t3\n8\t3\n"


def test_induced_graph_keeps_edges_with_both_ends_inside(tmp_path):
    graph = "# comment\n1\t2\n2\t3\n3\t100\n2\t4\n4\t1\n"
    assert run(conversion.induced_graph, tmp_path, graph, "1 2\n4\n\n2 1\n") == "1\t2\n2\t4\n4\t1\n"
