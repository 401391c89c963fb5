"""Writing a compiled graph in parts: rows go to the file as they are built, and the header when all are there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from nodeloom.graph.fingerprint import ArrayHash, fingerprint_of
from nodeloom.graph.storage import FORMAT, VERSION
from nodeloom.io.checksum import ArrayChecksum
from nodeloom.io.name_stream import write_stream
from nodeloom.io.tensors import with_checksums

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from nodeloom.io.vocabulary import Vocabulary
    from nodeloom.typing import FloatArray, IndexArray, OffsetArray

# The length of the header and the header: more than it ever needs, the rest is blanks, as the format allows.
_HEAD = 1024
_COPY = 1 << 22


class GraphWriter:
    """Writes the file that :meth:`nodeloom.graph.Graph.open` reads, without ever holding all of it.

    The file is the header, indptr, indices, weights and names. Weights cannot be placed before the number of entries is
    known, so they wait in a file of their own.

    Parameters
    ----------
    path : Path
        A file that is there already, and is written over.
    folder : Path
        Where the weights wait.
    num_nodes : int
        N.
    weighted : bool
        Whether entries come with weights.
    """

    def __init__(self, path: Path, folder: Path, num_nodes: int, weighted: bool) -> None:
        self.path = path
        self.weights_path = folder / "weights"
        self.num_nodes = num_nodes
        self.num_entry = 0
        self.num_loops = 0
        self._end = 0
        self._indptr = path.open("r+b")
        self._rows = path.open("r+b")
        self._weights: BinaryIO | None = self.weights_path.open("xb") if weighted else None
        self._hashes = {"indptr": ArrayHash("int64"), "indices": ArrayHash("int32"), "weights": ArrayHash("float32")}
        self._checksums = {name: ArrayChecksum(part.dtype) for name, part in self._hashes.items()}
        self._indptr.seek(_HEAD)
        self._rows.seek(self.indices_at)
        self._put(self._indptr, "indptr", np.zeros(1, np.int64))

    @property
    def indices_at(self) -> int:
        """Where in the file the indices begin."""
        return _HEAD + 8 * (self.num_nodes + 1)

    def add_degrees(self, degrees: OffsetArray) -> None:
        """Write how many entries each of the next rows has; int64 [rows]."""
        indptr = np.cumsum(degrees)
        indptr += self._end
        self._end = int(indptr[-1]) if len(indptr) else self._end
        self._put(self._indptr, "indptr", indptr)

    def add_entries(self, indices: IndexArray, weights: FloatArray | None) -> None:
        """Write the next entries, int32 [k] and float32 [k] or None."""
        self.num_entry += len(indices)
        self._put(self._rows, "indices", indices)
        if weights is not None and self._weights is not None:
            self._weights.write(np.ascontiguousarray(weights).data)

    def add_loops(self, count: int) -> None:
        """Take note of self-loops among the entries."""
        self.num_loops += count

    def flush(self) -> None:
        """Let what was written be read by others."""
        for file in (self._indptr, self._rows, self._weights):
            if file is not None:
                file.flush()

    def waiting_weights(self) -> Iterable[FloatArray]:
        """Yield the weights that were written, in parts."""
        self.flush()
        with self.weights_path.open("rb") as file:
            while len(part := np.fromfile(file, np.float32, _COPY // 4)):
                yield part

    def finish(self, weights: Iterable[FloatArray] | None, names: Path | None, directed: bool) -> None:
        """Write weights, names and header, and close the file.

        Parameters
        ----------
        weights : iterable of float32 arrays, or None
            The weights of all entries, in parts.
        names : Path or None
            A file that :func:`write_names` has written; None for a range.
        directed : bool
            Whether an entry is an arc.
        """
        kinds = {"indptr": ("I64", 8, self.num_nodes + 1), "indices": ("I32", 4, self.num_entry)}
        if weights is not None:
            for part in weights:
                self._put(self._rows, "weights", part)
            kinds["weights"] = ("F32", 4, self.num_entry)
        if names is not None:
            self._checksums["names"] = ArrayChecksum("uint8")
            with names.open("rb") as file:
                while len(part := np.fromfile(file, np.uint8, _COPY)):
                    self._checksums["names"].update(part)
                    self._rows.write(part.data)
            kinds["names"] = ("U8", 1, names.stat().st_size)
        hashes = [self._hashes[name] for name in ("indptr", "indices", "weights") if name in kinds]
        metadata = {
            "format": FORMAT,
            "format_version": VERSION,
            "directed": json.dumps(directed),
            "num_loops": str(self.num_loops),
            "fingerprint": fingerprint_of(hashes, directed),
        }
        checksums = {name: self._checksums[name].finish() for name in kinds}
        header: dict[str, Any] = {"__metadata__": with_checksums(metadata, checksums)}
        start = 0
        for name, (code, width, length) in kinds.items():
            end = start + width * length
            header[name] = {"dtype": code, "shape": [length], "data_offsets": [start, end]}
            start = end
        text = json.dumps(header, separators=(",", ":")).encode().ljust(_HEAD - 8)
        self._indptr.seek(0)
        self._indptr.write(len(text).to_bytes(8, "little") + text)
        self.close()

    def close(self) -> None:
        """Close the files."""
        for file in (self._indptr, self._rows, self._weights):
            if file is not None:
                file.close()

    def _put(self, file: BinaryIO, name: str, array: npt.NDArray[Any]) -> None:
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        self._hashes[name].update(array)
        self._checksums[name].update(array)
        file.write(array.data)


def write_names(names: Vocabulary, path: Path) -> None:
    """Write names as :meth:`~nodeloom.io.vocabulary.Vocabulary.to_bytes` gives them, without a copy in memory."""
    import pyarrow as pa

    with pa.OSFile(str(path), "wb") as file:
        write_stream(names.to_arrow(), file)
