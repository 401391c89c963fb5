"""What is no text of ours, told by the first bytes: its name, and the way out."""

from __future__ import annotations

import re

from nodeloom.words import by_interface

# What helps at the command line too.
_AS_TEXT = "Write its edges as text, CSV or Parquet."


def _call(sentence: str, otherwise: str = _AS_TEXT) -> str:
    """Return what to do in Python, and what to do anywhere."""
    return by_interface(sentence, otherwise)


# Bytes at the start of a file: what they say it is, and what to do with it where a list of edges was expected.
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"\x93NUMPY", "a NumPy file", _call("Load it with numpy.load and pass the array to Graph.from_edges.")),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", _call("Read its columns with h5py or pandas.read_hdf and use Graph.from_pandas.")),
    (b"MATLAB 5.0 MAT-file", "a MATLAB file", _call("Load the matrix with scipy.io.loadmat and use Graph.from_scipy.")),
    (b"MATLAB 7.3 MAT-file", "a MATLAB file (HDF5)", _call("Read the matrix with h5py and use Graph.from_scipy.")),
    (b"RDX2\n", "a file of R", "Write the edges as CSV in R: write.csv(edges, \"edges.csv\", row.names = FALSE)."),
    (b"RDX3\n", "a file of R", "Write the edges as CSV in R: write.csv(edges, \"edges.csv\", row.names = FALSE)."),
    (b"SQLite format 3\0", "an SQLite database", _call("Read the table with pandas.read_sql and use Graph.from_pandas.")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel file", _call("Read it with pandas.read_excel and use Graph.from_pandas.")),
    (b"%PDF-", "a PDF document", "Find the data that it speaks of."),
    (b"Rar!\x1a\x07", "a rar archive", "Unpack it."),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it."),
    (b"\x1f\x9d", "a file compressed by compress (.Z)", "Unpack it with gzip -d."),
    (b"\x04\x22\x4d\x18", "a file compressed by lz4", "Unpack it with lz4 -d."),
    (b"LZIP", "a file compressed by lzip", "Unpack it with lzip -d."),
    (b"FEA1", "a Feather file of the first version", _call("Read it with pandas.read_feather and use Graph.from_pandas.")),
    (b"ORC", "an ORC file", _call("Read it with pyarrow.orc.read_table and use Graph.from_arrow.")),
    (b"Obj\x01", "an Avro file", "Convert it to Parquet."),
    (b"\xe2\x9b\xbe gt", "a file of graph-tool", 'Save it as GraphML: graph_tool.load_graph(path).save("g.graphml").'),
    (b"version https://git-lfs.github.com/spec/", "a pointer of Git LFS, not the file itself", "Fetch it: git lfs pull."),
    (b">>graph6<<", "graph6", _call("Read it with networkx.read_graph6 and use Graph.from_networkx.")),
    (b">>sparse6<<", "sparse6", _call("Read it with networkx.read_sparse6 and use Graph.from_networkx.")),
    (b"version https://hawser.github.com/spec/", "a pointer of Git LFS, not the file itself", "Fetch it: git lfs pull."),
    (b"404: Not Found", "the answer of a server", "Fetch the file again."),
    (b"\x89PNG", "a picture", "Find the data that it shows."),
    (b"\xff\xd8\xff", "a picture", "Find the data that it shows."),
    (b"\x7fELF", "a program", "Check the path."),
)  # fmt: skip
_HTML = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_PICKLE = re.compile(rb"\x80[\x02-\x05](?:\x95.{8}|[\]}(cKX\x8c\x71\x58])", re.DOTALL)
_SPARSE = {b"indices.npy", b"indptr.npy", b"row.npy", b"col.npy", b"offsets.npy"}
# Of a tar archive the first block names its format there.
_TAR = slice(257, 262)


def refusal(start: bytes) -> tuple[str, str] | None:
    """Return what a file is that holds no text, or not the text that was meant, and the way to its edges.

    Parameters
    ----------
    start : bytes
        The first bytes, decompressed; 1024 suffice.

    Returns
    -------
    what, hint : str
        For a message, or None if this may be text or a table.
    """
    start = start.removeprefix(b"\xef\xbb\xbf")
    if b'"format":"nodeloom' in start and start[8:9] == b"{":
        if b'"format":"nodeloom-graph"' in start:
            return "a compiled graph", _call("Open it with Graph.open.", "Give the file as it is, not compressed.")
        if b'"format":"nodeloom-knowledge-graph"' in start:
            return "a saved knowledge graph", _call(
                "Open it with KnowledgeGraph.open.", "Give the file as it is, not compressed."
            )
        if b'"format":"nodeloom"' in start:
            return "a model", _call("Read it with nodeloom.load.", "Give the list of edges that it was trained on.")
    for magic, what, hint in _MAGIC:
        # Letters alone may begin the name of a node.
        if start.startswith(magic) and (len(magic) > 4 or not magic.isalnum() or b"\0" in start):
            return what, hint
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(start)
    if start[_TAR] == b"ustar":
        return "a tar archive", "Unpack it: tar -xf FILE."
    if _PICKLE.match(start):
        return "a pickle", "A pickle may run code. " + _call(
            "If you trust it, pickle.load it and use Graph.from_networkx."
        )
    if _HTML.match(start):
        return "a page of HTML", "A download that failed leaves one: fetch the file again."
    return None


def _zip(start: bytes) -> tuple[str, str]:
    """Tell what a zip archive is by the name of its first member."""
    member = start[30 : 30 + int.from_bytes(start[26:28], "little")]
    if member in _SPARSE:
        return "a sparse matrix of SciPy (npz)", _call("Use Graph.from_scipy(scipy.sparse.load_npz(path)).")
    if member.endswith(b".npy"):
        return "a NumPy archive (npz)", _call(
            "Load it with numpy.load, and pass its array of edges to Graph.from_edges."
        )
    if member.startswith((b"[Content_Types].xml", b"xl/", b"_rels/")):
        return "an Excel file", _call("Read it with pandas.read_excel and use Graph.from_pandas.")
    if member.endswith((b"/data.pkl", b"/version")):
        return "a file of PyTorch", _call("Load it with torch.load, and use Graph.from_pyg.")
    return "a zip archive", "Unpack it, and give the file of edges in it."
