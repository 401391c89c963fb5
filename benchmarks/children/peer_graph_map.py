"""A map of a graph by another library at its defaults: igraph's DrL, ForceAtlas2, sfdp of Graphviz, or UMAP of given node vectors."""

import os
import warnings

import numpy as np
from child import Stopwatch, answer, peak_bytes, request, reset_peak

warnings.filterwarnings("ignore")
asked = request()
with np.load(asked["graph"]) as archive:
    count, edges = int(archive["num_nodes"]), archive["edges"].astype(np.int64)


def drl():
    """DrL (Martin et al. 2011) as igraph has it."""
    import random

    import igraph

    random.seed(0)  # igraph draws from it
    return np.asarray(igraph.Graph(n=count, edges=edges).layout_drl().coords)


def forceatlas2():
    """ForceAtlas2 (Jacomy et al. 2014), compiled, with Barnes-Hut and 200 iterations."""
    import fa2
    from scipy.sparse import coo_matrix

    ones = np.ones(len(edges))
    one_way = coo_matrix((ones, (edges[:, 0], edges[:, 1])), shape=(count, count))
    adjacency = (one_way + one_way.T).tolil()
    return np.asarray(fa2.ForceAtlas2(verbose=False, seed=0).forceatlas2(adjacency, iterations=200))


def sfdp():
    """Hu's multilevel layout of Graphviz; overlaps of labels, which a map has none of, are left."""
    import pygraphviz

    graph = pygraphviz.AGraph(strict=True)
    graph.graph_attr.update(overlap="true", splines="false", start="0")
    graph.add_nodes_from(range(count))
    graph.add_edges_from(edges.tolist())
    graph.layout("sfdp")
    return np.array([[float(x) for x in graph.get_node(i).attr["pos"].split(",")] for i in range(count)])


def umap():
    """UMAP of the vectors, by cosine."""
    import umap

    return umap.UMAP(metric="cosine", n_jobs=asked["num_thread"]).fit_transform(np.load(asked["vectors"]))


run = {"drl": drl, "forceatlas2": forceatlas2, "sfdp": sfdp, "umap_vectors": umap}[asked["peer"]]
reset_peak()
with Stopwatch() as watch:
    found = run()
of_programs = os.times().children_user + os.times().children_system  # sfdp is a program of its own
np.save(asked["map"], np.ascontiguousarray(found))
answer(stages={"whole": (watch.cpu_seconds + of_programs, watch.seconds)}, peak_bytes=peak_bytes())
