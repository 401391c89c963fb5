"""Columns that wait on the disk."""

from __future__ import annotations

import numpy as np
import pytest

from nodeloom.errors import MemoryLimitError
from nodeloom.io.spill import SpillFolder
from nodeloom.io.spool import EdgeSpool


def test_blocks_come_back_in_their_order(tmp_path):
    with SpillFolder(tmp_path / "graph") as folder:
        run = folder.new_run()
        columns = [np.arange(100, dtype=np.int32), np.arange(100, dtype=np.float32) / 2]
        for start, stop in ((0, 3), (3, 3), (3, 50), (50, 51), (51, 100)):
            run.append(*(column[start:stop] for column in columns))
        assert run.num_rows == 100
        for rows, lengths in ((1, [1] * 100), (30, [30, 30, 30, 10]), (50, [50, 50]), (1000, [100])):
            blocks = list(run.blocks(rows))
            assert [len(block[0]) for block in blocks] == lengths
            for i in (0, 1):
                np.testing.assert_array_equal(np.concatenate([block[i] for block in blocks]), columns[i])
        for ours, theirs in zip(run.read(), columns, strict=True):
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)


def test_blocks_of_several_dtypes_are_joined_to_the_wider(tmp_path):
    with SpillFolder(tmp_path / "graph") as folder:
        run = folder.new_run()
        run.append(np.array([1, -1], np.int32))
        run.append(np.array([2**40], np.int64))
        (joined,) = next(iter(run.blocks(10)))
        assert joined.tolist() == [1, -1, 2**40]


def test_the_folder_goes_with_all_that_is_in_it(tmp_path):
    with pytest.raises(KeyError), SpillFolder(tmp_path / "graph") as folder:
        assert folder.path.parent == tmp_path
        run, other = folder.new_run(), folder.new_run()
        run.append(np.arange(3))
        other.remove()
        assert (run.removed, other.removed) == (False, True)
        raise KeyError
    assert run.removed
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_cut_is_told(tmp_path):
    with SpillFolder(tmp_path / "graph") as folder:
        run = folder.new_run()
        run.append(np.arange(10))
        list(run.blocks(1))
        (file,) = folder.path.iterdir()
        with file.open("r+b") as opened:
            opened.truncate(60)
        with pytest.raises(OSError, match="a temporary file was cut"):
            run.read()


def test_names_may_take_all_the_room_there_is_and_no_more(tmp_path):
    with SpillFolder(tmp_path / "graph") as folder:
        spool = EdgeSpool(folder, num_thread=1, room=1000, report=lambda count: None)
        spool._check(1000, 5)
        with pytest.raises(MemoryLimitError, match="the names of 5 nodes alone need 1 kB"):
            spool._check(1001, 5)
