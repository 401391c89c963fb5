"""The block of names in our files: an Arrow IPC stream of one column ``name``, neither compressed nor nested.

Arrow unpacks whatever a stream says, so 45 kB may become gigabytes. We never write compressed streams, dictionaries or other columns, and
refuse them before anything is unpacked: what is read lies in the block, and takes no more than it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa


def write_stream(names: pa.Array, sink: Any) -> None:
    """Write names, text or int64, to a sink of Arrow."""
    import pyarrow as pa

    batch = pa.record_batch([names], names=["name"])
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)


def read_stream(data: npt.NDArray[np.uint8] | bytes | pa.Buffer, count: int, kind: str = "node") -> pa.ChunkedArray:
    """Return the names in a stream; they stay in the memory of `data`.

    Parameters
    ----------
    data : bytes
        The stream.
    count : int
        How many names there must be.
    kind : str
        The kind of what they are the names of, for messages.

    Raises
    ------
    ValueError
        It is not such a stream, or has another number of names.
    """
    import pyarrow as pa

    try:
        buffer = pa.py_buffer(np.ascontiguousarray(data) if isinstance(data, np.ndarray) else data)
        _check_messages(buffer)
        with pa.ipc.open_stream(buffer) as reader:
            schema = reader.schema
            if schema.names != ["name"] or schema.types[0] not in (pa.string(), pa.large_string(), pa.int64()):
                raise ValueError(f"names: expected one column 'name' of text or int64, got {schema.to_string()!r:.100}")
            table = reader.read_all()
        if len(table) != count:
            raise ValueError(f"names: expected {count:,} {kind} names, got {len(table):,}")
        # Offsets of text are used unchecked later on; a forged file must not read beyond its buffer.
        table.validate(full=True)
    except (pa.ArrowException, OSError, struct.error, UnicodeDecodeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"names: expected an Arrow stream, got {reason}") from None
    if table.column(0).null_count:
        raise ValueError(f"names: expected a name for every {kind}, got none for some")
    return table.column(0)


def _check_messages(buffer: pa.Buffer) -> None:
    """Refuse a stream that holds anything but a schema and batches that are not compressed."""
    import pyarrow as pa

    for number, message in enumerate(pa.ipc.MessageReader.open_stream(buffer)):
        expected = "record batch" if number else "schema"
        if message.type != expected:
            raise ValueError(f"names: expected a {expected} in the Arrow stream, got a {message.type}")
        if number and _is_compressed(message.metadata.to_pybytes()):
            raise ValueError("names: expected an Arrow stream that is not compressed, got a compressed one")


def _is_compressed(metadata: bytes) -> bool:
    """Tell whether the message of a record batch has the field ``compression``, its fourth.

    A message is a table of FlatBuffers: its place is where the first number says, and what it holds is where its own table of offsets says.
    pyarrow does not tell, and unpacks at once.
    """
    message = _offset(metadata, 0)
    batch = _field(metadata, message, 2)
    return batch is None or _field(metadata, _offset(metadata, batch), 3) is not None


def _field(metadata: bytes, table: int, number: int) -> int | None:
    """Return where a field of a table lies, or None if the table does not have it."""
    offsets = table - struct.unpack_from("<i", metadata, table)[0]
    if offsets < 0:
        raise struct.error("a table of offsets before the beginning")
    place = 4 + 2 * number
    if place + 2 > struct.unpack_from("<H", metadata, offsets)[0]:
        return None
    found = struct.unpack_from("<H", metadata, offsets + place)[0]
    return table + found if found else None


def _offset(metadata: bytes, place: int) -> int:
    return place + int(struct.unpack_from("<I", metadata, place)[0])
