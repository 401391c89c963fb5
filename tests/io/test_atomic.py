"""Nobody ever sees half a file, and what the system has against a write is told clearly."""

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from nodeloom.errors import DataError, OutputError
from nodeloom.io.atomic import atomic_path, check_writable


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.endswith(".tmp"))


class Boom(BaseException):
    """Like KeyboardInterrupt: not an Exception."""


def test_the_file_appears_only_at_the_end(tmp_path):
    target = tmp_path / "out.txt"
    with atomic_path(target) as path:
        assert path.parent.parent == tmp_path
        assert path != target
        path.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("error", [Boom, RuntimeError, KeyboardInterrupt])
def test_a_failure_keeps_the_old_file(tmp_path, error):
    target = tmp_path / "out.txt"
    target.write_text("old")
    with pytest.raises(error), atomic_path(target) as path:
        path.write_text("half")
        raise error
    assert target.read_text() == "old"
    assert leftovers(tmp_path) == []


def test_an_existing_file_keeps_its_permissions(tmp_path):
    target = tmp_path / "out.txt"
    target.write_text("old")
    target.chmod(0o640)
    with atomic_path(target) as path:
        path.write_text("new")
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    with atomic_path(tmp_path / "out.txt") as path:
        path.write_text("new")
    assert (tmp_path / "out.txt").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_symbolic_link_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "real" / "file.txt")
    with atomic_path(link) as path:
        path.write_text("new")
    assert link.is_symlink()
    assert (tmp_path / "real" / "file.txt").read_text() == "new"


def test_the_block_may_change_folder(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with atomic_path("out.txt") as path:
        monkeypatch.chdir(tmp_path / "elsewhere")
        path.write_text("new")
    assert (tmp_path / "out.txt").read_text() == "new"


def test_a_very_long_name_fits(tmp_path):
    target = tmp_path / ("n" * 250)
    with atomic_path(target) as path:
        path.write_text("new")
    assert target.read_text() == "new"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing/out.txt", "Create the folder"),
        ("file/out.txt", "A part of this path is a file"),
        ("folder", "add a file name"),
        ("n" * 300, "shorter file name"),
    ],
)
@pytest.mark.parametrize("writer", ["atomic", "check"])
def test_what_cannot_be_written_is_told(tmp_path, name, words, writer):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    entered = False
    with pytest.raises(OutputError, match=words) as caught:
        if writer == "check":
            check_writable(tmp_path / name)
        else:
            with atomic_path(tmp_path / name):
                entered = True
    assert str(tmp_path / name)[:50] in str(caught.value)
    assert not entered, "the block must not compute anything for a path that cannot be written"
    assert leftovers(tmp_path) == []


def test_an_error_of_ours_passes_as_it_is(tmp_path):
    with pytest.raises(DataError, match="mine"), atomic_path(tmp_path / "out.txt"):
        raise DataError("mine")


def test_dev_full_is_a_full_disk():
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(OutputError, match="space on the disk") as caught, atomic_path("/dev/full") as path:
        path.write_text("something")
    assert caught.value.errno == errno.ENOSPC
    assert Path("/dev/full").exists()


def test_a_file_that_may_not_grow_leaves_nothing(tmp_path):
    (tmp_path / "out.bin").write_text("old")
    script = textwrap.dedent(
        """
        import resource, signal, sys
        from nodeloom.errors import OutputError
        from nodeloom.io.atomic import atomic_path
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            with atomic_path(sys.argv[1]) as path:
                path.write_bytes(bytes(200_000))
        except OutputError as error:
            print(error)
        """
    )
    command = [sys.executable, "-c", script, str(tmp_path / "out.bin")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "ulimit -f" in done.stdout
    assert (tmp_path / "out.bin").read_text() == "old"
    assert leftovers(tmp_path) == []


def test_no_permission(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("the super-user may write anywhere")
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(OutputError, match="permission"):
        check_writable(tmp_path / "locked" / "out.txt")
    with pytest.raises(OutputError, match="permission"), atomic_path(tmp_path / "locked" / "out.txt"):
        pass


def test_check_writable_touches_nothing(tmp_path):
    (tmp_path / "out.txt").write_text("old")
    check_writable(tmp_path / "out.txt", num_bytes=10)
    assert (tmp_path / "out.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]


def test_check_writable_asks_for_space(tmp_path):
    with pytest.raises(OutputError, match="free space"):
        check_writable(tmp_path / "out.bin", num_bytes=1 << 62)
