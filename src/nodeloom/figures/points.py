"""The points of a map and what is known of them, checked once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, describe
from nodeloom.io.finite import first_not_finite

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nodeloom.typing import FloatArray

UNKNOWN = -1
"""The class of a point without a label."""


@dataclass(frozen=True)
class MapPoints:
    """Points of a map. Make one with :meth:`of`.

    Attributes
    ----------
    coordinates : float32 [N, 2 or 3]
        Where the points are.
    names : list of str or None
        What they are called.
    classes : int32 [N] or None
        The class of each, from 0 in the order of `class_names`; -1 is unknown.
    class_names : tuple of str
        What the classes are called.
    numbers : dict of float32 [N]
        Numbers of the points by what they are called, for colours: degrees, times.
    edges : int64 [E, 2] or None
        Pairs of points.
    title : str
        Title of the picture.
    """

    coordinates: FloatArray
    names: list[str] | None
    classes: npt.NDArray[np.int32] | None
    class_names: tuple[str, ...]
    numbers: dict[str, FloatArray]
    edges: npt.NDArray[np.int64] | None
    title: str

    def __len__(self) -> int:
        return len(self.coordinates)

    @property
    def dim(self) -> int:
        """2 or 3."""
        return int(self.coordinates.shape[1])

    @classmethod
    def of(
        cls,
        coordinates: npt.ArrayLike,
        *,
        names: Iterable[object] | None = None,
        labels: Iterable[object] | None = None,
        numbers: Mapping[str, npt.ArrayLike] | None = None,
        edges: npt.ArrayLike | None = None,
        title: str = "",
    ) -> MapPoints:
        """Check the points of a map.

        Parameters
        ----------
        coordinates : array_like, float [N, 2 or 3]
            Where the points are.
        names : iterable of N, optional
            What they are called.
        labels : iterable of N, optional
            The class of each; None, NaN and "" are unknown. Classes are in the order of their numbers if all are integers, else of
            their names.
        numbers : mapping of array_like [N], optional
            Numbers by name, to colour points by; NaN is drawn as the smallest number.
        edges : array_like, int [E, 2], optional
            Pairs of positions of points.
        title : str
            Title of the picture.

        Raises
        ------
        DataError
            Coordinates that are no finite numbers in two or three columns; another number of names, labels or numbers than of
            points; an edge to a point that is not there.
        """
        try:
            places = np.asarray(coordinates, dtype=np.float32)
        except (TypeError, ValueError):
            got = type(coordinates).__name__
            raise DataError(describe("coordinates", expected="numbers [N, 2 or 3]", got=got)) from None
        if places.ndim != 2 or places.shape[1] not in (2, 3):
            raise DataError(describe("coordinates", expected="numbers [N, 2 or 3]", got=f"shape {list(places.shape)}"))
        wrong = first_not_finite(places)
        if wrong is not None:
            got = f"{wrong[1]} for point {wrong[0]}"
            raise DataError(describe("coordinates", expected="finite numbers", got=got, hint="Make the map again."))
        count = len(places)
        called = None if names is None else [str(name) for name in names]
        _check_count("names", called, count)
        classes: npt.NDArray[np.int32] | None = None
        class_names: tuple[str, ...] = ()
        if labels is not None:
            given = list(labels)
            _check_count("labels", given, count)
            classes, class_names = _classes(given)
        columns: dict[str, Any] = {}
        for key, values in (numbers or {}).items():
            column = np.asarray(values, dtype=np.float32)
            if column.shape != (count,):
                got = f"shape {list(column.shape)}"
                raise DataError(describe(f"numbers {key!r}", expected=f"one for each of {count:,} points", got=got))
            columns[str(key)] = column
        pairs = None
        if edges is not None:
            pairs = np.asarray(edges).reshape(-1, 2).astype(np.int64)
            if pairs.size and not (pairs.min() >= 0 and pairs.max() < count):
                wrong_end = int(pairs.min()) if pairs.min() < 0 else int(pairs.max())
                raise DataError(describe("edges", expected=f"points from 0 to {count - 1}", got=wrong_end))
        return cls(places, called, classes, class_names, columns, pairs, title)

    def counts(self) -> npt.NDArray[np.int64]:
        """Return the number of points of each class, int64 [C]."""
        known = self.classes[self.classes >= 0] if self.classes is not None else np.empty(0, np.int32)
        return np.bincount(known, minlength=len(self.class_names))


def _check_count(what: str, values: list[Any] | None, count: int) -> None:
    if values is not None and len(values) != count:
        raise DataError(describe(what, expected=f"one for each of {count:,} points", got=f"{len(values):,}"))


def _classes(labels: list[Any]) -> tuple[npt.NDArray[np.int32], tuple[str, ...]]:
    texts = [_text(label) for label in labels]
    found = {text for text in texts if text}
    integers = all(text.lstrip("-").isdecimal() for text in found)
    names = tuple(sorted(found, key=int) if integers else sorted(found, key=_natural))
    position = {name: number for number, name in enumerate(names)} | {"": UNKNOWN}
    return np.array([position[text] for text in texts], dtype=np.int32), names


def _natural(text: str) -> tuple[list[str | int], str]:
    """Return what puts group 10 behind group 9."""
    parts = re.split(r"([0-9]{1,18})", text)
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], text


def _text(label: Any) -> str:
    if label is None or (isinstance(label, float | np.floating) and np.isnan(label)):
        return ""
    if isinstance(label, float | np.floating) and float(label).is_integer():
        return str(int(label))
    return str(label)
