"""Turn raw files into edge lists and label files: ``head<tab>tail`` and ``node<tab>label``, one pair a line.

Each function takes the paths of its inputs and one path to write for each split. Files are read in blocks, so that
graphs larger than memory can be converted where the conversion itself allows it. Node ids are integers in all of them.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PairArray = npt.NDArray[np.int64]
"""int64 [k, 2]: two ids a row."""

SPLIT_SEED = 1024
"""GraphVite's seed of its splits."""

_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
_BLOCK = 1 << 25  # bytes of text parsed at a time


def open_binary(path: Path) -> IO[bytes]:
    """Open a file for reading, decompressed by its suffix."""
    stream: IO[bytes] = _OPENERS.get(path.suffix, open)(path, "rb")
    return stream


def read_blocks(path: Path) -> Iterator[PairArray]:
    """Yield the first two columns of a text file of integers, in blocks.

    Blank, tab and comma separate columns; lines that begin with ``#`` are skipped.

    Raises
    ------
    DatasetError
        The file holds something else.
    """
    import pyarrow as pa
    from pyarrow import csv

    with open_binary(path) as stream:
        skip, first = 0, b"#"
        while first.startswith(b"#"):
            first = stream.readline()
            skip += 1
    delimiter = next((sign for sign in ("\t", ",", " ") if sign.encode() in first), "\t")
    names = [f"column{i}" for i in range(len(first.rstrip().split(delimiter.encode())))]
    if len(names) < 2:
        raise DatasetError(f"{path}: expected lines of two integers, got {first!r}. Delete it and fetch it again.")
    with open_binary(path) as stream:
        try:
            reader = csv.open_csv(
                pa.PythonFile(stream, mode="r"),
                read_options=csv.ReadOptions(column_names=names, skip_rows=skip - 1, block_size=_BLOCK),
                parse_options=csv.ParseOptions(delimiter=delimiter, quote_char=False),
                convert_options=csv.ConvertOptions(
                    include_columns=names[:2], column_types={name: pa.int64() for name in names[:2]}
                ),
            )
            for batch in reader:
                yield np.column_stack([column.to_numpy() for column in batch.columns])
        except (pa.ArrowInvalid, pa.ArrowKeyError, OSError, EOFError) as error:
            raise DatasetError(
                f"{path}: expected lines of two integers, got something else ({error}). Delete it and fetch it again."
            ) from None


def write_blocks(path: Path, blocks: Iterator[npt.NDArray[np.int64]] | list[npt.NDArray[np.int64]]) -> None:
    """Write the rows of integer arrays [k, c] as tab-separated text."""
    import pyarrow as pa
    from pyarrow import csv

    options = csv.WriteOptions(include_header=False, delimiter="\t")
    with path.open("wb") as stream:
        for block in blocks:
            columns = [pa.array(np.ascontiguousarray(block[:, i])) for i in range(block.shape[1])]
            csv.write_csv(pa.table(columns, names=[str(i) for i in range(len(columns))]), stream, options)


def copy_pairs(inputs: list[Path], outputs: dict[str, Path]) -> None:
    """Write the pairs of one file as they are, without comments and further columns."""
    write_blocks(next(iter(outputs.values())), read_blocks(inputs[0]))


def copy_text(inputs: list[Path], outputs: dict[str, Path]) -> None:
    """Write the text of one file as it is, unpacked."""
    import shutil

    with open_binary(inputs[0]) as source, next(iter(outputs.values())).open("wb") as target:
        shutil.copyfileobj(source, target)


def line_split(portions: tuple[int, ...]) -> Callable[[list[Path], dict[str, Path]], None]:
    """Make a conversion that deals the lines of a text file to the splits at random: the same as GraphVite does.

    Parameters
    ----------
    portions : tuple of int
        Relative sizes of the splits.
    """

    def convert(inputs: list[Path], outputs: dict[str, Path]) -> None:
        random = np.random.RandomState(SPLIT_SEED)
        shares = np.cumsum(portions, dtype=np.float32) / np.sum(portions)
        with contextlib.ExitStack() as stack:
            source = stack.enter_context(open_binary(inputs[0]))
            targets = [stack.enter_context(path.open("wb")) for path in outputs.values()]
            while lines := source.readlines(_BLOCK):
                place = np.minimum(np.searchsorted(shares, random.random_sample(len(lines))), len(portions) - 1)
                for line, index in zip(lines, place.tolist(), strict=True):
                    targets[index].write(line)

    return convert


def largest_groups(count: int) -> Callable[[list[Path], dict[str, Path]], None]:
    """Make a conversion that keeps the `count` groups with the most members of a 'node group' file."""

    def convert(inputs: list[Path], outputs: dict[str, Path]) -> None:
        pairs = np.concatenate(list(read_blocks(inputs[0])))
        groups, first, sizes = np.unique(pairs[:, 1], return_index=True, return_counts=True)
        kept = groups[np.lexsort((first, -sizes))[:count]]  # of equally large groups the one that is named first
        pairs = pairs[np.isin(pairs[:, 1], kept)]
        write_blocks(next(iter(outputs.values())), [pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))]])

    return convert


