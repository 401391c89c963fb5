"""Vocabulary: the names of the nodes, and the way back from a name to its node."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, describe
from nodeloom.io.decoding import decoded
from nodeloom.io.unknown_names import unknown_names

if TYPE_CHECKING:
    import pyarrow as pa

    from nodeloom.typing import NodeName, OffsetArray

_INT64 = (-(2**63), 2**63 - 1)
_PART = 1 << 20


class Vocabulary:
    """The names of N nodes in node order: text, integers, or the implicit numbers 0 to N - 1.

    Make one with :meth:`range`, :meth:`from_names` or :meth:`from_arrow`. Names are unique and never change. The
    index that finds names is built at the first search: a hash table of about 20 bytes a name for text, a sorted
    order for integers (nothing where they are sorted already), nothing for a range.

    Examples
    --------
    >>> names = Vocabulary.from_names(["ann", "bob", "eve"])
    >>> names[1], len(names), "eve" in names
    ('bob', 3, True)
    >>> names.find(["eve", "ann"])
    array([2, 0])
    """

    __slots__ = ("_array", "_count", "_index")

    def __init__(self, array: pa.Array | None, count: int) -> None:
        self._array = array
        self._count = count
        self._index: tuple[Any, ...] | None = None

    @classmethod
    def range(cls, count: int) -> Vocabulary:
        """Return the names 0 to ``count - 1``, which take no memory."""
        return cls(None, operator.index(count))

    @classmethod
    def from_names(cls, names: Iterable[NodeName]) -> Vocabulary:
        """Return a vocabulary of `names`: integers if all of them are, else text (integers among text are written out).

        Raises
        ------
        DataError
            A name is given twice, or is neither text nor an integer.
        """
        return cls.from_arrow(name_array(names))

    @classmethod
    def from_arrow(cls, array: pa.Array | pa.ChunkedArray, *, check: bool = True) -> Vocabulary:
        """Return a vocabulary of the names in an Arrow array of any string or integer type.

        Parameters
        ----------
        array : pyarrow.Array or pyarrow.ChunkedArray
            The names; 0, 1, 2, ... become a range.
        check : bool
            Whether to look for duplicates; leave it out only for names that are known to be unique.

        Raises
        ------
        DataError
            A name is null, given twice, or neither text nor an integer.
        """
        import pyarrow as pa

        array = plain(array)
        if array.null_count:
            where = int(np.flatnonzero(np.asarray(array.is_null()))[0])
            raise DataError(f"names: expected a name for every node, got none for node {where}")
        if array.type == pa.int64():
            values = array.to_numpy()
            if len(values) == 0 or (
                values[0] == 0 and values[-1] == len(values) - 1 and bool((np.diff(values) == 1).all())
            ):
                return cls.range(len(values))
        vocabulary = cls(array, len(array))
        if check:
            vocabulary._search_index()
        return vocabulary

    @property
    def is_range(self) -> bool:
        """Whether the names are the node numbers themselves, 0 to N - 1."""
        return self._array is None

    @property
    def is_text(self) -> bool:
        """Whether the names are text, not integers."""
        import pyarrow as pa

        return self._array is not None and self._array.type != pa.int64()

    @property
    def nbytes(self) -> int:
        """Bytes that the names take in memory, without the index."""
        return 0 if self._array is None else self._array.nbytes

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, node: int) -> NodeName: ...
    @overload
    def __getitem__(self, node: slice) -> list[NodeName]: ...
    def __getitem__(self, node: int | slice) -> NodeName | list[NodeName]:
        if isinstance(node, slice):
            return self.to_arrow()[node].to_pylist() if self._array is not None else list(range(self._count)[node])
        i = range(self._count)[node]  # negative numbers and IndexError as everywhere
        return i if self._array is None else self._array[i].as_py()

    def __iter__(self) -> Iterator[NodeName]:
        if self._array is None:
            yield from range(self._count)
            return
        for start in range(0, self._count, 65536):
            yield from self._array[start : start + 65536].to_pylist()

    def __contains__(self, name: object) -> bool:
        if isinstance(name, bool) or not isinstance(name, str | bytes | int | np.integer):
            return False
        return bool(self.find(name_array(name), missing=-1)[0] >= 0)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        if self._array is None or other._array is None:
            return self._array is other._array and self._count == other._count
        if self.is_text and other.is_text and self._array.type != other._array.type:
            return self._array.cast("large_string").equals(other._array.cast("large_string"))
        return self._array.equals(other._array)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        if self._array is None:
            return f"Vocabulary.range({self._count})"
        shown = ", ".join(map(repr, self[:3]))
        return f"Vocabulary([{shown}{', ...' if self._count > 3 else ''}], {self._count:,} names)"

    def __reduce__(self) -> tuple[Any, ...]:
        return Vocabulary, (self._array, self._count)

    def take(self, nodes: Sequence[int] | npt.NDArray[np.integer[Any]]) -> list[NodeName]:
        """Return the names of `nodes`."""
        if self._array is None:
            return [range(self._count)[int(i)] for i in nodes]
        import pyarrow as pa

        return self._array.take(pa.array(np.asarray(nodes, np.int64))).to_pylist()

    def to_list(self) -> list[NodeName]:
        """Return all names in node order."""
        return list(self)

    def to_arrow(self) -> pa.Array:
        """Return all names as an Arrow array: string, large_string, or int64."""
        if self._array is not None:
            return self._array
        import pyarrow as pa

        return pa.array(np.arange(self._count, dtype=np.int64))

    def to_bytes(self) -> pa.Buffer:
        """Return the names as an Arrow IPC stream."""
        import pyarrow as pa

        from nodeloom.io.name_stream import write_stream

        sink = pa.BufferOutputStream()
        write_stream(self.to_arrow(), sink)
        return sink.getvalue()

    @classmethod
    def from_bytes(cls, data: npt.NDArray[np.uint8] | bytes | pa.Buffer, count: int, kind: str = "node") -> Vocabulary:
        """Return the `count` names in an Arrow IPC stream as :meth:`to_bytes` gives it; they stay in the memory of `data`.

        `kind` says in messages what the names are of.

        Raises
        ------
        ValueError
            It is not such a stream.
        """
        from nodeloom.io.name_stream import read_stream

        return cls.from_arrow(read_stream(data, count, kind), check=False)

    def find(self, names: Iterable[NodeName] | npt.NDArray[Any], missing: int | None = None) -> OffsetArray:
        """Return the node of each name.

        Parameters
        ----------
        names : iterable of str or int, NumPy array, or Arrow array
            Integers written as text find integer names, and integers find names that are these digits as text.
        missing : int, optional
            The value for names that are not here; without it they are an error.

        Returns
        -------
        int64 [k]

        Raises
        ------
        UnknownNodeError
            Names are unknown and `missing` is not given; the first five are told.
        """
        queries = name_array(names)
        if queries.null_count:
            raise DataError("names to find: expected text or integers, got null")
        found = self._find_text(queries) if self.is_text else self._find_integers(queries)
        absent = found < 0
        if absent.any():
            if missing is None:
                import pyarrow as pa

                raise unknown_names(self, queries.filter(pa.array(absent)))
            found[absent] = missing
        return found

    def _find_integers(self, queries: pa.Array) -> OffsetArray:
        values, usable = _integers(queries)
        if self._array is None:
            return np.where(usable & (values >= 0) & (values < self._count), values, -1)
        ordered, order = self._search_index()
        if not len(ordered):
            return np.full(len(values), -1, np.int64)
        place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
        hit = usable & (ordered[place] == values)
        return np.where(hit, place if order is None else order[place], -1).astype(np.int64)

    def _find_text(self, queries: pa.Array) -> OffsetArray:
        from nodeloom.kernels.cpu import names as kernels

        table, offsets, arena = self._search_index()
        starts, text = text_buffers(queries)
        found = np.empty(len(queries), np.int64)
        # The start of a token has 31 bits: long lists of queries are looked up in parts.
        for first in range(0, len(queries), _PART):
            part = starts[first : first + _PART + 1]
            tokens = ((part[:-1] - part[0]) << 32 | np.diff(part)).reshape(1, -1)
            out = np.empty(tokens.shape, np.int32)
            kernels.find_text(text[part[0] :], tokens, 0, tokens.shape[1], table, offsets, arena, out)
            found[first : first + _PART] = out[0]
        return found

    def _search_index(self) -> tuple[Any, ...]:
        if self._index is not None:
            return self._index
        assert self._array is not None
        if self.is_text:
            from nodeloom.io.interning import table_size
            from nodeloom.kernels.cpu import names as kernels

            offsets, arena = text_buffers(self._array)
            table = np.zeros(table_size(self._count), np.int64)
            again = kernels.index_text(offsets, arena, self._count, table)
            if again >= 0:  # where nobody checked, a forged file
                raise _duplicate(self[again])
            self._index = (table, offsets, arena)
            return self._index
        values = self._array.to_numpy()
        if bool((values[1:] > values[:-1]).all()):
            self._index = (values, None)
            return self._index
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        same = np.flatnonzero(ordered[1:] == ordered[:-1])
        if len(same):
            raise _duplicate(int(ordered[same[0]]))
        self._index = (ordered, order)
        return self._index


def _duplicate(name: NodeName) -> DataError:
    return DataError(f"names: expected each name once, got {name!r} twice. Rename one of the nodes, or merge them.")


def plain(array: Any) -> pa.Array:
    """Turn an Arrow array of any string or integer type into one string, large_string or int64 array."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(array, pa.ChunkedArray):
        # Two chunks of strings may hold more bytes together than the 2^31 of a string array.
        if pa.types.is_string(array.type) and array.num_chunks > 1 and array.nbytes >= 2**31:
            array = array.cast(pa.large_string())
        array = array.combine_chunks()
        if isinstance(array, pa.ChunkedArray):
            array = array.chunk(0) if array.num_chunks else pa.array([], array.type)
    array = decoded(array)
    kind = array.type
    if pa.types.is_uint64(kind):
        largest = pc.max(array).as_py()
        return array.cast(pa.int64() if largest is None or largest <= _INT64[1] else pa.string())
    if pa.types.is_integer(kind):
        return array.cast(pa.int64())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return array
    if pa.types.is_decimal(kind):
        # Of databases: whole numbers of any length. Others are refused by the cast.
        try:
            return array.cast(pa.int64())
        except pa.ArrowInvalid:
            return array.cast(pa.decimal256(76, 0)).cast(pa.string())
    if pa.types.is_null(kind) and len(array) == 0:
        return array.cast(pa.int64())
    raise DataError(f"names: expected text or integers, got values of type {kind}. Convert them to strings first.")


