"""How exactly citations are given to fields, over built answers, and how long it takes.

python tests/benchmarks/field_citations.py [ANSWERS_OF_EACH_SHAPE]
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

import msgspec
from citation_corpus import Case, Invoice, at_values, positional
from prose_corpus import prose

from batchata.answers.answer import joined_text
from batchata.answers.citations import UNMATCHED
from batchata.answers.reader import Reader
from batchata.providers.anthropic.results import answer_blocks

READER = Reader(Invoice, enable_citations=True)
_ROUNDS = 7


@dataclass
class Figures:
    """How many pairs of field and citation were right, were given, and are true."""

    answers: int = 0
    right: int = 0
    given: int = 0
    true: int = 0

    @property
    def precision(self) -> float:
        return self.right / self.given if self.given else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.true if self.true else 1.0


def given_pairs(case: Case) -> set[tuple[str, str]]:
    """What the library makes of an answer."""
    reading = READER.read(case.blocks, "end_turn")
    assert reading.error is None, reading.error
    assert isinstance(reading.citations, dict)
    fields = reading.citations.items()
    return {(path, c.cited_text) for path, found in fields if path != UNMATCHED for c in found}


def measure(cases: Iterable[Case]) -> dict[str, Figures]:
    """The figures by shape."""
    found: dict[str, Figures] = defaultdict(Figures)
    for case in cases:
        given, figures = given_pairs(case), found[case.shape]
        figures.answers += 1
        figures.right += len(given & case.truth)
        figures.given += len(given)
        figures.true += len(case.truth)
    return dict(found)


def of_a_kilobyte(count: int, seed: int = 3) -> list[Case]:
    """Answers of about 1 KB in which three of four values are cited."""
    random = Random(seed)
    found: list[Case] = []
    while len(found) < count:
        case = at_values(random)
        if 900 <= len(joined_text(case.blocks)) <= 1_150:
            found.append(case)
    return found


def microseconds[T](run: Callable[[T], object], cases: list[T]) -> float:
    """The CPU time for one answer, in the mean over all of them."""
    began = time.process_time()
    for case in cases:
        run(case)
    return (time.process_time() - began) / len(cases) * 1e6


def read(case: Case) -> object:
    """What the library does with an answer, from its content blocks on."""
    return READER.read(case.blocks, "end_turn")


def plainly(case: Case) -> object:
    """What a script without citations does."""
    return Invoice.model_validate(json.loads("".join([block.text or "" for block in case.blocks])))


def line_of(case: Case) -> bytes:
    """The answer as the provider sends it."""
    content = [
        {
            "type": "text",
            "text": b.text,
            "citations": msgspec.to_builtins(b.citations),
        }
        for b in case.blocks
    ]
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": content}
    line = {"custom_id": "a", "result": {"type": "succeeded", "message": message}}
    return json.dumps(line, ensure_ascii=False).encode()


def read_line(line: bytes) -> object:
    """What the library does with a stored line."""
    return READER.read(answer_blocks(line), "end_turn")


def read_line_plainly(line: bytes) -> object:
    """What a script without citations does with it."""
    content = json.loads(line)["result"]["message"]["content"]
    return Invoice.model_validate(json.loads("".join([block["text"] for block in content])))


def compared[T](what: str, ours: Callable[[T], object], plain: Callable[[T], object], given: list[T]) -> None:
    """Print both, measured in turn, and the ratio of the median round."""
    rounds = [(microseconds(ours, given), microseconds(plain, given)) for _ in range(_ROUNDS)]
    mine, theirs = (statistics.median(times) for times in zip(*rounds, strict=True))
    ratio = statistics.median(ours / plain for ours, plain in rounds)
    print(
        f"{what}: {mine:.1f} µs an answer; json.loads and model_validate alone {theirs:.1f} µs; {ratio:.2f}x"
    )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    cases = [*positional(count), *prose(count)]
    print(f"{'shape':22} {'answers':>8} {'pairs':>8} {'precision':>10} {'recall':>8} {'µs/answer':>10}")
    for shape, figures in measure(cases).items():
        mine = [case for case in cases if case.shape == shape]
        took = statistics.median(microseconds(read, mine) for _ in range(_ROUNDS))
        exact = f"{figures.precision:10.4f} {figures.recall:8.4f}"
        print(f"{shape:22} {figures.answers:8,} {figures.true:8,} {exact} {took:10.1f}")
    small = of_a_kilobyte(200)
    blocks = statistics.mean(len(case.blocks) for case in small)
    cited = statistics.mean(sum(block.citations is not None for block in case.blocks) for case in small)
    print(f"\n1 KB of JSON in {blocks:.0f} blocks, {cited:.0f} of them cited (means), CPU time:")
    compared("from the content blocks", read, plainly, small)
    compared("from the line as stored", read_line, read_line_plainly, [line_of(case) for case in small])


if __name__ == "__main__":
    main()
