"""Arrays of other libraries as NumPy arrays: tensors on any device, lists, masked arrays; and what cannot be one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError


def to_numpy(values: Any, where: str) -> npt.NDArray[Any]:
    """Return values in whatever form as a NumPy array, without a copy where that can be.

    Parameters
    ----------
    values : array, tensor on any device, or sequence
        What was given.
    where : str
        What it is, for the message.

    Raises
    ------
    DataError
        It is no dense array, its rows differ in length, or a value is masked.
    """
    if np.ma.isMaskedArray(values):
        if np.ma.is_masked(values):
            row = int(np.flatnonzero(np.ma.getmaskarray(values).reshape(len(values), -1).any(axis=1))[0])
            raise DataError(f"{where}: expected a value in every row, got a masked one in row {row}")
        return np.asarray(values)
    try:
        if hasattr(values, "detach"):
            values = values.detach().cpu()
            try:
                return values.numpy()
            except TypeError:  # a type of numbers that NumPy does not have, such as bfloat16
                return values.float().numpy()
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        reason = str(error).split(". ")[0].rstrip(".")
        raise DataError(f"{where}: expected an array, got {type(values).__name__}: {reason}") from None


def numbers(values: Any, where: str) -> npt.NDArray[Any]:
    """Return values as an array of integers, floats or bools; integers of any size, and decimals, become float64.

    Raises
    ------
    DataError
        A value is no number.
    """
    array = to_numpy(values, where)
    if array.dtype.kind == "O" and array.ndim == 1:
        result = np.empty(len(array))
        for row, value in enumerate(array):
            try:
                if isinstance(value, str | bytes):
                    raise TypeError
                result[row] = float(value)
            except (TypeError, ValueError):
                got = f"{value!r} of type {type(value).__name__}"
                raise DataError(f"{where}: expected numbers, got {got} in row {row}") from None
            except OverflowError:
                result[row] = np.inf
        return result
    if array.dtype.kind not in "iufb":
        raise DataError(f"{where}: expected numbers, got values of type {array.dtype}")
    return array
