"""The views of a log in PostgreSQL show what those of a file show."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")

import log_samples as s
from test_log_pages import ALL
from test_log_views import GIVEN_UP, INTERRUPTED, RESUMED, RUN, SHARED, rows

from batchata.core import events as e
from batchata.log import open_log

_ENDINGS: list[list[e.Event]] = [
    [INTERRUPTED, RESUMED, s.completed(3, 1)],
    [s.completed(3, 1), s.retry(1, (2, 2))],
    [s.charged(3, 1, None)],
    [s.completed(3, 1), e.AnswerAccepted(job=2, index=2, outcome=16, body=6)],
]
# Every beginning of a run is a run of its own.
STORIES: list[Sequence[e.Event]] = [
    *(GIVEN_UP[:end] for end in range(1, len(GIVEN_UP) + 1)),
    *(SHARED[:end] for end in range(1, len(SHARED) + 1)),
    *([*RUN, *ending] for ending in _ENDINGS),
    ALL,
]


@pytest.fixture(scope="module")
def both(postgres_of_all: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The same stories in a file and in a database."""
    path = tmp_path_factory.mktemp("views") / "log.db"
    with postgres_of_all.schema() as url:
        for place in (path, url):
            log = open_log(place)
            for number, story in enumerate(STORIES):
                claim = log.claim(f"run {number:02}", s.OWNER)
                claim.append(s.AT + number * s.SECOND, story)
                claim.release()
            log.close()
        yield path, url


@pytest.mark.parametrize("view", ["v_events", "v_answers", "v_costs", "v_items", "v_jobs", "v_runs"])
def test_a_view_shows_what_it_shows_of_a_file(both: tuple[Path, str], view: str) -> None:
    """The same columns, rows and order, whatever has happened so far."""
    path, url = both
    with psycopg.connect(url, row_factory=psycopg.rows.dict_row) as connection:
        found = [plain(row) for row in connection.execute(f"SELECT * FROM {view}")]
    expected = [plain(row) for row in rows(path, f"SELECT * FROM {view}")]
    assert [list(row) for row in found[:1]] == [list(row) for row in expected[:1]]
    if view == "v_answers":  # the only one without an order of its own
        found, expected = (sorted(each, key=lambda row: row["version"]) for each in (found, expected))
    assert found == expected


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row with JSON read, and sums to the twelfth digit."""
    for name in {"data", "unit_prices"} & row.keys():
        row[name] = json.loads(row[name] or "null")
    return {name: round(v, 12) if isinstance(v, float) else v for name, v in row.items()}