def name_array(names: Any) -> pa.Array:
    """Turn names of any accepted kind into one string, large_string or int64 array."""
    import pyarrow as pa

    if isinstance(names, Vocabulary):
        return names.to_arrow()
    if isinstance(names, pa.Array | pa.ChunkedArray):
        return plain(names)
    if isinstance(names, str | bytes | int | np.integer):
        return name_array([names])
    if isinstance(names, np.ndarray) and names.dtype.kind in "iu":
        return plain(pa.array(np.ascontiguousarray(names).ravel()))
    if not isinstance(names, Iterable):
        raise DataError(describe("names", expected="text or integers", got=names))
    items = names.ravel().tolist() if isinstance(names, np.ndarray) else list(names)
    kinds = set(map(type, items))
    if all(issubclass(k, int | np.integer) and k is not bool for k in kinds):
        if all(_INT64[0] <= i <= _INT64[1] for i in items):
            return pa.array([int(i) for i in items], pa.int64())
        return pa.array([str(int(i)) for i in items], pa.string())
    for kind in kinds:
        if kind is bool or not issubclass(kind, str | bytes | int | np.integer):
            item = next(item for item in items if type(item) is kind)
            raise DataError(
                f"names: expected text or integers, got {item!r} of type {kind.__name__}. "
                "Convert the names to strings first."
            )
    try:
        if kinds != {str}:
            items = [item.decode() if isinstance(item, bytes) else str(item) for item in items]
        return plain(pa.array(items, pa.string()))
    except (
        UnicodeEncodeError,
        UnicodeDecodeError,
    ) as error:  # bytes of another encoding, or what errors="surrogateescape" makes of these
        raise DataError(f"names: expected text in UTF-8, got {error.object!r}. Decode the names as they are.") from None


