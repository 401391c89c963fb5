"""Names that are unknown, and what was probably meant, found in a time that does not grow with the graph."""

from __future__ import annotations

import difflib
import unicodedata
from typing import TYPE_CHECKING, Any, Protocol, overload

import numpy as np

from nodeloom.errors import UnknownNodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from nodeloom.typing import NodeName, OffsetArray


class Names(Protocol):
    """What is asked of the names that there are; see :class:`nodeloom.io.vocabulary.Vocabulary`."""

    @property
    def is_text(self) -> bool:
        """Whether names are text, not integers."""

    @property
    def is_range(self) -> bool:
        """Whether they are 0 to N - 1."""

    def __len__(self) -> int: ...

    @overload
    def __getitem__(self, index: int) -> NodeName: ...
    @overload
    def __getitem__(self, index: slice) -> list[NodeName]: ...

    def find(self, names: Any, missing: int | None = None) -> OffsetArray:
        """Return the number of each name, or `missing`."""

    def to_arrow(self) -> pa.Array:
        """Return all of them."""


_LOOKED_AT = 1 << 20  # names from the first on: some 50 milliseconds
_COMPARED = 2000  # names compared letter by letter: some 50 milliseconds


def unknown_names(names: Names, unknown: pa.Array) -> UnknownNodeError:
    """Return the error that tells the first five unknown names, and what was probably meant."""
    count, shown = len(unknown), unknown[:5].to_pylist()
    got = f"{count:,} unknown name{'s' if count > 1 else ''}: {', '.join(map(_quoted, shown))}{', ...' if count > 5 else ''}"
    close = next((found for name in shown if names.is_text and (found := similar(names, str(name)))), [])
    hint = f". Did you mean {' or '.join(map(_quoted, close))}?" if close else ""
    return UnknownNodeError(f"expected names of nodes of the graph ({_described(names)}), got {got}{hint}")


def _described(names: Names) -> str:
    count = len(names)
    if count == 0:
        return "which has none"
    if names.is_range:
        return f"0 to {count - 1}"
    return "such as " + " and ".join(map(_quoted, names[:2]))


def _quoted(name: NodeName) -> str:
    text = repr(name)
    return text if len(text) <= 80 else f"{text[:60]}...{text[-1]}"


def similar(names: Names, name: str, most: int = 3) -> list[str]:
    """Return up to `most` names that look like `name`, the most similar first.

    Parameters
    ----------
    names : Vocabulary
        Text names. Of very many only the first million are looked at, except for other spellings of `name`, which are
        found wherever they are.
    name : str
        A name that is not among them.
    most : int
        How many.
    """
    spelt = list(dict.fromkeys(_spellings(name)))
    found = [text for text, node in zip(spelt, names.find(spelt, missing=-1), strict=True) if node >= 0]
    if not found and len(name) <= 200:
        candidates = _candidates(names.to_arrow()[:_LOOKED_AT], name)
        near = difflib.get_close_matches(name.lower(), list(candidates), n=most, cutoff=0.7)
        found = [candidates[text] for text in near]
    return found[:most]


def _spellings(name: str) -> Iterator[str]:
    """Yield other ways to write a name: in another case, without blanks at its ends, with other signs for blanks."""
    for text in (name, name.strip(), name.strip("\"'")):
        yield from (text, text.lower(), text.upper(), text.capitalize(), text.title())
        yield from (text.replace(" ", "_"), text.replace("_", " "), text.replace("-", "_"), text.replace("_", "-"))
        yield from (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))


def _candidates(array: pa.Array, name: str) -> dict[str, str]:
    """Return names of about the same length, those that begin alike first, by what they are in lower case."""
    import pyarrow as pa
    import pyarrow.compute as pc

    size, slack = len(name), max(2, len(name) // 4)
    length = pc.utf8_length(array)
    fits = pc.and_(pc.greater_equal(length, size - slack), pc.less_equal(length, size + slack))
    array = array.filter(fits)
    begins = np.asarray(pc.starts_with(array, name[:2], ignore_case=True), bool)
    order = np.concatenate([np.flatnonzero(begins)[:_COMPARED], np.flatnonzero(~begins)[:_COMPARED]])[:_COMPARED]
    return {text.lower(): text for text in reversed(array.take(pa.array(order)).to_pylist())}
