"""The known data sets: where each split comes from and what has to be done to it. Data only."""

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
        Published size; edges as listed in the file.
    packaged : bool
        Whether it comes with the package.
    aliases : dict
        Other names of splits, from older configurations.
    """

    name: str
    title: str
    recipes: tuple[Recipe, ...]
    licence: str
    num_nodes: int
    num_edges: int
    packaged: bool = False
    aliases: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def splits(self) -> tuple[str, ...]:
        """All splits, in the order in which they are listed."""
        return tuple(split for recipe in self.recipes for split in recipe.splits)

    def recipe(self, split: str) -> Recipe | None:
        """Return the recipe that makes `split`, None if there is none."""
        return next((recipe for recipe in self.recipes if split in recipe.splits), None)


_ASU = "uploads/1283153973/BlogCatalog-dataset.zip"
_BLOGCATALOG = (f"http://socialcomputing.asu.edu/{_ASU}", f"http://datasets.syr.edu/{_ASU}")
_MPI = "http://socialnetworks.mpi-sws.mpg.de/data"
_SNAP = "https://snap.stanford.edu/data/bigdata/communities"
_FRIENDSTER = Source((f"{_SNAP}/com-friendster.ungraph.txt.gz",))
_PLD = Source(("http://data.dws.informatik.uni-mannheim.de/hyperlinkgraph/2012-08/pld-arc.gz",))

_ALL = (
    Dataset(
        "lastfm_asia",
        "friendships between LastFM users in Asia, labelled with their country",
        (Recipe(("graph",)), Recipe(("label",))),
        "MIT (Rozemberczki and Sarkar); comes with the package",
        7_624,
        27_806,
        packaged=True,
    ),
    Dataset(
        "blogcatalog",
        "friendships between bloggers, labelled with their topics; splits for link prediction",
        (
            Recipe(("graph",), (Source(_BLOGCATALOG, member="BlogCatalog-dataset/data/edges.csv"),)),
            Recipe(("label",), (Source(_BLOGCATALOG, member="BlogCatalog-dataset/data/group-edges.csv"),)),
            Recipe(("train", "valid", "test"), needs=("graph",), convert=conversion.link_split((100, 1, 1))),
        ),
        "no licence stated (ASU Social Computing repository, Tang and Liu)",
        10_312,
        333_983,
    ),
    Dataset(
        "youtube",
        "friendships between YouTube users, labelled with the 47 largest groups",
        (
            Recipe(("graph",), (Source((f"{_MPI}/youtube-links.txt.gz",)),)),
            Recipe(
                ("label",),
                (Source((f"{_MPI}/youtube-groupmemberships.txt.gz",)),),
                convert=conversion.largest_groups(47),
            ),
        ),
        "no licence stated (MPI-SWS, Mislove et al. 2007)",
        1_138_499,
        4_945_382,
        aliases={"train": "graph"},
    ),
    Dataset(
        "flickr",
        "contacts between Flickr users, labelled with the 5 largest groups",
        (
            Recipe(("graph",), (Source((f"{_MPI}/flickr-links.txt.gz",)),)),
            Recipe(
                ("label",),
                (Source((f"{_MPI}/flickr-groupmemberships.txt.gz",)),),
                convert=conversion.largest_groups(5),
            ),
        ),
        "no licence stated (MPI-SWS, Mislove et al. 2007)",
        1_715_256,
        22_613_981,
        aliases={"train": "graph"},
    ),
    Dataset(
        "friendster",
        "friendships between Friendster users, labelled with the 100 largest of the top 5000 communities",
        (
            Recipe(("graph",), (_FRIENDSTER,)),
            Recipe(
                ("small_graph",),
                (_FRIENDSTER, Source((f"{_SNAP}/com-friendster.all.cmty.txt.gz",))),
                convert=conversion.induced_graph,
            ),
            Recipe(
                ("label",),
                (Source((f"{_SNAP}/com-friendster.top5000.cmty.txt.gz",)),),
                convert=conversion.largest_communities(100),
            ),
        ),
        "no licence stated (SNAP, Yang and Leskovec 2012)",
        65_608_366,
        1_806_067_135,
        aliases={"train": "graph", "small_train": "small_graph"},
    ),
    Dataset(
        "hyperlink2012",
        "hyperlinks between pay-level domains of the web; splits for link prediction",
        (Recipe(("pld_train", "pld_valid", "pld_test"), (_PLD,), convert=conversion.link_split((10000, 1, 1))),),
        "Common Crawl terms of use (Web Data Commons, Meusel et al. 2014)",
        42_889_799,
        623_056_313,
    ),
)

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in _ALL}
"""All registered data sets by name."""
