"""Names of arguments: one that there is not is refused, with the one that was probably meant."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from nodeloom.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

P = ParamSpec("P")
R = TypeVar("R")

# What other libraries call it; of several names the first that is known is meant.
_ELSEWHERE = {
    "dim": "dims dimension dimensions embedding_dim embedding_size n_components size vector_size",
    "augmentation_step": "context context_size window window_size",
    "random_walk_length": "length walk_len walk_length",
    "num_epoch": "epoch epochs iter iterations max_iter n_epoch n_epochs n_iter num_epochs num_walks walks_per_node",
    "num_iteration": "epoch epochs iter iterations max_iter n_iter n_iterations num_epoch num_iterations steps",
    "num_negative": "negative negatives negative_samples num_negatives num_negative_samples",
    "negative_sample_exponent": "ns_exponent",
    "lr": "alpha eta learning_rate",
    "weight_decay": "l2 regularization",
    "num_thread": "n_jobs n_threads num_cpus num_threads num_workers threads workers",
    "seed": "random_seed random_state rng",
    "device": "cuda gpu use_gpu",
    "gpus": "gpu_ids",
    "memory_limit": "max_memory memory",
    "num_partition": "num_partitions partitions",
    "p": "return_param",
    "q": "in_out_param inout",
    "delimiters": "delim delimiter sep separator",
    "comment": "comments",
    "columns": "cols column usecols",
    "weighted": "has_weights is_weighted weight weights",
    "weights": "edge_weight edge_weights weight weighted",
    "weight": "edge_attr weight_attr weighted weights",
    "directed": "as_directed as_undirected is_directed undirected",
    "duplicates": "duplicate multigraph parallel",
    "self_loops": "loops self_loop",
    "normalization": "normalize normalized",
    "k": "n n_neighbors num_neighbors top_k topk topn",
    "query": "name node positive",
    "nearest": "most_similar similar similar_nodes",
    "vectors_": "embedding embedding_ embeddings vectors wv",
    "names": "labels node_names nodes",
    "output": "o out outfile out_file output_file output_path save save_path",
    "num_nodes": "n n_nodes num_node number_of_nodes",
}
_MEANINGS = {word: [name for name, words in _ELSEWHERE.items() if word in words.split()]
             for words in _ELSEWHERE.values() for word in words.split()}  # fmt: skip


def near_miss(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` was probably meant to be, be it misspelt or the word of another library."""
    known = list(known)
    meanings = _MEANINGS.get(word.lower().replace("-", "_"), ())
    for name in meanings:
        if name in known:
            return name
    import difflib

    # A word that means something else here is near to others by accident only.
    found = difflib.get_close_matches(word, known, n=1, cutoff=0.8 if meanings else 0.6)
    return found[0] if found else None


def check_names(where: str, given: Iterable[str], known: Iterable[str], kind: str = "parameter") -> None:
    """Refuse a name that is not among the known ones.

    Raises
    ------
    ParameterError
        Names the known ones, and the one that was probably meant.
    """
    known = list(known)
    for name in given:
        if name not in known:
            close = near_miss(name, known)
            meant = f" Did you mean {close!r}?" if close else ""
            raise ParameterError(f"{where}: there is no {kind} {name!r}.{meant} There are {', '.join(known)}.")


def check_call(where: str, signature: inspect.Signature, *args: Any, **kwargs: Any) -> None:
    """Refuse arguments that are too many or too few, under the name that a user knows.

    Raises
    ------
    ParameterError
        Names the parameters.
    """
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        known = [name for name in signature.parameters if name not in ("self", "cls")]
        raise ParameterError(f"{where}: {error}. Its parameters are {', '.join(known)}.") from None


def known_keywords(more: Any = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a method, or what becomes a classmethod, refuse arguments that it does not have in words of its own.

    Parameters
    ----------
    more : TypedDict, optional
        What its ``**options`` may be.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)
        known = [
            p.name
            for p in signature.parameters.values()
            if p.name not in ("self", "cls") and p.kind is not p.VAR_KEYWORD
        ]
        known += [] if more is None else [name for name in more.__annotations__ if name not in known]

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            owner = args[0] if isinstance(args[0], type) else type(args[0])
            where = owner.__name__ if function.__name__ == "__init__" else f"{owner.__name__}.{function.__name__}"
            check_names(where, kwargs, known)
            check_call(where, signature, *args, **kwargs)
            return function(*args, **kwargs)

        return call

    return decorate
