"""Data sets by reference: ``<blogcatalog.graph>`` is a file, fetched and converted when first asked for."""

from __future__ import annotations

from nodeloom.datasets.generators import planted_partition, planted_partition_edges
from nodeloom.datasets.references import Listing, is_reference, list_datasets, load_lastfm_asia, located, resolve
from nodeloom.datasets.registry import DATASETS, Dataset, Recipe, Source

__all__ = [
    "DATASETS",
    "Dataset",
    "Listing",
    "Recipe",
    "Source",
    "is_reference",
    "list_datasets",
    "load_lastfm_asia",
    "located",
    "planted_partition",
    "planted_partition_edges",
    "resolve",
]
