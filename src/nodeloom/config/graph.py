"""Sections ``format`` and ``graph``: how the edge file is written and what graph to make of it."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from nodeloom.config.section import Integer, Number, Section
from nodeloom.encoding import EXPECTED, text_codec
from nodeloom.errors import ConfigError

Name = str | int


class FormatConfig(Section):
    """How text files are written; holds for edge lists, labels and link files alike."""

    delimiters: Annotated[str, Field(min_length=1)] = Field(
        " \t\r\n",
        description="Characters that separate the columns. By default blanks and tabs, or a comma, semicolon, bar or tab alone, "
        "if the first lines show it.",
    )
    comment: str = Field(
        "#",
        description="A comment is a line, or the rest of one behind its columns, that begins so; empty: no comments.",
    )
    encoding: str = Field("utf-8", description="Encoding of text files, as Python calls it: utf-8, latin-1, ...")

    @field_validator("encoding")
    @classmethod
    def _known(cls, value: str) -> str:
        if text_codec(value) is None:
            raise ConfigError(EXPECTED)
        return value


class EdgesConfig(Section):
    """Edges: a list on disk (or, from Python and small files, in place)."""

    file_name: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (),
        description="Edge list: a path, several paths, or <dataset.split>. Each line is 'head tail [weight]'. Also "
        "CSV, TSV, Parquet, compressed text (.gz, .bz2, .xz, .zst) or a compiled graph. Of a word graph: text, a sentence a line.",
        json_schema_extra={"allowed": "a path or a list of paths"},
    )
    format: Literal[
        "auto",
        "edges",
        "matrix-market",
        "graphml",
        "gexf",
        "gml",
        "pajek",
        "metis",
        "adjlist",
        "multiline-adjlist",
        "konect",
        "ogb",
        "neo4j",
        "triples",
        "n-triples",
        "rdf",
    ] = Field(
        "auto",
        description="What the file is, where its first bytes do not tell. edges: a list of edges, whatever it looks like; triples: a table "
        "of triples.",
    )
    edge_list: tuple[tuple[Name, Name], ...] = Field((), description="Edges in place: [[head, tail], ...].")
    weighted_edge_list: tuple[tuple[Name, Name, Number], ...] = Field(
        (), description="Weighted edges in place: [[head, tail, weight], ...]."
    )
    as_undirected: bool = Field(
        True, description="Follow every edge both ways. Recommended: walks on a directed graph end at its sinks."
    )
    normalization: bool = Field(
        False, description="Divide every weight by the square root of the strengths of its two ends."
    )
    weighted: bool | Literal["auto"] = Field(
        "auto", description="Whether a third column holds weights. auto: it does if there is one."
    )
    duplicates: Literal["auto", "sum", "keep", "first", "max"] = Field(
        "auto",
        description="What to do with an edge listed twice. auto: sum the weights, or count it once if there are none.",
    )
    self_loops: Literal["keep", "drop"] = Field("keep", description="Whether an edge from a node to itself stays.")
    columns: tuple[str | int, ...] | None = Field(
        None,
        min_length=2,
        max_length=4,
        description="The head, tail and (optional) weight column: their names in the header, or their numbers from 1. Of triples head, "
        "relation, tail and weight.",
        json_schema_extra={"allowed": "a list of two to four names or numbers"},
    )

    @field_validator("file_name", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class GraphConfig(EdgesConfig):
    """The graph of edges, of triples, or of the words in a text."""

    quotes: bool | Literal["auto"] = Field(
        "auto",
        description="Triples: whether double quotes around a name are no part of it. auto: they are part of it where tabs separate.",
    )
    literals: bool = Field(
        False,
        description="Triples of RDF: whether a literal is an entity. If not, triples that end in one are left out.",
    )

    window: Annotated[Integer, Field(ge=1, le=1000)] = Field(
        5, description="Word graphs: words of a sentence that are at most so many words apart are a pair."
    )
    min_count: Annotated[Integer, Field(ge=1, lt=2**31)] = Field(
        5, description="Word graphs: words that are there less often are left out, as if they were not there."
    )