def _integers(queries: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return queries as int64, and which of them are integers (text: the digits that an integer is written with)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if queries.type == pa.int64():
        return queries.to_numpy(), np.ones(len(queries), np.bool_)
    written = pc.match_substring_regex(queries, r"^(0|-?[1-9][0-9]{0,18})$")
    # Nineteen digits may still pass the largest int64.
    longest = pc.if_else(pc.greater(pc.binary_length(queries), 18), written, pa.scalar(False))
    usable = np.asarray(written).astype(np.bool_)
    for i in np.flatnonzero(np.asarray(longest)):
        usable[i] = _INT64[0] <= int(queries[int(i)].as_py()) <= _INT64[1]
    values = pc.if_else(pa.array(usable), queries, pa.scalar("0", queries.type)).cast(pa.int64())
    return np.asarray(values), usable


def text_buffers(array: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Return the int64 offsets [n + 1] and the read-only bytes of a text array (integers are written out)."""
    import pyarrow as pa

    if array.type == pa.int64():
        array = array.cast(pa.string())
    _, offset_buffer, data_buffer = array.buffers()
    width = np.dtype(np.int64 if pa.types.is_large_string(array.type) else np.int32)
    if offset_buffer is None or len(array) == 0:
        offsets = np.zeros(len(array) + 1, np.int64)
    else:
        offsets = np.frombuffer(offset_buffer, width, len(array) + 1, array.offset * width.itemsize).astype(np.int64)
    data = (
        np.frombuffer(data_buffer, np.uint8) if data_buffer is not None and data_buffer.size else np.zeros(1, np.uint8)
    )
    data.flags.writeable = False
    return offsets, data
