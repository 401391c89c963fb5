"""The tables of ``docs/configuration.md``, written from the fields.

``python -m nodeloom.config.document docs/configuration.md`` renews them; a test fails when they are out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from nodeloom.config.build import BuildConfig
from nodeloom.config.evaluate import LinkPrediction, NodeClassification
from nodeloom.config.files import LoadConfig, SaveConfig
from nodeloom.config.graph import EdgesConfig, FormatConfig, GraphConfig
from nodeloom.config.maps import (
    MapAnimation,
    MapBuildConfig,
    MapDrawing,
    MapGraphConfig,
    MapHierarchy,
    MapTrainConfig,
)
from nodeloom.config.notices import WITHOUT_EFFECT
from nodeloom.config.optimizer import OptimizerConfig
from nodeloom.config.problems import allowed_in
from nodeloom.config.resource import ResourceConfig
from nodeloom.config.train import KINDS, TrainSection

BEGIN, END = "<!-- keys: begin -->", "<!-- keys: end -->"

_SECTIONS: dict[str, type[BaseModel]] = {
    "resource": ResourceConfig,
    "format": FormatConfig,
    "graph": GraphConfig,
    "build": BuildConfig,
    "build.optimizer": OptimizerConfig,
    "load": LoadConfig,
    "train": KINDS[0],
    **{f"train, model: {', '.join(kind.models)}": kind for kind in KINDS},
    "evaluate, task: node classification": NodeClassification,
    "evaluate, task: link prediction": LinkPrediction,
    "save": SaveConfig,
    "graph, application: visualization": MapGraphConfig,
    "build, application: visualization": MapBuildConfig,
    "train, application: visualization": MapTrainConfig,
    "evaluate, task: visualization": MapDrawing,
    "evaluate, task: animation": MapAnimation,
    "evaluate, task: hierarchy": MapHierarchy,
}

_BEFORE: dict[type, set[str]] = {
    EdgesConfig: set(EdgesConfig.model_fields),
    BuildConfig: set(BuildConfig.model_fields) - {"num_negative"},
}
"""Keys of maps that stand in the table of the section that theirs extends."""


def tables() -> str:
    """Return a table of keys in Markdown for each section."""
    parts = []
    for title, section in _SECTIONS.items():
        lines = [f"### `{title}`", "", "| key | default | allowed | |", "|---|---|---|---|"]
        for key, field in section.model_fields.items():
            if "application" in title and key in _BEFORE.get(section.__mro__[1], ()):
                continue  # of the same section of other applications
            if key == "task" or isinstance(field.default, BaseModel):
                continue
            if issubclass(section, TrainSection) and (title == "train") != (key in TrainSection.model_fields):
                continue  # keys of all models have a table of their own
            mark = "¹" if (title.partition(",")[0], key) in WITHOUT_EFFECT else ""
            cells = (
                f"`{key}`{mark}",
                _default(field),
                allowed_in(field),
                field.description or "",
            )
            lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if value is None or value == ():
        return "none"
    if isinstance(value, tuple):
        value = list(value)
    return f"`{value!r}`" if not isinstance(value, bool) else f"`{str(value).lower()}`"


def _cell(text: str) -> str:
    # Outside of code, <dataset.split> would be taken for a tag.
    return text.replace("|", "\\|").replace("<dataset.split>", "`<dataset.split>`")


def renewed(text: str) -> str:
    """Return the text of the page with its tables replaced."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")
