"""What a mishap costs: `python tests/benchmarks/mishaps.py` prints a table.

The loop of the SDK's documentation, which also saves each result at once, and our durable run have the same
items answered by the sandbox, each in a process of its own, and something goes wrong once. A script that ends
with an error, or is killed, is started again once, as its user would. The sandbox counts what it bills.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ways import MODEL, POLL_SECONDS, Review, prompts, sdk_requests

from batchata.sandbox import Answer, Faults, Request, Sandbox

_ITEMS, _PER_JOB = 60, 10
_PATIENCE = 60.0
_GOOD = Review(sentiment="good", score=0.5, summary="fine", is_complaint=False).model_dump_json()


def loop(folder: Path) -> None:
    """Create, poll, iterate the results, validate, save each at once."""
    import anthropic

    client = anthropic.Anthropic()
    requests = sdk_requests(_ITEMS)
    batches = [
        client.messages.batches.create(requests=requests[start : start + _PER_JOB])
        for start in range(0, _ITEMS, _PER_JOB)
    ]
    with (folder / "results.jsonl").open("a") as file:
        for batch in batches:
            while client.messages.batches.retrieve(batch.id).processing_status != "ended":
                time.sleep(POLL_SECONDS)
            for line in client.messages.batches.results(batch.id):
                if line.result.type == "succeeded":
                    text = "".join(b.text for b in line.result.message.content if b.type == "text")
                    review = Review.model_validate_json(text)
                    print(json.dumps([line.custom_id, review.model_dump()]), file=file, flush=True)


def durable(folder: Path) -> None:
    """The same by a manager."""
    from batchata import BatchManager

    manager = BatchManager(
        messages=list(prompts(_ITEMS)),
        model=MODEL,
        max_tokens=1024,
        response_model=Review,
        items_per_job=_PER_JOB,
        poll_interval=POLL_SECONDS,
        retry_delay=0.1,
        settle_delay=0.5,
        state_path=folder / "log.db",
    )
    manager.run()
    with (folder / "results.jsonl").open("w") as file:
        for item in manager.items():
            if item.result is not None:
                print(json.dumps([f"item-{item.index}", item.result.model_dump()]), file=file)


@dataclass(frozen=True)
class Mishap:
    """What goes wrong once; `killed_at` is after how many batches the process is."""

    name: str
    faults: Callable[[], Faults] = Faults
    killed_at: int | None = None
    odd: str | None = None  # the first answer to the eighth item
    seen: list[int] = field(default_factory=list)

    def answer(self, request: Request) -> Answer:
        """Answer as the mishap says."""
        if self.odd is not None and "number 00000007" in str(request.params["messages"]) and not self.seen:
            self.seen.append(1)
            return Answer(self.odd)
        return Answer(_GOOD)


def _mishaps() -> list[Mishap]:
    return [
        Mishap("none"),
        Mishap("killed while its batches are open", killed_at=6),
        Mishap("killed while it sends", killed_at=3),
        Mishap("the answer to a create is lost", lambda: Faults(lost_create_responses=1)),
        Mishap("a create works and is answered by 500", lambda: Faults(create_status_after=[500])),
        Mishap("a download of results breaks off", lambda: Faults(drop_results_after=[3])),
        Mishap("a download ends early, cleanly", lambda: Faults(truncate_results=[3])),
        Mishap("one item errors", lambda: Faults(errored=[7], only_batches=[0])),
        Mishap("one answer is no JSON", odd="I would say it is good."),
    ]


def _start(way: str, sandbox: Sandbox, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, __file__, way, str(folder)]
    return subprocess.Popen(command, env={**os.environ, **sandbox.environment}, stderr=subprocess.DEVNULL)


def _killed(process: subprocess.Popen[bytes], sandbox: Sandbox, batches: int) -> None:
    until = time.monotonic() + _PATIENCE
    while len(sandbox.batches) < batches and time.monotonic() < until and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.wait()


def measure(way: str, mishap: Mishap) -> tuple[int, int, int]:
    """Return how many items have a result in the end, how many requests were billed, and the starts."""
    delay = 2.0 if mishap.killed_at else 0.2
    with (
        tempfile.TemporaryDirectory() as name,
        Sandbox(mishap.answer, faults=mishap.faults(), delay=delay) as sandbox,
    ):
        folder, starts = Path(name), 1
        process = _start(way, sandbox, folder)
        if mishap.killed_at is not None:
            _killed(process, sandbox, mishap.killed_at)
        if process.wait(_PATIENCE) != 0:
            starts += 1
            _start(way, sandbox, folder).wait(_PATIENCE)
        lines = (folder / "results.jsonl").read_text().splitlines()
        found = {json.loads(line)[0] for line in lines}
        return len(found), sum(sandbox.billed().values()), starts


def main() -> None:
    """Print a row for each mishap."""
    print(f"{_ITEMS} items in jobs of {_PER_JOB}: results, requests billed, starts")
    print(f"{'':40}{'SDK loop':>14}{'Batchata':>14}")
    for number in range(len(_mishaps())):
        cells = []
        for way in ("loop", "durable"):
            mishap = _mishaps()[number]
            results, billed, starts = measure(way, mishap)
            cells.append(f"{results} {billed} {starts}")
        print(f"{mishap.name:40}{cells[0]:>14}{cells[1]:>14}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        {"loop": loop, "durable": durable}[sys.argv[1]](Path(sys.argv[2]))
    else:
        main()
