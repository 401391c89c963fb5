"""The gallery of the examples draws everything it says."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

GALLERY = Path(__file__).parents[2] / "examples" / "gallery.py"


@pytest.mark.slow
@pytest.mark.skipif(not GALLERY.exists(), reason="the examples are not here")
def test_gallery_draws_a_picture_of_each_kind(tmp_path, recwarn):
    pytest.importorskip("matplotlib")
    pytest.importorskip("networkx")
    files = runpy.run_path(str(GALLERY))["gallery"](tmp_path / "gallery", num_node=400)
    recwarn.clear()  # nodes without edges are told
    assert {file.suffix for file in files} >= {".png", ".pdf", ".svg", ".gif", ".html", ".parquet", ".gexf"}
    assert all(file.stat().st_size > 500 for file in files)
