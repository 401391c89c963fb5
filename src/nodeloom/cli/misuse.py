"""What to say about a command line that cannot be understood."""

from __future__ import annotations

from typing import Any

from nodeloom.keywords import near_miss

_COMMANDS = {
    "embed": "train fit learn",
    "evaluate": "eval score test predict classify",
    "nearest": "similar neighbors neighbours search query most-similar",
    "export": "save write dump",
    "visualize": "map plot draw tsne umap",
    "info": "show version inspect",
    "convert": "compile",
    "list": "datasets baselines ls",
}
"""What other programs call the commands."""


def message_of(error: Any) -> str:
    """Return the sentence about an error of use, with what was probably meant."""
    context = getattr(error, "ctx", None)
    text = str(error.format_message()).rstrip(".")
    name = getattr(error, "option_name", None)
    if type(error).__name__ == "NoSuchOption" and context is not None:
        text = f"No such option: {name}"
        known = {
            flag.lstrip("-").replace("-", "_"): flag
            for parameter in context.command.params
            for flag in (*parameter.opts, *parameter.secondary_opts)
            if flag.startswith("--")
        }
        close = near_miss(str(name).lstrip("-").replace("-", "_"), known)
        if str(name) in ("--input", "--edges", "--graph", "-i"):
            text += ". Give files without an option, behind the command"
        elif close:
            text += f". Did you mean {known[close]}?"
    command = text.partition("No such command '")[2].partition("'")[0]
    meant = next((ours for ours, others in _COMMANDS.items() if command in others.split()), None)
    if command and meant:
        text = f"No such command '{command}'. Did you mean '{meant}'?"
    path = getattr(context, "command_path", "nodeloom")
    return f"{text}{'' if text.endswith('?') else '.'} '{path} --help' lists what there is."
