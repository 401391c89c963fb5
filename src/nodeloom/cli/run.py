"""``nodeloom run`` and ``nodeloom baseline``: do what a configuration file says."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from nodeloom.cli import completion
from nodeloom.cli.baselines import find_baseline
from nodeloom.cli.commands import CONTROL_HELP, Overwrite, command
from nodeloom.cli.embed import NoCheckpoint, Resume, resume_command
from nodeloom.cli.options import options_of_config
from nodeloom.cli.session import active
from nodeloom.errors import ConfigError, describe
from nodeloom.log import logger
from nodeloom.words import of_yaml

Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a key: train.num_epoch=100, or num_epoch=100.",
        autocompletion=completion.setting,
    ),
]
Epoch = Annotated[int | None, typer.Option("--epoch", metavar="INT", help="Override train.num_epoch.")]
Cpu = Annotated[
    int | None, typer.Option("--cpu", metavar="INT", help="Number of CPU threads; overrides resource.num_thread.")
]
Gpu = Annotated[
    int | None,
    typer.Option(
        "--gpu",
        metavar="INT",
        help="Number of GPUs, as in GraphVite: resource.gpus becomes the first so many. 0 is --device cpu.",
    ),
]
NoEval = Annotated[bool, typer.Option("--no-eval", help="Leave the evaluation out.")]
Control = Annotated[bool, typer.Option("--control/--no-control", help=CONTROL_HELP)]

_OPTIONS = ("device", "table_dtype", "sampler", "num_worker", "parallelism", "worker_tables", "max_restart")
_SETTINGS = [option for option in options_of_config() if option.path[0] == "resource" and option.path[1] in _OPTIONS]


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @command(app, "run", options=_SETTINGS, names=of_yaml, rich_help_panel="Train")
    def run(
        config: Annotated[str, typer.Argument(help="YAML file, in the schema of GraphVite.", show_default=False)],
        overrides: Set = None,
        epoch: Epoch = None,
        cpu: Cpu = None,
        gpu: Gpu = None,
        *,
        options: dict[str, Any],
        no_eval: NoEval = False,
        resume: Resume = False,
        no_checkpoint: NoCheckpoint = False,
        control: Control = False,
        overwrite: Overwrite = False,
    ) -> None:
        """Load, train, save and evaluate as a configuration file says.

          nodeloom run graph.yaml
          nodeloom run graph.yaml --set dim=64 --set evaluate.0.times=5 --epoch 500

        Files of GraphVite run unchanged. The model is saved before it is evaluated.
        """
        _run(config, overrides, epoch, cpu, gpu, no_eval, resume, no_checkpoint, control, overwrite, options)

    @command(app, "baseline", options=_SETTINGS, names=of_yaml, rich_help_panel="Train")
    def baseline(
        keywords: Annotated[
            list[str],
            typer.Argument(
                help="Words of its name, such as: line youtube.", show_default=False, autocompletion=completion.baseline
            ),
        ],
        overrides: Set = None,
        epoch: Epoch = None,
        cpu: Cpu = None,
        gpu: Gpu = None,
        *,
        options: dict[str, Any],
        no_eval: NoEval = False,
        resume: Resume = False,
        no_checkpoint: NoCheckpoint = False,
        control: Control = False,
        overwrite: Overwrite = False,
    ) -> None:
        """Reproduce a published result with a configuration that comes with the package.

          nodeloom baseline quick start
          nodeloom baseline line youtube --no-eval

        'nodeloom list' shows them all. The words must fit exactly one.
        """
        path = find_baseline(keywords)
        title = f"running {path}"
        _run(str(path), overrides, epoch, cpu, gpu, no_eval, resume, no_checkpoint, control, overwrite, options, title)


def _run(
    config: str,
    overrides: list[str] | None,
    epoch: int | None,
    cpu: int | None,
    gpu: int | None,
    no_eval: bool,
    resume: bool,
    no_checkpoint: bool,
    control: bool,
    overwrite: bool,
    options: dict[str, Any],
    title: str = "",
) -> None:
    from nodeloom.cli.training import run_model
    from nodeloom.cli.workers import started
    from nodeloom.config import load_config
    from nodeloom.config.maps import MapConfig

    session = active()
    session.resume_hint = resume_command(sys.argv[1:])
    changes = list(overrides or [])
    if epoch is not None:
        changes.append(f"train.num_epoch={epoch}")
    if cpu is not None:
        changes.append(f"resource.num_thread={cpu}")
    if gpu is not None:
        if not 0 <= gpu <= 10_000:
            raise ConfigError(describe("--gpu", expected="a number of GPUs from 0 to 10000", got=gpu))
        changes.append(f"resource.gpus={list(range(gpu))}" if gpu else "resource.device=cpu")
    changes += [f"resource.{key}={value}" for key, value in options.items()]
    if no_checkpoint:
        changes.append("save.checkpoint=none")
    if resume:
        changes.append("train.resume=true")
    loaded = load_config(config, changes)
    if isinstance(loaded, MapConfig):
        from nodeloom.cli.mapping import run_map

        if title:
            session.err.print(title, markup=False, soft_wrap=True)
        run_map(loaded, session, evaluate=not no_eval, overwrite=overwrite, inputs=[config])
        return
    if started(loaded, session):
        return
    if title:
        session.err.print(title, markup=False, soft_wrap=True)
    if loaded.load.file_name is not None and not loaded.train.resume:
        logger.warning(
            "load.file_name: training starts from the vectors of %s (GraphVite overwrites them unless train.resume is "
            "set).",
            loaded.load.file_name,
        )
    run_model(loaded, session, evaluate=not no_eval, control=control, overwrite=overwrite, inputs=[config])
