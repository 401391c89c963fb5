"""Exported vectors come back by other readers, bit by bit."""

import csv
import json
import subprocess
import sys
import textwrap

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom.errors import ConfigError, DataError, OutputError
from nodeloom.io import export
from nodeloom.io.export import FORMATS, SUFFIXES, export_vectors
from nodeloom.io.vocabulary import Vocabulary


def read_word2vec(path):
    """As gensim's KeyedVectors.load_word2vec_format reads text."""
    with path.open("rb") as file:
        count, dim = (int(x) for x in file.readline().decode().split())
        names, rows = [], []
        for _ in range(count):
            parts = file.readline().decode("utf8").rstrip().split(" ")
            assert len(parts) == dim + 1
            names.append(parts[0])
            rows.append(np.array([np.float32(x) for x in parts[1:]]))
        assert file.read() == b""
    return names, np.array(rows, dtype=np.float32).reshape(count, dim)


def read_word2vec_binary(path):
    """As gensim's KeyedVectors.load_word2vec_format reads binary."""
    data = path.read_bytes()
    end = data.index(b"\n")
    count, dim = (int(x) for x in data[:end].decode().split())
    at, names, rows = end + 1, [], []
    for _ in range(count):
        blank = data.index(b" ", at)
        names.append(data[at:blank].decode("utf8").lstrip("\n"))
        rows.append(np.frombuffer(data, "<f4", dim, blank + 1))
        at = blank + 1 + 4 * dim
    assert data[at:] in (b"", b"\n")
    return names, np.array(rows, dtype=np.float32).reshape(count, dim)


def read_npz(path):
    with np.load(path, allow_pickle=False) as file:
        return file["names"].tolist(), file["vectors"]


def read_parquet(path):
    table = pyarrow.parquet.read_table(path)
    vectors = table["vector"].combine_chunks()
    return table["name"].to_pylist(), vectors.flatten().to_numpy().reshape(len(vectors), -1)


def read_delimited(path, delimiter):
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file, delimiter=delimiter))
    assert rows[0] == ["name", *(f"v{i}" for i in range(len(rows[0]) - 1))]
    return [row[0] for row in rows[1:]], np.array([[np.float32(x) for x in row[1:]] for row in rows[1:]], np.float32)


READERS = {
    "word2vec": read_word2vec,
    "word2vec-binary": read_word2vec_binary,
    "npz": read_npz,
    "parquet": read_parquet,
    "tsv": lambda path: read_delimited(path, "\t"),
    "csv": lambda path: read_delimited(path, ","),
}


def table(n, dim, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((n, dim)) * 10.0 ** rng.integers(-30, 30, (n, dim))).astype(np.float32)


def test_every_format_has_a_reader_here():
    assert set(READERS) == set(FORMATS) == set(SUFFIXES.values())


names_without_blanks = st.lists(
    st.text(st.characters(exclude_categories=("Z", "C")), min_size=1, max_size=5), min_size=1, max_size=30, unique=True
).map(Vocabulary.from_names)
any_names = st.lists(
    st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=5),
    min_size=1,
    max_size=30,
    unique=True,
).map(Vocabulary.from_names)
integers = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=30, unique=True).map(Vocabulary.from_names)
ranges = st.integers(1, 30).map(Vocabulary.range)


@pytest.mark.parametrize("format", FORMATS)
@settings(deadline=None, max_examples=40)
@given(data=st.data(), dim=st.integers(1, 40), num_thread=st.integers(1, 3))
def test_round_trip(tmp_path_factory, format, data, dim, num_thread):
    text = names_without_blanks if format.startswith("word2vec") else any_names
    names = data.draw(st.one_of(text, integers, ranges))
    vectors = table(len(names), dim)
    path = tmp_path_factory.mktemp("e") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "_BLOCK", 64)
        patch.setattr(export, "_ROW_GROUP", 100)
        export_vectors(path, vectors, names, format=format, num_thread=num_thread)
    found, rows = READERS[format](path)
    expected = list(names) if format in ("npz", "parquet") else [str(name) for name in names]
    assert found == expected
    np.testing.assert_array_equal(rows, vectors)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_suffixes_choose_the_format(tmp_path, suffix):
    path = tmp_path / f"out{suffix.upper()}"
    export_vectors(path, table(4, 3), Vocabulary.range(4))
    np.testing.assert_array_equal(READERS[SUFFIXES[suffix]](path)[1], table(4, 3))


