"""How long our whole durable run takes against the plain SDK loop that a user would write by hand.

Both send the same 10,000 items of 1 KB as batches to the same sandbox, which runs in a process of its own,
and validate answers of four fields. They alternate in one go, each time in a fresh process, so that a busy
machine slows both. What the plain loop does not do: survive a kill, keep an event log, account for costs.

    python tests/benchmarks/durable_run.py [--items N] [--items-per-job N] [--rounds N]
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel

MODEL = "claude-sonnet-5-5"
POLL_SECONDS = 0.05
FILLER = "The quick brown fox jumps over the lazy dog while nobody is watching it. "


class Review(BaseModel):
    """The four fields that each answer has."""

    sentiment: str
    score: float
    summary: str
    is_complaint: bool


ANSWER = {"sentiment": "positive", "score": 0.92, "summary": "Fast delivery, works.", "is_complaint": False}


def answer(request: Any) -> dict[str, Any]:
    """The sandbox's answer to every request; it names the item, so that results can be told apart."""
    return ANSWER | {"summary": request.text[:24]}


def prompts(items: int) -> list[str]:
    """Texts of 1 KB, each with its number in front."""
    return [f"Review number {i:08d}. {FILLER * 14}"[:1024] for i in range(items)]


def plain_loop(items: int, items_per_job: int, folder: Path) -> int:
    """Create, poll, iterate the results, validate, write JSONL: the loop of the SDK's documentation."""
    import anthropic
    from anthropic import transform_schema

    client = anthropic.Anthropic()
    output = {"format": {"type": "json_schema", "schema": transform_schema(Review)}}
    requests = [
        {
            "custom_id": f"item-{index}",
            "params": {
                "model": MODEL,
                "max_tokens": 1024,
                "output_config": output,
                "messages": [{"role": "user", "content": text}],
            },
        }
        for index, text in enumerate(prompts(items))
    ]
    batches = [
        client.messages.batches.create(requests=requests[start : start + items_per_job])
        for start in range(0, items, items_per_job)
    ]
    found: dict[str, Review] = {}
    for batch in batches:
        while client.messages.batches.retrieve(batch.id).processing_status != "ended":
            time.sleep(POLL_SECONDS)
        for line in client.messages.batches.results(batch.id):
            if line.result.type == "succeeded":
                text = "".join(b.text for b in line.result.message.content if b.type == "text")
                found[line.custom_id] = Review.model_validate_json(text)
    with (folder / "results.jsonl").open("w") as file:
        for index in range(items):
            file.write(found[f"item-{index}"].model_dump_json() + "\n")
    return len(found)


def durable_run(items: int, items_per_job: int, folder: Path) -> int:
    """BatchManager with an event log and a results_dir, and the results read back."""
    from batchata import BatchManager

    manager = BatchManager(
        messages=[[{"role": "user", "content": text}] for text in prompts(items)],
        model=MODEL,
        max_tokens=1024,
        response_model=Review,
        items_per_job=items_per_job,
        poll_interval=POLL_SECONDS,
        state_path=folder / "log.db",
        results_dir=folder / "out",
    )
    manager.run()
    return sum(entry["result"] is not None for entry in manager.results())


METHODS = {"plain": plain_loop, "durable": durable_run}


# What each method imports by itself sooner or later. The clock of the run starts behind these imports; the
# time of the whole process, which has them in it, is printed too.
IMPORTS = {
    "plain": ["anthropic"],
    "durable": [
        "batchata.providers.anthropic.client",
        "batchata.manager",
        "batchata.log.sqlite.writer",
        "batchata.log.sqlite.claim",
        "alembic.command",
        "genai_prices.data",
    ],
}


def child(method: str, items: int, items_per_job: int) -> None:
    """One measurement."""
    for name in IMPORTS[method]:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as folder:
        began, cpu = time.perf_counter(), time.process_time()
        done = METHODS[method](items, items_per_job, Path(folder))
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert done == items, f"{done} of {items}"
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak_mb": peak}))


def measure(method: str, options: argparse.Namespace, url: str) -> dict[str, float]:
    """Run one child and read its figures."""
    command = [sys.executable, __file__, "--child", method, "--items", str(options.items)]
    command += ["--items-per-job", str(options.items_per_job)]
    environment = os.environ | {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "sandbox-key"}
    began = time.perf_counter()
    out = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    figures: dict[str, float] = json.loads(out)
    return figures | {"process": time.perf_counter() - began}


def report(results: dict[str, list[dict[str, float]]], items: int) -> None:
    """Medians, the ratios of paired rounds, and the highest memory."""
    for method, runs in results.items():
        seconds = statistics.median(run["seconds"] for run in runs)
        cpu = statistics.median(run["cpu"] for run in runs)
        print(
            f"{method:8} {seconds:6.2f} s  {seconds / items * 1e6:6.0f} us/item  "
            f"cpu {cpu / items * 1e6:5.0f} us/item  "
            f"peak {max(run['peak_mb'] for run in runs):5.0f} MB  "
            f"whole process {statistics.median(run['process'] for run in runs):5.2f} s"
        )
    print(f"ratio of the runs       {ratio(results, 'seconds')}")
    print(f"ratio of the processes  {ratio(results, 'process')}, imports included")


def ratio(results: dict[str, list[dict[str, float]]], figure: str) -> str:
    """Durable over plain: the median of the paired rounds, and their range."""
    pairs = zip(results["durable"], results["plain"], strict=True)
    ratios = [durable[figure] / plain[figure] for durable, plain in pairs]
    return f"{statistics.median(ratios):.2f}  (durable / plain; {min(ratios):.2f} to {max(ratios):.2f})"


def main() -> None:
    """Alternate the two methods and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--items-per-job", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child", choices=list(METHODS))
    options = parser.parse_args()
    if options.child:
        child(options.child, options.items, options.items_per_job)
        return
    results: dict[str, list[dict[str, float]]] = {method: [] for method in METHODS}
    for number in range(options.rounds):
        for method in METHODS if number % 2 == 0 else reversed(METHODS):
            with sandbox() as url:
                results[method].append(measure(method, options, url))
    print(f"{options.items:,} items of 1 KB, {options.items_per_job:,} a job, {options.rounds} rounds")
    report(results, options.items)


class sandbox:
    """The sandbox in a process of its own, so that its work is not ours."""

    def __enter__(self) -> str:
        self._folder = tempfile.TemporaryDirectory()
        ready = Path(self._folder.name) / "ready"
        answers = f"{Path(__file__).stem}:answer"
        command = [sys.executable, "-m", "batchata.sandbox", "--port", "0"]
        command += ["--answers", answers, "--ready-file", str(ready)]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        for _ in range(600):
            if ready.exists() and ready.read_text().strip():
                break
            time.sleep(0.05)
        return ready.read_text().strip()

    def __exit__(self, *exc: object) -> None:
        self._process.terminate()
        self._process.wait(300)
        self._folder.cleanup()


if __name__ == "__main__":
    main()