def largest_communities(count: int) -> Callable[[list[Path], dict[str, Path]], None]:
    """Make a conversion that keeps the `count` largest lines of a file with one community of nodes a line."""

    def convert(inputs: list[Path], outputs: dict[str, Path]) -> None:
        communities = [(index, line.split()) for index, line in enumerate(_lines(inputs[0]))]
        kept = sorted(communities, key=lambda item: -len(item[1]))[:count]
        rows = [
            np.column_stack([np.sort(np.array(nodes, dtype=np.int64)), np.full(len(nodes), index)])
            for index, nodes in sorted(kept, key=lambda item: item[0])
        ]
        write_blocks(next(iter(outputs.values())), rows)

    return convert


def induced_graph(inputs: list[Path], outputs: dict[str, Path]) -> None:
    """Keep the edges of a graph (first input) whose ends are both in some community (second input, one a line)."""
    members = np.zeros(0, dtype=bool)
    for line in _lines(inputs[1]):
        nodes = np.array(line.split(), dtype=np.int64)
        if len(nodes) and nodes.max() >= len(members):
            members = np.concatenate([members, np.zeros(int(nodes.max()) * 2 + 1 - len(members), dtype=bool)])
        members[nodes] = True

    def inside(block: PairArray) -> PairArray:
        known = (block < len(members)).all(axis=1)
        block = block[known]
        return block[members[block[:, 0]] & members[block[:, 1]]]

    write_blocks(next(iter(outputs.values())), (inside(block) for block in read_blocks(inputs[0])))


def _lines(path: Path) -> Iterator[bytes]:
    with open_binary(path) as stream:
        for line in stream:
            if not line.startswith(b"#"):
                yield line


def link_split(portions: tuple[int, ...]) -> Callable[[list[Path], dict[str, Path]], None]:
    """Make a conversion that cuts a graph into training edges and labelled pairs for link prediction.

    Parameters
    ----------
    portions : tuple of int
        Relative sizes of the splits, the training edges first.

    Returns
    -------
    callable
        Writes ``head tail`` for the first split, and ``head tail label`` for the others: their edges with label 1 and
        as many pairs that are no edges of the whole graph with label 0.

    Notes
    -----
    The same edges as in GraphVite go to each split, since the same numbers are drawn for the same lines. Its non-edges
    depended on the order of a Python set, which changes from run to run; here they are drawn after the edges with the
    same generator, and are the same on every machine.
    """

    def convert(inputs: list[Path], outputs: dict[str, Path]) -> None:
        edges = np.concatenate(list(read_blocks(inputs[0])))
        random = np.random.RandomState(SPLIT_SEED)
        shares = np.cumsum(portions, dtype=np.float32) / np.sum(portions)
        place = np.minimum(np.searchsorted(shares, random.random_sample(len(edges))), len(portions) - 1)
        nodes, ends = np.unique(edges, return_inverse=True)
        codes = _codes(ends.reshape(-1, 2), len(nodes))
        for index, path in enumerate(outputs.values()):
            chosen = edges[place == index]
            if index == 0:
                write_blocks(path, [chosen])
                continue
            strangers = nodes[_non_edges(codes, len(nodes), len(chosen), random)]
            label = np.repeat([1, 0], len(chosen))
            write_blocks(path, [np.column_stack([np.concatenate([chosen, strangers]), label])])

    return convert


def _codes(ends: PairArray, num_nodes: int) -> npt.NDArray[np.int64]:
    """Return the sorted codes of undirected edges, so that membership is a binary search."""
    return np.unique(ends.min(axis=1) * num_nodes + ends.max(axis=1))


def _non_edges(
    codes: npt.NDArray[np.int64],
    num_nodes: int,
    count: int,
    random: np.random.RandomState,
) -> PairArray:
    """Draw `count` pairs of different nodes that are no edges, int64 [count, 2]."""
    if count and num_nodes * (num_nodes - 1) // 2 <= len(codes):
        raise DatasetError(f"expected pairs of nodes without an edge, got a complete graph of {num_nodes} nodes.")
    found: list[PairArray] = []
    missing = count
    while missing:
        pairs = (random.random_sample((missing + 16, 2)) * num_nodes).astype(np.int64)
        code = pairs.min(axis=1) * num_nodes + pairs.max(axis=1)
        at = np.minimum(np.searchsorted(codes, code), len(codes) - 1)
        good = pairs[(pairs[:, 0] != pairs[:, 1]) & (codes[at] != code)][:missing]
        found.append(good)
        missing -= len(good)
    return np.concatenate(found) if found else np.zeros((0, 2), dtype=np.int64)
