"""The ways in which the benchmark has the same items answered, one of them in a process of its own.

`plain` is the loop of the SDK's documentation, `durable` our whole run, `all_open` the same with all jobs
open at once, `streamed` the same from a generator with the results read one by one. `floor` is what one
thread of Python needs at least for what `durable` does: the standard library's HTTP, msgspec, pydantic's
validator, and SQLite with synchronous=FULL.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import resource
import sqlite3
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from itertools import batched
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel

MODEL = "claude-sonnet-5-5"
POLL_SECONDS = 0.05
OPEN_JOBS = 10  # the default
FILLER = "The quick brown fox jumps over the lazy dog while nobody is watching it. "
_PATH = "/v1/messages/batches"


class Review(BaseModel):
    """The four fields that each answer has."""

    sentiment: str
    score: float
    summary: str
    is_complaint: bool


def prompts(items: int) -> Iterator[str]:
    """Texts of 1 KB, each with its number in front."""
    for i in range(items):
        yield f"Review number {i:08d}. {FILLER * 14}"[:1024]


def sdk_requests(items: int) -> list[Any]:
    """The requests of a batch, by the SDK's own transformation of the schema."""
    from anthropic import transform_schema

    output = {"format": {"type": "json_schema", "schema": transform_schema(Review)}}
    return [
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


def plain(items: int, items_per_job: int, folder: Path) -> int:
    """Create, poll, iterate the results, validate, write JSONL: the loop of the SDK's documentation."""
    import anthropic

    client = anthropic.Anthropic()
    requests = sdk_requests(items)
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


def _manager(messages: Any, items_per_job: int, folder: Path, open_jobs: int) -> Any:
    from batchata import BatchManager

    return BatchManager(
        messages=messages,
        model=MODEL,
        max_tokens=1024,
        response_model=Review,
        items_per_job=items_per_job,
        max_parallel_jobs=open_jobs,
        poll_interval=POLL_SECONDS,
        state_path=folder / "log.db",
        results_dir=folder / "out",
    )


def durable(items: int, items_per_job: int, folder: Path, open_jobs: int = OPEN_JOBS) -> int:
    """BatchManager with an event log and a results_dir, and the results read back."""
    messages = [[{"role": "user", "content": text}] for text in prompts(items)]
    manager = _manager(messages, items_per_job, folder, open_jobs)
    manager.run()
    return sum(entry["result"] is not None for entry in manager.results())


def all_open(items: int, items_per_job: int, folder: Path) -> int:
    """The same with as many jobs open as the plain loop has: all of them."""
    return durable(items, items_per_job, folder, open_jobs=ceil(items / items_per_job))


def streamed(items: int, items_per_job: int, folder: Path) -> int:
    """The durable run without a list of all inputs or of all results."""
    messages = ([{"role": "user", "content": text}] for text in prompts(items))
    manager = _manager(messages, items_per_job, folder, OPEN_JOBS)
    manager.run()
    return sum(item.result is not None for item in manager.items())


def floor(items: int, items_per_job: int, folder: Path) -> int:
    """Everything in one thread with the least that does it: bodies, log, hashes, files, results read back."""
    import msgspec
    import zstandard

    output = {"format": {"type": "json_schema", "schema": Review.model_json_schema()}}
    common = msgspec.json.encode({"model": MODEL, "max_tokens": 1024, "output_config": output})[1:-1]
    where = urlsplit(os.environ["ANTHROPIC_BASE_URL"])
    connection = HTTPConnection(where.hostname or "", where.port)
    log = _floor_log(folder / "log.db")
    compress, decompress = zstandard.ZstdCompressor(level=1).compress, zstandard.ZstdDecompressor().decompress
    chain = hashlib.sha256()
    validate = Review.__pydantic_validator__.validate_json
    dump = Review.__pydantic_serializer__.to_json
    text_of = msgspec.json.Decoder(_line_type()).decode

    def append(kind: str, lines: list[bytes], columns: list[int] | None = None) -> None:
        data = compress(b"\n".join(lines))
        row = kind, msgspec.json.encode(columns).decode(), data
        chain.update(hashlib.sha256(data).digest() + row[1].encode())
        with log:
            log.execute("INSERT INTO log (kind, columns, data) VALUES (?, ?, ?)", row)

    ids: list[str] = []
    for start, group in enumerate(batched(prompts(items), items_per_job)):
        bodies = [msgspec.json.encode([{"role": "user", "content": text}]) for text in group]
        for many in batched(bodies, 1_000):
            append("inputs", list(many))
        first = start * items_per_job
        requests = [
            b'{"custom_id":"item-%d","params":{%b,"messages":%b}}' % (first + n, common, body)
            for n, body in enumerate(bodies)
        ]
        append("intent", [])
        body = b'{"requests":[' + b",".join(requests) + b"]}"
        connection.request("POST", _PATH, body, {"content-type": "application/json"})
        ids.append(json.loads(connection.getresponse().read())["id"])
        append("submitted", [])
    for batch_id in ids:
        connection.request("GET", f"{_PATH}/{batch_id}")
        assert json.loads(connection.getresponse().read())["processing_status"] == "ended"
        connection.request("GET", f"{_PATH}/{batch_id}/results")
        lines = connection.getresponse().read().split(b"\n")[:-1]
        (folder / f"{batch_id}.jsonl").write_bytes(b"\n".join(lines))
        written: dict[int, bytes] = {}
        for many in batched(lines, 1_000):
            columns = []
            for line in many:
                said = text_of(line)
                index = int(said.custom_id[5:])
                value = validate(said.result.message.content[-1].text)
                written[index] = dump(value)
                columns += [index, said.result.message.usage.input_tokens]
            append("outcomes", list(many), columns)
        (folder / f"{batch_id}.json").write_bytes(b",\n".join([written[i] for i in sorted(written)]))
        append("completed", [])
    results: list[Any] = [None] * items
    rows = log.execute("SELECT columns, data FROM log WHERE kind = 'outcomes' ORDER BY id")
    for columns, data in rows:
        indexes = json.loads(columns)[::2]
        for index, line in zip(indexes, decompress(data).split(b"\n"), strict=True):
            results[index] = validate(text_of(line).result.message.content[-1].text)
    return sum(value is not None for value in results)


def _floor_log(path: Path) -> sqlite3.Connection:
    log = sqlite3.connect(path)
    log.execute("PRAGMA journal_mode = WAL")
    log.execute("PRAGMA synchronous = FULL")
    log.execute("CREATE TABLE log (id INTEGER PRIMARY KEY, kind TEXT, columns TEXT, data BLOB)")
    return log


def _line_type() -> Any:
    import msgspec

    text = msgspec.defstruct("Text", [("type", str), ("text", str, "")], gc=False)
    blocks: Any = list[text]  # type: ignore[valid-type]
    usage = msgspec.defstruct("Usage", [("input_tokens", int), ("output_tokens", int)], gc=False)
    message = msgspec.defstruct("Message", [("content", blocks), ("usage", usage)], gc=False)
    result = msgspec.defstruct("Result", [("type", str), ("message", message)], gc=False)
    return msgspec.defstruct("Line", [("custom_id", str), ("result", result)], gc=False)


WAYS = {"plain": plain, "durable": durable, "all_open": all_open, "streamed": streamed, "floor": floor}

# What each way imports by itself sooner or later. The clock of the run starts behind these imports; the time
# of the whole process, which has them in it, is a figure of its own. The SDK's HTTP library comes with its
# first client, and brings trio where that is installed, as it is for our own tests.
_SDK = ["anthropic", "httpcore2"]
_OURS = [
    *_SDK,
    "batchata.providers.anthropic.client",
    "batchata.manager",
    "batchata.log.sqlite.writer",
    "batchata.log.sqlite.claim",
    "genai_prices.data",
]
IMPORTS = {
    "plain": _SDK,
    "durable": _OURS,
    "all_open": _OURS,
    "streamed": _OURS,
    "floor": ["msgspec", "zstandard"],
}


def measure_here(way: str, items: int, items_per_job: int, folder: Path) -> dict[str, float]:
    """One measurement of one way, in this process: seconds, seconds of CPU, and the most memory in MB."""
    for name in IMPORTS[way]:
        importlib.import_module(name)
    began, cpu = time.perf_counter(), time.process_time()
    done = WAYS[way](items, items_per_job, folder)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    assert done == items, f"{done} of {items}"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall": seconds, "cpu": cpu, "peak_mb": peak}
