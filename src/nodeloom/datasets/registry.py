"""The known data sets: where each split comes from and what has to be done to it. Data only."""

from __future__ import annotations

from nodeloom.datasets import conversion
from nodeloom.datasets.knowledge_graphs import KNOWLEDGE_GRAPHS
from nodeloom.datasets.recipes import Dataset, Recipe, Source

__all__ = ["DATASETS", "Dataset", "Recipe", "Source"]

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

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in (*_ALL, *KNOWLEDGE_GRAPHS)}
"""All registered data sets by name."""
