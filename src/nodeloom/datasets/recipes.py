"""What a registered data set is: its splits, and how the file of each is made."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from nodeloom.datasets import conversion

Convert = Callable[[list[Path], dict[str, Path]], None]
"""Turns downloaded files into the text files of one or more splits."""


@dataclasses.dataclass(frozen=True)
class Source:
    """A file on the network.

    Attributes
    ----------
    urls : tuple of str
        The same file at several places, tried in order.
    sha256 : str or None
        Its checksum; None where nobody has published one, and then it is said that the file is unverified.
    member : str or None
        The file inside a zip archive.
    """

    urls: tuple[str, ...]
    sha256: str | None = None
    member: str | None = None

    @property
    def file_name(self) -> str:
        """The name under which the file is kept."""
        return self.urls[0].rsplit("/", 1)[-1].split("?")[0]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How the text files of some splits are made.

    Attributes
    ----------
    splits : tuple of str
        Splits that come out of it together.
    sources : tuple of Source
        Files from the network.
    needs : tuple of str
        Splits of the same data set that are its input instead.
    convert : callable
        ``convert(inputs, outputs)``: paths of the inputs, and one path to write for each split.
    """

    splits: tuple[str, ...]
    sources: tuple[Source, ...] = ()
    needs: tuple[str, ...] = ()
    convert: Convert = conversion.copy_pairs


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A registered data set.

    Attributes
    ----------
    name, title : str
        Name in references and a line for people.
    recipes : tuple of Recipe
        How to make its splits.
    licence : str
        What is known about the right to use it.
    num_nodes, num_edges : int
        Published size; edges as listed in the file. Of a knowledge graph entities, and triples of all splits.
    packaged : bool
        Whether it comes with the package.
    aliases : dict
        Other names of splits, from older configurations.
    num_relations : int
        Relations of a knowledge graph; 0 for a graph of edges.
    """

    name: str
    title: str
    recipes: tuple[Recipe, ...]
    licence: str
    num_nodes: int
    num_edges: int
    packaged: bool = False
    aliases: dict[str, str] = dataclasses.field(default_factory=dict)
    num_relations: int = 0

    @property
    def splits(self) -> tuple[str, ...]:
        """All splits, in the order in which they are listed."""
        return tuple(split for recipe in self.recipes for split in recipe.splits)

    def recipe(self, split: str) -> Recipe | None:
        """Return the recipe that makes `split`, None if there is none."""
        return next((recipe for recipe in self.recipes if split in recipe.splits), None)
