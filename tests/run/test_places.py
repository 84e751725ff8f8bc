"""The names in `places.py` are those of functions."""

from __future__ import annotations

import places
import pytest


@pytest.mark.parametrize("name", places.ALL)
def test_a_place_that_tests_watch_exists(name: str) -> None:
    """A place that nobody comes to would be a kill that never happens."""
    assert places.function_at(places.ALL[name]).__code__
