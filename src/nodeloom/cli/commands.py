"""Declare commands: the options that all have, and the options made from the fields of the configuration."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import typer

from nodeloom.cli.help import GENERAL, HelpCommand
from nodeloom.cli.options import RESTART, Option, parameter_of, words_of
from nodeloom.cli.session import active
from nodeloom.errors import TrainingInterrupted
from nodeloom.words import Words, speak

Function = TypeVar("Function", bound=Callable[..., None])

Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Say nothing but errors, what was asked for, and what is replaced.",
        rich_help_panel=GENERAL,
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON object and nothing else.", rich_help_panel=GENERAL)
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", "--traceback", help="Tell every step, and where an error came from.", rich_help_panel=GENERAL
    ),
]

Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace the output even if it is a file of another kind, or the model of --init.",
        rich_help_panel=RESTART,
    ),
]

CONTROL_HELP = "Judge random vectors too: a task that they pass does not say anything."

_COMMON = [
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
    for name, annotation in (("quiet", Quiet), ("json", Json), ("verbose", Verbose))
]


def command(
    app: typer.Typer,
    name: str,
    *,
    options: Sequence[Option] = (),
    names: Mapping[str, str] | Words | None = None,
    **settings: Any,
) -> Callable[[Function], Function]:
    """Register a function as a command.

    Parameters
    ----------
    app : typer.Typer
        Where to register it.
    name : str
        Name of the command.
    options : sequence of Option
        Options made from the configuration; the function gets their values as the dict ``options``, without those that were not
        given.
    names : mapping or callable, optional
        What messages call settings that have an option of their own, see :func:`~nodeloom.cli.options.words_of`; or other words.
    **settings
        Passed to ``app.command``.
    """
    extra = [parameter_of(option) for option in options]
    words = names if callable(names) else words_of(options, names or {})

    def register(function: Function) -> Function:
        signature = inspect.signature(function, eval_str=True)
        own = [p for p in signature.parameters.values() if p.name != "options"]

        @functools.wraps(function)
        def call(**values: Any) -> None:
            session = active()
            speak(words)
            session.enter(**{p.name: values.pop(p.name) for p in _COMMON})
            given = {p.name: values.pop(p.name) for p in extra}
            if "options" in signature.parameters:
                values["options"] = {key: value for key, value in given.items() if value is not None}
            try:
                function(**values)
            except TrainingInterrupted as error:
                session.interrupted = error
                raise
            session.finish()

        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        call.__signature__ = inspect.Signature([*parameters, *extra, *_COMMON])  # type: ignore[attr-defined]
        call.__annotations__ = {p.name: p.annotation for p in [*parameters, *extra, *_COMMON]}
        app.command(name, cls=HelpCommand, **settings)(call)
        return function

    return register
