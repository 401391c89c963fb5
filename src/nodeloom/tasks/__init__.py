"""Judging and searching vectors: pure functions from arrays to frozen results."""

from nodeloom.tasks.classification import ClassificationScore, NodeClassification, node_classification
from nodeloom.tasks.control import random_control, shuffled_control
from nodeloom.tasks.knowledge import TripleRanking, triple_ranking
from nodeloom.tasks.links import LinkPrediction, filter_pairs, link_prediction, score_pairs
from nodeloom.tasks.maps import MapQuality, graph_map_quality, map_quality
from nodeloom.tasks.negatives import sample_negatives
from nodeloom.tasks.neighbors import nearest
from nodeloom.tasks.splits import LinkSplit, find_leaks, split_edges
from nodeloom.tasks.tables import node_vectors
from nodeloom.tasks.triple_leaks import RelationPair, TripleLeaks, triple_leaks
from nodeloom.tasks.triple_splits import TripleSplit, split_triples
from nodeloom.tasks.true_triples import TripleClassification, triple_classification

__all__ = [
    "ClassificationScore",
    "LinkPrediction",
    "LinkSplit",
    "MapQuality",
    "NodeClassification",
    "RelationPair",
    "TripleClassification",
    "TripleLeaks",
    "TripleRanking",
    "TripleSplit",
    "filter_pairs",
    "find_leaks",
    "graph_map_quality",
    "link_prediction",
    "map_quality",
    "nearest",
    "node_classification",
    "node_vectors",
    "random_control",
    "sample_negatives",
    "score_pairs",
    "shuffled_control",
    "split_edges",
    "split_triples",
    "triple_classification",
    "triple_leaks",
    "triple_ranking",
]
