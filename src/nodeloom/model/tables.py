"""The tables that a model learns, as data: what each is called, how large it is, and where its values begin."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Uniform:
    """Uniform random first values in [-scale, scale); row r is item r of a random stream.

    Attributes
    ----------
    key : int
        Key of the stream, from :func:`nodeloom.rng.stream`.
    scale : float
        Half the width of the range.
    """

    key: int
    scale: float


@dataclass(frozen=True)
class TableSpec:
    """A table to learn.

    Attributes
    ----------
    name : str
        Its name, in the engine and in files.
    num_rows, dim : int
        Rows, and values of each.
    init : Uniform or None
        First values; None for zeros.
    align : int
        A row is padded with zeros to a multiple of so many values.
    kind : str
        What its rows are: nodes, entities or relations.
    row_wise : bool
        Whether the optimizer keeps one value for a row, and not one for each value of it.
    """

    name: str
    num_rows: int
    dim: int
    init: Uniform | None = None
    align: int = 1
    kind: str = "node"
    row_wise: bool = False

    @property
    def row(self) -> int:
        """Values of a row, padding included."""
        return -(-self.dim // self.align) * self.align

    @property
    def moment(self) -> TableSpec:
        """The shape of what the optimizer keeps beside it."""
        return replace(self, dim=1, align=1) if self.row_wise else self
