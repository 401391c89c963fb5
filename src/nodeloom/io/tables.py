"""Edges in tables with columns of types: Parquet, Arrow files, and tables in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, describe
from nodeloom.io.collector import EdgeCollector
from nodeloom.io.decoding import decoded
from nodeloom.io.edge_format import EdgeFormat
from nodeloom.io.triples import check_filled
from nodeloom.io.vocabulary import name_array, plain
from nodeloom.io.weights import check_weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pandas
    import pyarrow as pa

    from nodeloom.io.columns import EdgeColumns
    from nodeloom.io.source import Source
    from nodeloom.io.triples import TripleCollector
    from nodeloom.typing import Auto

_BATCH = 1 << 18
_BUFFER = 1 << 22  # bytes of a column of a Parquet file that are read at a time


def read_table(
    table: Any, columns: Sequence[str | int] | None = None, weighted: bool | Auto = "auto", where: str = "table"
) -> EdgeColumns:
    """Return the edges of a table in memory; see :func:`collect_table`."""
    collector = EdgeCollector()
    collect_table(table, collector, EdgeFormat(weighted=weighted, columns=columns), where)
    return collector.finish()


def collect_table(
    table: Any, collector: EdgeCollector | TripleCollector, form: EdgeFormat, where: str = "table"
) -> None:
    """Hand the edges, or triples, of a table in memory to a collector.

    Parameters
    ----------
    table : pyarrow.Table, RecordBatch, RecordBatchReader, or any object with the Arrow C stream
        Any is polars, DuckDB and more. Columns of heads and tails (text or integers), and of weights.
    collector : EdgeCollector or TripleCollector
        Takes them.
    form : EdgeFormat
        Its columns and whether there are weights.
    where : str
        What the table is, for messages.

    Raises
    ------
    DataError
        It is no such table, a column is missing, or a value is missing or wrong.
    """
    import pyarrow as pa

    if isinstance(table, pa.RecordBatch):
        table = pa.Table.from_batches([table])
    if isinstance(table, pa.Table):
        reader = table.to_reader(_BATCH)
    elif isinstance(table, pa.RecordBatchReader):
        reader = table
    elif hasattr(table, "__arrow_c_stream__"):
        reader = pa.RecordBatchReader.from_stream(table)
    elif hasattr(table, "to_arrow"):
        reader = table.to_arrow().to_reader(_BATCH)
    else:
        raise DataError(f"{where}: expected an Arrow table, got {type(table).__name__}")
    chosen = form.choose(reader.schema.names, where)
    try:
        collect_batches((batch.select(chosen) for batch in reader), collector, where, num_name=form.num_name)
    except pa.ArrowException as error:
        raise DataError(f"{where}: expected sound columns, got: {' '.join(str(error).split())}") from None
    if not collector.num_edges:
        raise DataError(f"{where}: expected {'edges' if form.num_name == 2 else 'triples'}, got a table without rows")


def arrow_of_pandas(frame: pandas.DataFrame, form: EdgeFormat) -> pa.Table:
    """Return the columns of edges, or triples, of a pandas data frame as an Arrow table.

    Raises
    ------
    DataError
        It is no data frame, a column is missing, or one mixes text and numbers in a way that Arrow does not take.
    """
    import pyarrow as pa

    if not (hasattr(frame, "columns") and hasattr(frame, "iloc")):
        raise DataError(f"frame: expected a pandas data frame, got {type(frame).__name__}")
    names = [str(name) for name in frame.columns]
    arrays = []
    chosen = form.choose(names, "frame")
    for i, position in enumerate(chosen):
        column = frame.iloc[:, position]
        try:
            array = pa.array(column, from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, ValueError, OverflowError) as error:
            # Objects that Arrow does not take together: text beside integers, integers beyond 64 bits.
            try:
                array = pa.array(column.astype("float64")) if i == form.num_name else name_array(column.tolist())
            except (TypeError, ValueError, OverflowError):
                reason = " ".join(str(error).split())
                raise DataError(
                    f"frame: expected column {names[position]!r} to be of one type, got: {reason}"
                ) from None
        arrays.append(array)
    return pa.table(arrays, names=[names[position] for position in chosen])


def collect_batches(
    batches: Iterable[pa.RecordBatch],
    collector: EdgeCollector | TripleCollector,
    where: str,
    first_row: int = 0,
    num_name: int = 2,
) -> None:
    """Hand batches of columns (as many of names as `num_name` says, perhaps weights) to a collector.

    Raises
    ------
    DataError
        A value is missing, a name is neither text nor an integer, or a weight is not positive and finite.
    """
    row = first_row
    for batch in batches:
        if not batch.num_rows:
            continue
        # Offsets, indices of dictionaries and text are used unchecked later on.
        batch.validate(full=True)
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if column.null_count:
                at = row + int(np.flatnonzero(np.asarray(column.is_null()))[0])
                raise DataError(f"{where}: expected a value in every row of column {name!r}, got none in row {at}")
        names = [_names(batch, i, where) for i in range(num_name)]
        if num_name == 3:
            for name, array in zip(batch.schema.names, names, strict=False):
                check_filled(array, f"{where}: column {name!r}", row)
        weights = None
        if batch.num_columns > num_name:
            values = _weights(batch.column(num_name), f"{where}: column {batch.schema.names[num_name]!r}", row)
            weights = check_weights(values, batch.num_rows, where=where, first_row=row, zero=num_name == 3)
        collector.add_arrow(*names, weights=weights)
        row += batch.num_rows


def _names(batch: pa.RecordBatch, i: int, where: str) -> pa.Array:
    import pyarrow as pa

    try:
        return plain(batch.column(i))
    except (DataError, pa.ArrowException) as error:
        reason = "" if isinstance(error, DataError) else f" ({' '.join(str(error).split())})"
        raise DataError(
            f"{where}: expected names as text or integers in column {batch.schema.names[i]!r}, "
            f"got values of type {batch.column(i).type}{reason}. Convert the column first."
        ) from None


def _weights(column: pa.Array, where: str, row: int) -> npt.NDArray[Any]:
    import pyarrow as pa

    column = decoded(column)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        try:
            return column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            # Cell by cell: blanks are stripped, and the error names the first cell that is not a number.
            values = np.empty(len(column), np.float64)
            for i, text in enumerate(column.to_pylist()):
                try:
                    values[i] = float(text)
                except ValueError:
                    raise DataError(
                        describe(f"{where}, row {row + i}", expected="a number as the weight", got=text)
                    ) from None
            return values
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise DataError(f"{where}: expected numbers as weights, got values of type {column.type}")
    return column.to_numpy(zero_copy_only=False)


def read_table_file(source: Source, collector: EdgeCollector | TripleCollector, form: EdgeFormat) -> None:
    """Hand the edges of a Parquet or Arrow file to a collector.

    Raises
    ------
    DataError
        The file is damaged, a column is missing, or a value is missing or wrong.
    """
    import pyarrow as pa

    try:
        batches = {"parquet": _parquet, "arrow": _arrow, "arrow stream": _arrow_stream}[source.kind](source, form)
        collect_batches(batches, collector, source.name, first_row=1, num_name=form.num_name)
    except (pa.ArrowException, OSError, UnicodeError, MemoryError) as error:  # a damaged file asks for any size
        if isinstance(error, DataError):
            raise
        kinds = {
            "parquet": "a whole Parquet file",
            "arrow": "a whole Arrow file",
            "arrow stream": "a whole Arrow stream",
        }
        raise DataError(f"{source.name}: expected {kinds[source.kind]}, got: {' '.join(str(error).split())}") from None


def _seekable(source: Source) -> Any:
    """Return the stream, or its content where it cannot be read out of order."""
    import pyarrow as pa

    return source.stream if source.stream.seekable() else pa.BufferReader(source.stream.read())


def _parquet(source: Source, form: EdgeFormat) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    # A buffer for each column, else whole columns are read before the first row is there.
    file = pq.ParquetFile(_seekable(source), buffer_size=_BUFFER, pre_buffer=False)
    names = file.schema_arrow.names
    chosen = [names[i] for i in form.choose(names, source.name)]
    for batch in file.iter_batches(_BATCH, columns=chosen):
        yield batch.select(chosen)


def _arrow(source: Source, form: EdgeFormat) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    file = pa.ipc.open_file(_seekable(source))
    yield from _parts(file.schema, (file.get_batch(i) for i in range(file.num_record_batches)), source, form)


def _arrow_stream(source: Source, form: EdgeFormat) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    reader = pa.ipc.open_stream(pa.PythonFile(source.stream, "r"))
    yield from _parts(reader.schema, reader, source, form)


def _parts(
    schema: pa.Schema, batches: Iterable[pa.RecordBatch], source: Source, form: EdgeFormat
) -> Iterator[pa.RecordBatch]:
    chosen = form.choose(schema.names, source.name)
    for batch in batches:
        for start in range(0, batch.num_rows, _BATCH):
            yield batch.select(chosen).slice(start, _BATCH)


def as_integers(column: pa.Array) -> pa.Array | None:
    """Return text as int64 where every value is exactly what an integer is written like, else None."""
    import pyarrow as pa

    try:
        values = column.cast(pa.int64())
    except pa.ArrowInvalid:
        return None
    return values if values.cast(column.type).equals(column) else None
