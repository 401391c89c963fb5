"""Use a model of a knowledge graph: ``nodeloom predict``, and the ranking of triples for ``nodeloom evaluate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nodeloom.cli.commands import command
from nodeloom.cli.session import active
from nodeloom.cli.tables import table
from nodeloom.errors import ConfigError, ModelError, describe

if TYPE_CHECKING:
    from nodeloom.estimators.knowledge import KnowledgeEmbedding
    from nodeloom.graph import KnowledgeGraph


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @command(app, "predict", rich_help_panel="Use a model")
    def predict(
        model: Annotated[str, typer.Argument(help="A model of a knowledge graph (.safetensors).", show_default=False)],
        more: Annotated[
            list[str] | None, typer.Argument(metavar="[FILE]...", help="Further files of --known.", show_default=False)
        ] = None,
        head: Annotated[str | None, typer.Option(metavar="NAME", help="The head that is asked about.")] = None,
        relation: Annotated[str | None, typer.Option(metavar="NAME", help="The relation.")] = None,
        tail: Annotated[str | None, typer.Option(metavar="NAME", help="The tail.")] = None,
        k: Annotated[int, typer.Option("-k", "--k", metavar="INT", help="Number of answers.")] = 10,
        known: Annotated[
            list[str] | None,
            typer.Option(
                metavar="FILE", help="Triples whose answers are left out: those trained on.", show_default=False
            ),
        ] = None,
    ) -> None:
        """Tell the likeliest answers: tails, heads, or relations.

          nodeloom predict model.safetensors --head France --relation capital -k 5
          nodeloom predict model.safetensors --relation capital --tail Paris
          nodeloom predict model.safetensors --head France --tail Paris --known train.tsv

        Give two of --head, --relation and --tail: the third is asked for. With all three the score of the triple is told.
        """
        session = active()
        given = {"head": head, "relation": relation, "tail": tail}
        missing = [what for what, name in given.items() if name is None]
        if len(missing) > 1:
            got = " and ".join(f"--{what}" for what in given if what not in missing) or "none of them"
            raise ConfigError(f"predict: expected two of --head, --relation and --tail, got {got}.")
        fitted = open_triple_model(model)
        left_out = [read_triples(path) for path in files_of(known, more, "--known")]
        if head is not None and relation is not None and tail is not None:
            score = float(fitted.score(head, relation, tail)[0])
            session.answer(table(f"{head}  {relation}  {tail}", ("score",), [(score,)]), **given, score=score)
            return
        (asked,) = missing
        if head is not None and relation is not None:
            found = fitted.predict_tails(head, relation, k, known=left_out)
        elif relation is not None and tail is not None:
            found = fitted.predict_heads(relation, tail, k, known=left_out)
        else:
            found = fitted.predict_relations(str(head), str(tail), k, known=left_out)
        title = "  ".join(name if name is not None else "?" for name in given.values())
        session.answer(table(title, (asked, "score"), [(str(name), score) for name, score in found]))
        session.result.update(
            {what: name for what, name in given.items() if name is not None},
            answers=[{"name": name, "score": score} for name, score in found],
        )


def files_of(files: list[str] | None, more: list[str] | None, option: str) -> list[str]:
    """Return the files of an option, which may be repeated or followed by several.

    Raises
    ------
    ConfigError
        There are files, but not the option.
    """
    if more and not files:
        raise ConfigError(f"{more[0]}: expected one model, got further names. Files of triples come behind {option}.")
    return [*(files or []), *(more or [])]


def open_triple_model(path: str) -> KnowledgeEmbedding:
    """Read a model of a knowledge graph.

    Raises
    ------
    ModelError
        It is none, or no model of a knowledge graph.
    """
    from nodeloom.estimators.answers import TripleAnswers
    from nodeloom.estimators.saved import TRIPLE_MODELS, load

    model = load(path)
    if not isinstance(model, TripleAnswers):
        hint = "'nodeloom nearest' and 'nodeloom evaluate --links' take models of nodes."
        expected = f"a model of a knowledge graph ({', '.join(TRIPLE_MODELS)})"
        raise ModelError(describe(path, expected=expected, got=type(model).__name__, hint=hint))
    return model  # type: ignore[return-value]


def read_triples(path: str, layout: dict[str, Any] | None = None) -> KnowledgeGraph:
    """Read a file of triples, each as often as it comes."""
    from nodeloom.cli.triple_files import triples_in

    return triples_in([path], active(), duplicates="keep", **(layout or {}))


def judge_triples(
    path: str,
    test: str,
    known: list[str],
    candidates: str,
    unseen: str,
    ranks: str | None,
    seed: int,
    layout: dict[str, Any],
    *,
    overwrite: bool,
) -> dict[str, Any]:
    """Rank the triples of a file by a model, print tables, and return the result for JSON."""
    from nodeloom.cli.outputs import check_output
    from nodeloom.tasks import triple_ranking

    session = active()
    if ranks is not None:
        check_output(ranks, "ranks", [path, test, *known], overwrite=overwrite)
    chosen: Any = candidates
    if candidates not in ("all", "observed"):
        if not candidates.isascii() or not candidates.isdigit() or int(candidates) < 1:
            raise ConfigError(describe("--candidates", expected="all, observed or a number >= 1", got=candidates))
        chosen = int(candidates)
    if chosen == "observed" and not known:
        raise ConfigError("--candidates observed: expected the triples trained on behind --filter, got none.")
    model = open_triple_model(path)
    sets = [read_triples(name, layout) for name in known]
    asked = read_triples(test, layout)
    result = triple_ranking(model, asked, sets, candidates=chosen, unseen=unseen, seed=seed)  # type: ignore[arg-type]
    who = f"{chosen} candidates drawn for each" if isinstance(chosen, int) else f"{chosen} candidates"
    session.answer(table(f"{len(result.ranks):,} triples ranked, {who}", result.columns, result.rows()))
    kinds = result.by_category()
    if kinds:
        columns = ("relations", "triples", "MRR", *(f"hits@{hit}" for hit in result.hits))
        hits = [f"hits@{hit}" for hit in result.hits]
        rows = [(row["category"], row["num_triples"], row["mrr"], *(row[hit] for hit in hits)) for row in kinds]
        session.show(table("By category of relations", columns, rows))
    if not known:
        session.show("Only these triples are left out of the wrong answers. Name those trained on behind --filter.")
    if result.num_unseen:
        what = f"{result.num_dropped:,} of them are left out" if result.num_dropped else "they are ranked as well"
        session.show(f"{result.num_unseen:,} triples have an entity or a relation that {known[0]} lacks: {what}.")
    answer = {"file_name": test, "filter_file": known, "candidates": chosen, **result.to_dict()}
    if ranks is not None:
        session.show(f"Wrote the ranks to {result.ranks.save(ranks)}.")
        answer["ranks_file"] = ranks
    return answer
