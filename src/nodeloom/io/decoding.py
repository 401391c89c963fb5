"""Decoding: Arrow arrays of any layout, as those that the readers take."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def decoded(array: pa.Array) -> pa.Array:
    """Return an Arrow array without dictionary, runs and views, and with text that is not declared as text as text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = array.type
    if pa.types.is_run_end_encoded(kind):
        return decoded(pc.run_end_decode(array))
    if pa.types.is_dictionary(kind):
        # Views and the like cannot be taken by their indices.
        return pa.DictionaryArray.from_arrays(array.indices, decoded(array.dictionary)).dictionary_decode()
    if kind in (pa.string_view(), pa.binary_view(), pa.binary()) or pa.types.is_fixed_size_binary(kind):
        return array.cast(pa.large_string() if array.nbytes >= 2**31 else pa.string())
    return array.cast(pa.large_string()) if pa.types.is_large_binary(kind) else array
