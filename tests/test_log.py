"""Warnings of the log reach a person who has not set logging up."""

from __future__ import annotations

import logging
import warnings

from nodeloom.log import NodeloomWarning, logger


def test_without_handlers_a_warning_is_one_of_python(monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        logger.warning("%d nodes", 3)
        logger.info("nothing")
    (one,) = caught
    assert (str(one.message), one.category) == ("3 nodes", NodeloomWarning)
    assert one.filename == __file__


def test_handlers_of_the_program_get_it_alone(caplog):
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.WARNING, "nodeloom"):
        logger.warning("%d nodes", 3)
    assert not caught
    assert [record.getMessage() for record in caplog.records] == ["3 nodes"]
