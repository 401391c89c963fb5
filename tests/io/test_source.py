"""Sources: how files become blocks of whole lines."""

from __future__ import annotations

import codecs

import pytest

from nodeloom.errors import DataError
from nodeloom.io import source as source_module


@pytest.mark.parametrize("peeked", [0, 1, 30, 100])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_blocks_are_cut_between_lines(tmp_path, monkeypatch, peeked, end):
    monkeypatch.setattr(source_module, "HEAD", 30)
    lines = [f"n{i} é{i}{end}".encode() for i in range(20)]
    path = tmp_path / "edges.txt"
    path.write_bytes(codecs.BOM_UTF8 + b"".join(lines))
    with source_module.open_source(path) as source:
        source.peek(peeked)
        blocks = list(source_module.line_blocks(source, size=50))
    assert b"".join(blocks) == b"".join(lines)
    assert all(block.endswith(end.encode()) for block in blocks)
    assert len(blocks[0]) <= 30 < max(map(len, blocks)) <= 50 + len(lines[-1])


def test_no_line_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(source_module, "_MAX_LINE", 1000)
    path = tmp_path / "edges.txt"
    path.write_bytes(b"x" * 4000)
    with source_module.open_source(path) as source, pytest.raises(DataError, match="without a line end"):
        list(source_module.line_blocks(source, size=500))
