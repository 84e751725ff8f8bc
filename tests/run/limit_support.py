"""A provider that bills as much as it honestly can, and runs that are stopped and killed while it does."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from resume_support import Script
from run_support import Runs

from batchata import BatchManager
from batchata.core.evolve import fold
from batchata.errors import IncompleteResultsError, UnknownSubmissionError
from batchata.sandbox import Answer, Faults, Request, Sandbox

# USD per token in a batch: Claude Sonnet 5.5, and data residency, which a workspace may have as its default.
INPUT, OUTPUT, RESIDENCY = Decimal("0.000001"), Decimal("0.000005"), Decimal("1.1")
WRITTEN, READ = Decimal("0.000002"), Decimal("0.00000005")  # to a cache for an hour, and from it
SHORT = {"poll_interval": 0.005, "retry_delay": 0.001, "settle_delay": 0.02, "max_wait_time": 20}
_KINDS = ["good"] * 6 + [
    "cut",
    "cut",
    "refusal",
    "overloaded",
    "overloaded",
    "invalid",
    "expired",
    "canceled",
]


@dataclass
class Greedy:
    """Answers by chance, the same to the same seed: a token a byte, and often all of `max_tokens`."""

    seed: int
    geo: str
    answers: int = 0

    def __call__(self, request: Request) -> Answer:
        self.answers += 1
        chance = Random(f"{self.seed}:{self.answers}")
        most = request.params["max_tokens"]
        texts = [request.text, request.system, str(request.params.get("output_config") or "")]
        usage = {
            **self._input(sum(len(text.encode()) for text in texts) + 16, request, chance),
            "output_tokens": chance.choice([most, most, most, chance.randint(1, most)]),
            "inference_geo": self.geo,
        }
        match chance.choice(_KINDS):
            case "good":
                return Answer('{"said": "x", "length": 1}', usage=usage)
            case "cut":
                return Answer("{", stop_reason="max_tokens", usage=usage)
            case "refusal":
                return Answer("no", stop_reason="refusal", usage=usage)
            case "overloaded":
                return Answer(kind="errored", error_type="overloaded_error")
            case "invalid":
                return Answer(kind="errored", error_type="invalid_request_error")
            case kind:
                return Answer(kind=kind)

    def _input(self, tokens: int, request: Request, chance: Random) -> dict[str, Any]:
        """All of it fresh; where caching is asked for, mostly all of it written, for an hour."""
        cached = "cache_control" in str(request.params.get("system"))
        written = tokens if cached and chance.random() < 0.8 else 0
        read = tokens // 2 if cached and not written else 0
        return {
            "input_tokens": tokens - written - read,
            "cache_creation_input_tokens": written,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": written},
            "cache_read_input_tokens": read,
        }


@dataclass
class Tally:
    """What all cases came to: the largest bill as a share of its limit, and what was looked at."""

    cases: int = 0
    looks: int = 0
    kills: int = 0
    reached: int = 0
    largest: Decimal = Decimal(0)
    answers: int = 0

    def __str__(self) -> str:
        return (
            f"{self.cases} cases, {self.answers:,} answers, looked at {self.looks} times ({self.kills} after "
            f"a kill, {self.reached} at the limit): the bill was at most {self.largest:.4%} of the limit"
        )


class Case:
    """One run with its own provider and log, over any number of starts."""

    def __init__(
        self, folder: Path, sandbox: Sandbox, greedy: Greedy, tally: Tally, texts: list[str]
    ) -> None:
        self._runs, self._greedy, self._tally = Runs(sandbox, folder), greedy, tally
        self._messages = [[{"role": "user", "content": text}] for text in texts]
        self._highest = Decimal(0)
        tally.cases += 1

    @property
    def sandbox(self) -> Sandbox:
        return self._runs.sandbox

    def start(self, limit: Decimal, **given: Any) -> dict[str, Any]:
        """One start to its end, and a look at the bill."""
        self._highest = max(self._highest, limit)
        summary = self._run(limit, given)
        self._tally.reached += summary["cost_limit_reached"]
        self.look()
        return summary

    def _run(self, limit: Decimal, given: dict[str, Any]) -> dict[str, Any]:
        """To its end; a lost submission that nothing can prove is given up, as its error says."""
        manager = self._manager(limit, given)
        for _ in range(20):
            try:
                return manager.run()
            except (UnknownSubmissionError, IncompleteResultsError) as error:
                self.look()
                said = "\n".join([str(error), *getattr(error, "__notes__", [])])
                for number in sorted(set(re.findall(r"manager\.abandon\((\d+)\)", said))):
                    manager.abandon(int(number))
        raise AssertionError("it never ends")

    def killed(self, limit: Decimal, at: tuple[str, bool, int], **given: Any) -> None:
        """A start in a process of its own that kills itself at that call, and a look at the bill."""
        self._highest = max(self._highest, limit)
        script = Script(self._runs, at, count=0, **self._given(limit, given))
        code = script.ends()
        if code not in (0, -9):  # it may also stop at a lost submission that nothing can prove
            said = (self._runs.log.parent / "stderr.txt").read_text()
            assert re.search(r"batchata\.errors\.(UnknownSubmission|IncompleteResults)Error", said), said
        self._tally.kills += code == -9
        self.look()

    def smallest_limit(self, **given: Any) -> Decimal:
        """What the dearest item may cost alone: a run cannot start with less."""
        definition = self._manager(Decimal(1), given)._engine.definition
        worst = definition.measures().worst_cost(definition.inputs.largest())
        assert worst is not None
        return worst

    def look(self) -> None:
        """All batches end: the bill is within the highest limit so far, and what the log holds for it."""
        self.sandbox.end_all()
        used = self.sandbox.usage()
        bill = used["input_tokens"] * INPUT + used["output_tokens"] * OUTPUT
        bill += used["cache_creation_input_tokens"] * WRITTEN + used["cache_read_input_tokens"] * READ
        bill *= RESIDENCY if self._greedy.geo == "us" else 1
        assert bill <= self._highest, (bill, self._highest, self._types())
        if self._runs.log.exists():
            run = fold((r.version, r.at, r.event) for r in self._runs.events())
            assert bill <= run.spent + run.reserved + run.withheld, self._types()
        self._tally.looks += 1
        self._tally.largest = max(self._tally.largest, bill / self._highest)

    def _types(self) -> list[str]:
        return self._runs.types() if self._runs.log.exists() else []

    def _manager(self, limit: Decimal, given: dict[str, Any]) -> BatchManager:
        return self._runs.manager(0, **self._given(limit, given))

    def _given(self, limit: Decimal, given: dict[str, Any]) -> dict[str, Any]:
        return {"messages": self._messages, "max_cost": limit, "results_dir": None, **SHORT, **given}


@contextmanager
def case(
    folder: Path,
    tally: Tally,
    *,
    seed: int,
    geo: str,
    texts: list[str],
    faults: Faults,
    delay: float,
    days: float,
) -> Iterator[Case]:
    """A case whose sandbox the environment points to meanwhile."""
    folder.mkdir()
    greedy = Greedy(seed, geo)
    with (
        Sandbox(
            greedy, seed=seed, faults=faults, delay=delay, clock=lambda: time.time() + days * 86_400
        ) as sandbox,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("ANTHROPIC_BASE_URL", sandbox.url)
        environment.setenv("ANTHROPIC_API_KEY", sandbox.api_key)
        yield Case(folder, sandbox, greedy, tally, texts)
        tally.answers += greedy.answers
