"""The saved knowledge graph: one safetensors file of plain arrays that is mapped into memory, not read.

It holds ``heads``, ``relations``, ``tails``, ``weights`` (absent without weights) and ``entity_names``, ``relation_names`` (Arrow IPC
streams as bytes, absent for ranges); ``__metadata__`` says what it is.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, ModelError, NodeloomError
from nodeloom.graph.storage import check_kinds, check_there, foreign
from nodeloom.graph.triples import Triples
from nodeloom.io.tensors import DamagedError, read_tensors, write_tensors
from nodeloom.io.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Mapping

Columns = TypeVar("Columns", bound=Triples)

FORMAT = "nodeloom-knowledge-graph"
VERSION = "1"
KIND = "a saved knowledge graph"
_IDS = ("int32",)
_NAMES = ("uint8",)
_DTYPES = {
    "heads": _IDS, "relations": _IDS, "tails": _IDS, "weights": ("float32",), "entity_names": _NAMES, "relation_names": _NAMES,
}  # fmt: skip


def save(graph: Triples, path: str | Path) -> None:
    """Write `graph` to `path`, atomically; see :meth:`nodeloom.graph.KnowledgeGraph.save`."""
    arrays: dict[str, npt.NDArray[Any]] = {"heads": graph.heads, "relations": graph.relations, "tails": graph.tails}
    for key, names in (("entity_names", graph.entity_names), ("relation_names", graph.relation_names)):
        if not names.is_range:
            arrays[key] = np.frombuffer(names.to_bytes(), np.uint8)
    if graph.weights is not None:
        arrays["weights"] = graph.weights
    metadata = {
        "format": FORMAT,
        "format_version": VERSION,
        "num_entities": str(graph.num_entities),
        "num_relations": str(graph.num_relations),
        "fingerprint": graph.fingerprint(),
    }
    write_tensors(path, arrays, metadata)


def read(path: str | Path, kind: type[Columns]) -> Columns:
    """Open a saved knowledge graph, its arrays mapped; see :meth:`nodeloom.graph.KnowledgeGraph.open`."""
    path = Path(path)
    check_there(path, KIND)
    try:
        file = read_tensors(path)
    except DamagedError as error:
        raise DataError(f"{error} Or write it again with KnowledgeGraph.save.") from error
    except ModelError as error:
        raise foreign(path, "another kind of file, or one that is cut or damaged", KIND) from error
    arrays, metadata = file.tensors, file.metadata
    if metadata.get("format") != FORMAT:
        raise foreign(path, "another kind of file", KIND)
    version = metadata.get("format_version")
    if version != VERSION:
        raise foreign(path, f"one of version {version!r}: use a newer nodeloom", KIND)
    if not file.has_checksums:
        raise foreign(path, "one without checksums", KIND, damaged=True)
    try:
        check_kinds(arrays, _DTYPES)
        num_entities, num_relations, fingerprint = _facts(metadata)
        graph = kind(
            arrays["heads"], arrays["relations"], arrays["tails"], arrays.get("weights"),
            _names(arrays, "entity_names", num_entities, "entity"), _names(arrays, "relation_names", num_relations, "relation"),
        )  # fmt: skip
    except (KeyError, ValueError, NodeloomError) as error:
        got = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise foreign(path, f"one whose parts do not fit together ({got})", KIND, damaged=True) from None
    graph._cache["fingerprint"] = fingerprint
    return graph


def _names(arrays: Mapping[str, npt.NDArray[Any]], key: str, count: int, kind: str) -> Vocabulary:
    return Vocabulary.from_bytes(arrays[key], count, kind) if key in arrays else Vocabulary.range(count)


def _facts(metadata: Mapping[str, str]) -> tuple[int, int, str]:
    """Return what the header says: the numbers of entities and relations, and the fingerprint.

    Raises
    ------
    KeyError, ValueError
        It is not said, or no such thing.
    """
    numbers = [metadata[key] for key in ("num_entities", "num_relations")]
    for number in numbers:
        if not re.fullmatch("[0-9]{1,10}", number):
            raise ValueError(f"number of entities or relations: expected a number, got {number!r}")
    fingerprint = metadata["fingerprint"]
    if not re.fullmatch("[0-9a-f]{32}", fingerprint):
        raise ValueError(f"fingerprint: expected 32 hexadecimal digits, got {fingerprint!r}")
    return int(numbers[0]), int(numbers[1]), fingerprint
