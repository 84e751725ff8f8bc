"""Rules of `diff`: what changed between two moments is the difference of the two states, and no more."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import Result

from batchata.core import events as e
from batchata.core.events import RunStarted
from batchata.core.evolve import fold
from batchata.core.ranges import iterate
from batchata.core.state import ItemStatus
from batchata.log import read_log

type Replay = Callable[..., Result]
type Write = Callable[..., Path]


def changes(replay: Replay, path: Path, *moments: object) -> dict[str, Any]:
    """What `diff --json` says."""
    result = replay("diff", path, *moments, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    said: dict[str, Any] = json.loads(result.stdout)
    return said


def shown(replay: Replay, path: Path, version: int) -> dict[str, Any]:
    """What `show --json` says of a version."""
    found: dict[str, Any] = json.loads(replay("show", path, "--at", version, "--json").stdout)
    return found


def test_what_changed_is_the_difference_of_the_states(troubled: Path, replay: Replay) -> None:
    """Between any two versions: every value of the run, every job, every item, and the events in between."""
    log = read_log(troubled)
    events = list(log.events(log.streams()[0]))
    log.close()
    chance = random.Random(6)
    for _ in range(12):
        first, second = sorted(chance.sample(range(1, len(events) + 1), 2))
        said = changes(replay, troubled, first, second)
        before, after = shown(replay, troubled, first), shown(replay, troubled, second)
        for key, pair in said["changes"].items():
            assert pair == [before[key], after[key]]
        same = set(before) - set(said["changes"]) - {"version", "head", "updated_at", "jobs", "process"}
        assert {key: before[key] for key in same} == {key: after[key] for key in same}
        old, new = fold(events[:first]).items, fold(events[:second]).items
        moved = {
            index: (change["before"], change["after"])
            for change in said["items"]
            for index in iterate(change["items"])
        }
        for index in range(len(new)):
            was = ItemStatus(old.status[index]).name.lower() if index < len(old) else None
            now = ItemStatus(new.status[index]).name.lower()
            assert moved.get(index, (was, now)) == (was, now)
            assert (index in moved) == (was != now or old.outcome[index] != new.outcome[index])
        assert said["events"] == Counter(event.TYPE for _, _, event in events[first:second])


def test_without_a_second_moment_it_is_now(troubled: Path, replay: Replay) -> None:
    """The last event is where it ends; from there nothing has changed."""
    last = json.loads(replay(troubled, "--json").stdout)["version"]
    assert changes(replay, troubled, 3) == changes(replay, troubled, 3, last)
    none = changes(replay, troubled, last)
    assert [none[key] for key in ("changes", "settings", "jobs", "items", "events")] == [{}, {}, [], [], {}]
    assert "none: nothing happened in between" in replay("diff", troubled, last).stdout


def test_times_are_moments_too(write_log: Write, started: Callable[..., RunStarted], replay: Replay) -> None:
    """`-1h` is an hour ago, not an option; a real option that does not exist is still refused."""
    path = write_log([started()])
    assert changes(replay, path, "2002-01-01", "-1h")["from"]["version"] == 1
    assert changes(replay, path, "-1s")["events"] == {}
    assert replay("diff", path, "1", "--nonsense").exit_code == 2


def test_changed_settings_are_named(
    write_log: Write, started: Callable[..., RunStarted], replay: Replay
) -> None:
    """A higher limit at the next start is what somebody looks for."""
    begun = started(settings=replace(started().settings, max_cost="1"))
    resumed = e.RunResumed(process=begun.process, library_version="0", changed={"max_cost": ("1", "2.5")})
    path = write_log([begun, resumed])
    said = changes(replay, path, 1)
    assert said["settings"] == {"max_cost": ["1", "2.5"]}
    assert "setting     max_cost: $1.00 -> $2.50" in replay("diff", path, 1).stdout


def test_the_text_says_it_in_words(troubled: Path, replay: Replay) -> None:
    """Counts, money, items and jobs, each from what to what."""
    text = replay("diff", troubled, 2).stdout
    assert re.search(r"^completed +0 -> 8$", text, re.MULTILINE)
    assert re.search(r"^spent +\$0\.00 -> \$0\.0\d+$", text, re.MULTILINE)
    assert re.search(r"^items +2 items \(2, 7\): not sent yet -> failed$", text, re.MULTILINE)
    assert re.search(r"^job 0 +new; items 0-4; status completed; ", text, re.MULTILINE)


def test_a_moment_before_the_run_is_its_beginning(troubled: Path, replay: Replay) -> None:
    """An hour ago is a fair question in the first hour; that it was earlier is said."""
    told = replay("diff", troubled, "-1h").stdout
    assert re.search(r"^from .* after event 1, the beginning \(-1h is before it\)$", told, re.MULTILINE)
    assert told.splitlines()[2:] == replay("diff", troubled, "1").stdout.splitlines()[2:]


@pytest.mark.parametrize(
    ("moments", "said"),
    [
        (("9", "4"), "version 4 is before version 9; give the earlier moment first"),
        (("1", "99999"), "events; give a version from 1 to"),
        (("soon",), "is not a time"),
        ((), "FROM"),
    ],
)
def test_moments_that_make_no_sense(
    troubled: Path, replay: Replay, moments: tuple[str, ...], said: str
) -> None:
    """One line that says which moments there are, and exit code 2."""
    result = replay("diff", troubled, *moments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert said in result.stderr
