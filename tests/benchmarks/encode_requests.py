"""How long a request takes to encode, and an input to check: `python tests/benchmarks/encode_requests.py`."""

from __future__ import annotations

import io
import time
import tracemalloc
from collections.abc import Callable
from datetime import date

from batchata.inputs import read_inputs
from batchata.providers.anthropic.dialect import ClaudeChecks
from batchata.providers.anthropic.models import find_model
from batchata.providers.anthropic.requests import RequestTemplate

MODEL = find_model("claude-sonnet-5-5", date(2026, 11, 1))
CHECKS = ClaudeChecks(MODEL, cited=False, params={})
PARAMS = {"model": MODEL.id, "max_tokens": 1024, "system": "Answer in one word."}
COUNT = 10_000


def conversations(count: int, size: int) -> list[list[dict[str, str]]]:
    line = "The quick brown fox jumps over the lazy dog. "
    return [[{"role": "user", "content": f"{n} {line * (size // len(line))}"}] for n in range(count)]


def microseconds(action: Callable[[], object], count: int, repeats: int = 5) -> float:
    """The best of some runs, per item: the machine's other work only ever adds."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - start)
    return best / count * 1e6


def main() -> None:
    messages = conversations(COUNT, 1024)
    inputs = read_inputs(messages=messages, checks=CHECKS)
    template = RequestTemplate(PARAMS, system_suffix="Answer with JSON.")

    def encode_all() -> None:
        for n in range(COUNT):
            template.encode(f"run-1-{n}", inputs.source(n))

    print(f"encode 1 KB message      {microseconds(encode_all, COUNT):8.2f} us")
    check = microseconds(lambda: read_inputs(messages=messages, checks=CHECKS), COUNT)
    print(f"check  1 KB message      {check:8.2f} us")
    print(f"fingerprint              {microseconds(inputs.fingerprint, COUNT):8.2f} us an item")

    text = b"A line of text. " * 65_536
    file = read_inputs(files=[io.BytesIO(text)], prompt="Summarise.", checks=CHECKS).source(0)
    prompting = RequestTemplate(PARAMS, prompt="Summarise.")
    print(f"encode 1 MB text file    {microseconds(lambda: prompting.encode('a', file), 1):8.0f} us")

    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = read_inputs(messages=messages, checks=CHECKS)
    held = tracemalloc.get_traced_memory()[0] - before
    print(f"memory of the inputs     {held / kept.count:8.0f} bytes an item")


if __name__ == "__main__":
    main()
