"""How edges are written in a file: what the user says, and which formats there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from nodeloom.errors import ConfigError
from nodeloom.io.cells import COMMENT, DELIMITERS
from nodeloom.io.columns import choose_columns
from nodeloom.io.source import EDGES
from nodeloom.io.weights import check_weighted
from nodeloom.kernels.reference.tokens import cell_delimiter
from nodeloom.words import setting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nodeloom.typing import Auto

READERS: dict[str, str] = {
    "matrix-market": "matrix_market.read_matrix_market",
    "graphml": "markup.read_graphml",
    "gexf": "markup.read_gexf",
    "gml": "gml.read_gml",
    "pajek": "pajek.read_pajek",
    "metis": "metis.read_metis",
    "adjlist": "adjacency.read_adjlist",
    "multiline-adjlist": "adjacency.read_multiline_adjlist",
    "konect": "columns.read_konect",
    "ogb": "columns.read_ogb",
    "neo4j": "columns.read_neo4j",
}
"""Formats that are read, and the function in :mod:`nodeloom.io.formats` that reads each."""

FORMATS = ("auto", "edges", *READERS)
"""What the option `format` may be: "edges" is a list of edges whatever it looks like."""


@dataclass(frozen=True, slots=True)
class EdgeFormat:
    """How edges are written in a file; see :meth:`nodeloom.graph.Graph.from_file`.

    Raises
    ------
    ConfigError
        A value is not one of those allowed.
    """

    delimiters: str = DELIMITERS
    comment: str = COMMENT
    weighted: bool | Auto = "auto"
    columns: Sequence[str | int] | None = None
    encoding: str = "utf-8"
    format: str = "auto"
    directed: bool = False

    formats: ClassVar[Sequence[str]] = FORMATS
    readers: ClassVar[Mapping[str, str]] = READERS
    words: ClassVar[tuple[str, ...]] = ("head", "tail")
    what: ClassVar[str] = "an edge"
    content: ClassVar[str] = EDGES
    quotes: ClassVar[bool | Auto] = True

    @property
    def num_name(self) -> int:
        """Names in a line."""
        return len(self.words)

    def choose(self, available: Sequence[str], where: str) -> list[int]:
        """Return the positions of the columns of a table; see :func:`nodeloom.io.columns.choose_columns`."""
        return choose_columns(available, self.columns, self.weighted, where, self.num_name)

    def quoted(self, delimiters: str) -> bool:
        """Tell whether a cell may stand in quotes: with `quotes` "auto" unless only tabs stand between cells."""
        return cell_delimiter(delimiters) != "\t" if self.quotes == "auto" else bool(self.quotes)

    def __post_init__(self) -> None:
        if not isinstance(self.delimiters, str) or not self.delimiters.strip("\r\n"):
            raise ConfigError(
                f"{setting('format.delimiters')}: expected a string of the characters that delimit, got {self.delimiters!r}"
            )
        if not self.delimiters.isascii():
            raise ConfigError(f"{setting('format.delimiters')}: expected ASCII characters, got {self.delimiters!r}")
        if not isinstance(self.comment, str) or set(self.comment) & set(self.delimiters + "\r\n"):
            raise ConfigError(
                f"{setting('format.comment')}: expected a prefix without delimiters ('' for no comments), got {self.comment!r}"
            )
        check_weighted(self.weighted)
        if self.format not in self.formats:
            raise ConfigError(
                f"{setting('graph.format')}: expected one of {', '.join(self.formats)}, got {self.format!r}"
            )
        if self.columns is not None and (
            isinstance(self.columns, str)
            or len(self.columns) not in (self.num_name, self.num_name + 1)
            or not all(isinstance(c, str | int) and not isinstance(c, bool) for c in self.columns)
        ):
            raise ConfigError(
                "columns: expected the names, or the numbers, of "
                f"{'two or three' if self.num_name == 2 else 'three or four'} columns, got {self.columns!r}"
            )
