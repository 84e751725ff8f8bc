"""How often a passage is rightly said to state a value, by notation and language, and what it costs.

python tests/benchmarks/support_figures.py [PAIRS_OF_EACH_FORM]
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from support_corpus import Pair, generated, real

from batchata.answers.supports import supports

SHARED = Path(os.environ.get("BATCHATA_SHARED", Path(__file__).resolve().parents[2] / "../shared/data/dev"))


@dataclass
class Tally:
    """What was said of pairs; `examples` are those that were judged wrongly."""

    right: int = 0
    found: int = 0
    missed: int = 0  # right ones that are said to be contradicted
    undecided: int = 0
    literal: int = 0
    literal_undecided: int = 0
    wrong: int = 0
    false_support: int = 0
    told_apart: int = 0
    examples: list[Pair] = field(default_factory=list)

    def add(self, pair: Pair) -> None:
        said = supports(pair.value, pair.passage)
        if pair.is_right:
            self.right += 1
            self.found += said is True
            self.missed += said is False
            self.undecided += said is None
            self.literal += pair.is_literal
            self.literal_undecided += pair.is_literal and said is None
        else:
            self.wrong += 1
            self.false_support += said is True
            self.told_apart += said is False
        if (said is False) if pair.is_right else (said is True):
            self.examples.append(pair)


def tally(pairs: Iterable[Pair]) -> dict[tuple[str, str], Tally]:
    """By notation and language."""
    found: dict[tuple[str, str], Tally] = defaultdict(Tally)
    for pair in pairs:
        found[pair.notation, pair.language].add(pair)
    return dict(found)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    pairs = [*generated(count), *(real(SHARED) if SHARED.exists() else ())]
    began = time.process_time()
    found = tally(pairs)
    took = (time.process_time() - began) / len(pairs) * 1e6
    head = f"{'notation':28} {'language':24} {'right':>6} {'found':>6} {'missed':>6} {'open':>5}"
    print(f"{head} {'wrong':>7} {'false':>5} {'told':>7}")
    for (notation, language), t in found.items():
        row = f"{notation:28} {language:24} {t.right:6,} {t.found:6,} {t.missed:6,} {t.undecided:5,}"
        print(f"{row} {t.wrong:7,} {t.false_support:5,} {t.told_apart:7,}")
    total = found.values()
    right, missed = sum(t.right for t in total), sum(t.missed for t in total)
    undecided, literal = sum(t.undecided for t in total), sum(t.literal for t in total)
    print(f"\n{right:,} right pairs: {missed} missed, {undecided} undecided", end="; ")
    print(f"{literal:,} literal ones: {sum(t.literal_undecided for t in total)} undecided", end="; ")
    wrong, false = sum(t.wrong for t in total), sum(t.false_support for t in total)
    print(f"{wrong:,} wrong pairs: {false} said to be supported")
    print(f"{took:.1f} µs a pair")
    for t in total:
        for pair in t.examples[:3]:
            print("  ", pair)


if __name__ == "__main__":
    main()
