"""About how many edges there are in files, by their sizes and first lines: to choose a way before they are read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from nodeloom.errors import DataError
from nodeloom.io.source import open_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodeloom.io.edge_format import EdgeFormat

_SAMPLE = 1 << 18
# How many times smaller lists of edges usually become; one that becomes smaller still is only read in the other way.
_COMPRESSION = 4


def estimate_edges(files: Sequence[str | Path], form: EdgeFormat) -> int | None:
    """Return about how many edges there are, or None if nobody can tell without reading.

    Parameters
    ----------
    files : sequence of str or Path
        As :func:`nodeloom.io.edgelist.read_edges` takes them.
    form : EdgeFormat
        How edges are written.
    """
    total = 0
    for file in files:
        path = Path(file)
        # What is wrong with a file is for the reader to say; a pipe gives what it holds only once.
        if not os.path.isfile(path):  # noqa: PTH113  pathlib raises OSError for names that are too long
            return None
        try:
            with open_source(path) as source:
                if source.kind == "parquet":
                    import pyarrow as pa
                    import pyarrow.parquet as pq

                    try:
                        total += pq.ParquetFile(path).metadata.num_rows
                    except pa.ArrowException:
                        return None
                    continue
                num_byte = path.stat().st_size * (_COMPRESSION if source.compression else 1)
                if source.kind == "arrow":
                    total += num_byte // 8
                    continue
                sample = source.read(_SAMPLE)
        except (DataError, OSError):
            return None
        comment = form.comment.encode()
        lines = [line for line in sample.splitlines() if line.strip() and not (comment and line.startswith(comment))]
        total += int(num_byte * len(lines) / max(1, len(sample)))
    return total