@pytest.mark.parametrize("format", FORMATS)
def test_layouts_other_than_rows(tmp_path, format):
    vectors = np.asfortranarray(table(9, 4))
    export_vectors(tmp_path / "out", vectors, Vocabulary.range(9), format=format)
    np.testing.assert_array_equal(READERS[format](tmp_path / "out")[1], vectors)


def test_other_libraries_read_tsv(tmp_path):
    names = Vocabulary.from_names(["a b", 'say "hi"', "tab\there", "plain"])
    export_vectors(tmp_path / "out.tsv", table(4, 3), names)
    options = pyarrow.csv.ParseOptions(delimiter="\t")
    read = pyarrow.csv.read_csv(tmp_path / "out.tsv", parse_options=options)
    assert read["name"].to_pylist() == list(names)


@pytest.mark.parametrize("format", ["word2vec", "word2vec-binary"])
@pytest.mark.parametrize("name", ["a b", "a\tb", "a\nb", ""])
def test_word2vec_refuses_blanks(tmp_path, format, name):
    names = Vocabulary.from_names(["ok", name, "two words"])
    with pytest.raises(DataError, match=r"without blanks.* and 1 more.*TSV") as caught:
        export_vectors(tmp_path / "out", table(3, 2), names, format=format)
    assert repr(name) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported(tmp_path):
    with pytest.raises(ConfigError, match=r"ends in one of \.txt.*got '\.xyz'.*choose a format"):
        export_vectors(tmp_path / "out.xyz", table(3, 2), Vocabulary.range(3))
    with pytest.raises(ConfigError, match="one of word2vec"):
        export_vectors(tmp_path / "out.txt", table(3, 2), Vocabulary.range(3), format="excel")
    with pytest.raises(DataError, match=r"float32 \[4, D\].*\[3, 2\]"):
        export_vectors(tmp_path / "out.txt", table(3, 2), Vocabulary.range(4))
    with pytest.raises(OutputError, match="Create the folder"):
        export_vectors(tmp_path / "missing" / "out.txt", table(3, 2), Vocabulary.range(3))


@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk_leaves_nothing(tmp_path, format):
    """The limit on the size of files stands for the disk."""
    script = textwrap.dedent(
        """
        import resource, signal, sys
        import numpy as np
        from nodeloom.errors import OutputError
        from nodeloom.io.export import export_vectors
        from nodeloom.io.vocabulary import Vocabulary
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            export_vectors(sys.argv[1], np.random.rand(5000, 16).astype(np.float32), Vocabulary.range(5000),
                           format=sys.argv[2])
        except OutputError as error:
            print(error)
        """
    )
    (tmp_path / "out").write_text("old")
    command = [sys.executable, "-W", "error", "-c", script, str(tmp_path / "out"), format]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert str(tmp_path / "out") in done.stdout, done.stdout + done.stderr
    assert done.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_text() == "old"


def test_memory_is_bounded(tmp_path):
    """Peak memory of a process that exports 100 MB to each format."""
    if not sys.platform.startswith("linux"):
        pytest.skip("peak memory is read from /proc")
    script = textwrap.dedent(
        """
        import json, sys
        import numpy as np
        import pyarrow.compute, pyarrow.parquet
        from nodeloom.io.export import FORMATS, export_vectors
        from nodeloom.io.vocabulary import Vocabulary

        def peak():
            return int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1]) / 1024

        vectors = np.ones((200_000, 128), np.float32)
        names = Vocabulary.range(len(vectors))
        used = {}
        for format in FORMATS:
            start = peak()
            export_vectors(sys.argv[1], vectors, names, format=format)
            used[format] = peak() - start
        print(json.dumps(used))
        """
    )
    command = [sys.executable, "-c", script, str(tmp_path / "out")]
    used = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert max(used.values()) < 90, used


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_vectors_that_are_not_finite_are_refused(tmp_path, value):
    vectors = np.ones((3, 2), np.float32)
    vectors[1, 1] = value
    with pytest.raises(DataError, match=rf"vectors of finite numbers, got \"{value} for node 'b'\""):
        export_vectors(tmp_path / "v.tsv", vectors, Vocabulary.from_names(["a", "b", "c"]))
    assert not (tmp_path / "v.tsv").exists()
