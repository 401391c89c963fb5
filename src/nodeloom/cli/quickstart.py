"""``nodeloom quickstart``: the whole way on a real graph, in under a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nodeloom.cli.commands import Overwrite, command
from nodeloom.cli.session import active
from nodeloom.cli.tables import table

if TYPE_CHECKING:
    from nodeloom.cli.session import Session
    from nodeloom.graph import Graph

_NEXT = """\
[bold]The same with your own graph[/bold]
  nodeloom embed edges.txt -o model.safetensors   one edge a line: head tail
  nodeloom evaluate model.safetensors --labels labels.txt
  nodeloom nearest model.safetensors NAME
  nodeloom visualize model.safetensors -o map.html
  nodeloom export model.safetensors -o vectors.txt
  nodeloom new graph && nodeloom run graph.yaml   all settings in one file
"""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "quickstart", rich_help_panel="Train")
    def quickstart(
        output: Annotated[
            str, typer.Option("--output", "-o", metavar="FILE", help="Where the model goes.")
        ] = "quickstart.safetensors",
        overwrite: Overwrite = False,
        seed: Annotated[int, typer.Option(metavar="INT", help="Seed of walks, splits and controls.")] = 0,
        knowledge_graph: Annotated[
            bool,
            typer.Option(
                "--knowledge-graph", help="Triples instead of a graph: a part of WordNet, trained by ComplEx."
            ),
        ] = False,
    ) -> None:
        """Embed a graph that comes with the package, judge the vectors, save and search them, and draw a map.

        7,624 users of LastFM in Asia and their 27,806 friendships; the labels are their countries. One edge in twenty
        is hidden before training: link prediction asks whether the vectors know it all the same. Random vectors are
        judged beside the trained ones, to show what the scores are worth. The map is a page beside the model; it opens
        offline.
        """
        from nodeloom.cli.maps import check_map_output
        from nodeloom.cli.outputs import target_of
        from nodeloom.cli.pipeline import run_config
        from nodeloom.config import config_from_dict
        from nodeloom.tasks import nearest

        session = active()
        if knowledge_graph:
            from nodeloom.cli.starting_triples import quickstart_triples

            quickstart_triples(output, seed, session, overwrite=overwrite)
            return
        page = str(target_of(output).with_suffix(".html"))
        check_map_output(page, 2, [], overwrite=overwrite)
        config = config_from_dict(
            {
                "graph": {"file_name": "<lastfm_asia.graph>"},
                "train": {"seed": seed},
                "save": {"file_name": output, "checkpoint": "none"},
                "evaluate": [
                    {
                        "task": "node classification",
                        "file_name": "<lastfm_asia.label>",
                        "portions": [0.1, 0.5],
                        "times": 3,
                        "seed": seed,
                    },
                    {"task": "link prediction", "fraction": 0.05, "seed": seed},
                ],
            },
            "quickstart",
            {"train.seed": "--seed", "evaluate.0.seed": "--seed", "evaluate.1.seed": "--seed"},
        )
        run = run_config(config, session, control=True, overwrite=overwrite)
        names, graph = run.graph.names, run.graph
        hub = int(graph.degrees.argmax())
        ids, scores = nearest(run.model.vectors_, hub, 5)
        found = list(zip(names.take(ids[0]), (float(score) for score in scores[0]), strict=True))
        linked = graph.has_edges([hub] * len(found), ids[0], ids=True)
        session.result["nearest"] = {str(names[hub]): [{"name": name, "score": score} for name, score in found]}
        rows = [
            (str(name), score, "yes" if friend else "no") for (name, score), friend in zip(found, linked, strict=True)
        ]
        session.answer(table(f"Nearest to user {names[hub]}, who has most friends", ("user", "cosine", "friend"), rows))
        _draw(graph, page, session, seed)
        session.show(_NEXT)


def _draw(graph: Graph, page: str, session: Session, seed: int) -> None:
    """Make a map of the graph, coloured by country."""
    from nodeloom import TSNE
    from nodeloom.cli.maps import MapInput, read_classes
    from nodeloom.cli.tables import escape
    from nodeloom.figures import save_map

    given = MapInput(graph=graph, names=graph.names)
    countries = read_classes("<lastfm_asia.label>", given, session)
    model = TSNE(seed=seed, verbose=False).fit(graph)
    save_map(page, given.points(model.coordinates_, countries, "LastFM Asia: users by country", 2))
    session.result["map"] = page
    session.show(
        f"[bold]Drew[/bold]  {escape(page)}, a map of the users by country with their friendships: open it in a browser.\n"
    )
