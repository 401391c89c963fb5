"""How triples are written in a file: what the user says, and which formats there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from nodeloom.errors import ConfigError
from nodeloom.io.edge_format import EdgeFormat
from nodeloom.io.source import TRIPLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nodeloom.typing import Auto

TRIPLE_READERS: dict[str, str] = {
    "n-triples": "ntriples.read_ntriples",
    "rdf": "rdf.read_rdf",
    "neo4j": "columns.read_neo4j",
}
"""Formats of triples, and the function in :mod:`nodeloom.io.formats` that reads each."""

TRIPLE_FORMATS = ("auto", "triples", *TRIPLE_READERS)
"""What the option `format` may be: "triples" is a table of triples whatever it looks like."""


@dataclass(frozen=True, slots=True)
class TripleFormat(EdgeFormat):
    """How triples are written in a file; see :meth:`nodeloom.graph.KnowledgeGraph.from_file`.

    Raises
    ------
    ConfigError
        A value is not one of those allowed.
    """

    quotes: bool | Auto = "auto"  # type: ignore[misc]
    literals: bool = False

    formats: ClassVar[Sequence[str]] = TRIPLE_FORMATS
    readers: ClassVar[Mapping[str, str]] = TRIPLE_READERS
    words: ClassVar[tuple[str, ...]] = ("head", "relation", "tail")
    what: ClassVar[str] = "a triple"
    content: ClassVar[str] = TRIPLES

    def __post_init__(self) -> None:
        EdgeFormat.__post_init__(self)
        if not (isinstance(self.quotes, bool) or self.quotes == "auto"):
            raise ConfigError(f"quotes: expected True, False or 'auto', got {self.quotes!r}")
