"""The page about the configuration is what the fields say."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodeloom.config import Config
from nodeloom.config.document import renewed
from nodeloom.config.problems import key_paths

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


@pytest.fixture(scope="module")
def page():
    return PAGE.read_text(encoding="utf-8")


def test_tables_are_up_to_date(page):
    assert renewed(page) == page, "run: python -m nodeloom.config.document docs/configuration.md"


def test_every_key_has_a_row(page):
    for path in key_paths(Config):
        if path[-1] != "task":
            assert f"| `{path[-1]}`" in page, path
