"""``nodeloom quickstart --knowledge-graph``: the whole way on a small part of WordNet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodeloom.cli.knowledge import run_triples
from nodeloom.cli.pipeline import estimator_of
from nodeloom.cli.tables import table
from nodeloom.cli.triple_files import read_triples

if TYPE_CHECKING:
    from nodeloom.cli.session import Session

DATA = "wordnet-mini"
_NEXT = """\
[bold]The same with your own triples[/bold]
  nodeloom embed triples.tsv --model ComplEx -o model.safetensors   one triple a line: head relation tail
  nodeloom embed triples.tsv --model RotatE -o model.safetensors --validation valid.tsv
  nodeloom export model.safetensors -o vectors.txt
"""


def quickstart_triples(output: str, seed: int, session: Session, *, overwrite: bool) -> None:
    """Train ComplEx on triples that come with the package, and rank the answers of others.

    Parameters
    ----------
    output : str
        Where the model goes.
    seed : int
        The seed.
    session : Session
        Where to print.
    overwrite : bool
        Whether a file of another kind may be replaced.
    """
    from nodeloom.config import config_from_dict
    from nodeloom.tasks.rank_groups import frequency_ranks
    from nodeloom.tasks.ranking import Queries, metrics, rank

    config: Any = config_from_dict(
        {
            "graph": {"file_name": f"<{DATA}.train>"},
            "resource": {"dim": 128},
            "train": {"model": "ComplEx", "seed": seed, "validation": f"<{DATA}.valid>"},
            "save": {"file_name": output, "checkpoint": "none"},
        },
        "quickstart",
        {"train.seed": "--seed"},
    )
    model = run_triples(config, session, estimator_of(config), overwrite=overwrite)
    train = read_triples(config, config.graph.file_name, session)
    others = [read_triples(config, [f"<{DATA}.{split}>"], session, train) for split in ("valid", "test")]
    known = [train.triples, *(other.triples for other in others)]
    asked, sizes = known[2], (train.num_entities, train.num_relations)
    queries = Queries.of(asked, known, *sizes)
    ranks = {
        "ComplEx": rank(model._relational, model.entity_vectors_, model._relation_table, asked, queries=queries),
        "how often an entity answers": frequency_ranks(asked, known, train.triples, *sizes, queries),
    }
    found = {name: metrics(own) for name, own in ranks.items()}
    session.result["ranking"] = {
        name: {key: own[key] for key in ("mrr", "hits@1", "hits@10")} for name, own in found.items()
    }
    rows = [(name, own["mrr"], own["hits@1"], own["hits@10"]) for name, own in found.items()]
    title = f"Ranks of {2 * len(asked):,} answers of the test set among {sizes[0]:,} entities, without known ones"
    session.answer(table(title, ("by", "MRR", "hits@1", "hits@10"), rows))
    session.show(_NEXT)
