"""`max_cost` against the provider's own bill, under any parallelism, fault, stop and kill."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from limit_support import Tally, case
from resume_support import PLACES

from batchata.sandbox import Faults

# How many cases; a longer look: BATCHATA_CASES=1000 pytest tests/run/test_limit_property.py -s
CASES = int(os.environ.get("BATCHATA_CASES", "24"))
KILLS = max(CASES // 6, 1)

# Each case is made by one seed: hypothesis draws many small and equal values, and too few of the cases that
# come close. To make a failing case smaller takes minutes, as each try is a run.
CASE = st.integers(0, 2**62).map(Random)
QUIET: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "phases": [Phase.explicit, Phase.generate],
    "suppress_health_check": [HealthCheck.too_slow],
}


NONE_COUNTED = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
HTML = "<html>\n<body>Sign in</body>\n</html>\n"
DRIFTS = [
    (b'"output_tokens":', b'"output_tokens":NaN,"was":'),
    (b'"output_tokens":', b'"output_tokens":-1,"was":'),
    (b'"usage":', b'"usage":[],"was":'),
    (b'"usage":', b'"citations":{},"inference_geo":{"a":1},"usage":'),
    (b'"stop_reason":', b'"stop_reason":7,"was":'),
]


def _drifted(before: bytes, after: bytes, line: bytes) -> bytes:
    return line.replace(before, after)


def _some(chance: Random) -> set[int]:
    return set(chance.sample(range(6), chance.randint(1, 4)))


def _times(chance: Random) -> int:
    return chance.randint(1, 2)


def _list(*values: int) -> Callable[[Random], list[int]]:
    return lambda chance: [chance.choice(values) for _ in range(chance.randint(1, 3))]


FAULTS: dict[str, Callable[[Random], Any]] = {
    # billed, and nobody is told
    "lost_create_responses": _times,
    "create_status_after": _list(0, 500, 529),
    "missing": _some,
    "truncate_results": _list(-1, 0, 1, 3),
    # lost on the way, or odd
    "create_status": _list(0, 429, 529, 503),
    "poll_status": _list(0, 500),
    "results_status": _list(0, 500),
    "not_found_after_create": _times,
    "drop_results_after": _list(-1, 0, 2),
    "cut_last_line": _times,
    "unknown_kind": _some,
    "expired": _some,
    "duplicated": _some,
    "foreign": _times,
    # unlike what is documented
    "counts": lambda chance: {**NONE_COUNTED, "succeeded": chance.choice([0, 0, 1])},
    "results_instead": lambda chance: [chance.choice(["", HTML, None]) for _ in range(chance.randint(1, 15))],
    "rewritten": lambda chance: partial(_drifted, *chance.choice(DRIFTS)),
}


def world(chance: Random) -> dict[str, Any]:
    """A provider and its inputs."""
    names = chance.sample(list(FAULTS), chance.choice([0, 1, 1, 2, 3]))
    faults = {name: FAULTS[name](chance) for name in names}
    if "missing" in names and "foreign" in names:
        # A lost batch with as many lines as requests, none of them its own, cannot be told from another's.
        faults["foreign"] = 7
    return {
        "seed": chance.randint(0, 10**9),
        "geo": chance.choice(["global", "us"]),
        "texts": [
            f"text {n - n % chance.randint(1, 2)} "
            + "é½ab"[n % 4] * chance.choice([0, chance.randint(0, 400)])
            for n in range(chance.randint(3, 14))
        ],
        "faults": Faults(**faults),
        "delay": chance.choice([0.0, 0.0, 0.02]),
        "days": chance.choice([0, 0, 0, -40, -1.5, 2, 400]),
    }


def sharing(chance: Random) -> dict[str, Any]:
    """What is decided for the whole run: whether requests are shared, and their beginning cached."""
    cached = {"cache": "auto", "system": "A rule of the house. " * chance.randint(100, 200)}
    return {"dedupe": chance.random() < 0.3, **(cached if chance.random() < 0.3 else {})}


def settings_of(chance: Random) -> dict[str, Any]:
    """What may change with each start."""
    return {
        "items_per_job": chance.randint(1, 6),
        "max_parallel_jobs": chance.randint(1, 6),
        "max_attempts": chance.randint(1, 4),
    }


@pytest.fixture
def tally() -> Iterator[Tally]:
    """What all cases of a test came to is printed at its end."""
    found = Tally()
    yield found
    print(f"\n{found}", file=sys.__stdout__, flush=True)


def test_the_bill_never_passes_the_limit(tmp_path: Path, tally: Tally) -> None:
    """Whatever goes wrong and however often the run is started, with limits that rise and fall."""

    @settings(max_examples=CASES, **QUIET)
    @example(Random(16_415_348_329))  # two lost batches that show one request each from the beginning
    @given(CASE)
    def each(chance: Random) -> None:
        own = tmp_path / f"{tally.cases}"
        fixed = {"max_tokens": chance.randint(20, 2000), **sharing(chance)}
        with case(own, tally, **world(chance)) as run:
            least = run.smallest_limit(**fixed)
            further = (chance.uniform(0.2, 12) for _ in range(chance.randint(0, 2)))
            for share in [chance.uniform(1, 8), *further]:
                limit = (least * Decimal(share)).quantize(Decimal("1e-9")) + Decimal("1e-9")
                summary = run.start(limit, **fixed, **settings_of(chance))
                assert summary["cost_limit_reached"] or summary["pending_items"] == 0
        shutil.rmtree(own)

    each()
    _came_close(tally)


def test_the_bill_never_passes_the_limit_of_a_run_that_is_killed(tmp_path: Path, tally: Tally) -> None:
    """SIGKILL on either side of what lasts: reservations are in the log, whoever comes next."""

    @settings(max_examples=KILLS, **QUIET)
    @given(CASE)
    def each(chance: Random) -> None:
        own = tmp_path / f"{tally.cases}"
        fixed = {"max_tokens": chance.randint(20, 2000), **sharing(chance), **settings_of(chance)}
        with case(own, tally, **world(chance)) as run:
            limit = run.smallest_limit(**fixed) * Decimal(chance.uniform(1, 8)).quantize(Decimal("0.01"))
            for _ in range(chance.randint(1, 2)):
                place, after = chance.choice(PLACES)
                most = 12 if "append" in place else 3
                run.killed(limit, (place, after, chance.randint(1, most)), **fixed)
            run.start(limit, **fixed)
        shutil.rmtree(own)

    each()


def _came_close(tally: Tally) -> None:
    """A limit that is never approached proves nothing: the largest bill is most of what was allowed."""
    assert tally.reached > tally.cases // 5
    assert Decimal("0.8") < tally.largest <= 1
