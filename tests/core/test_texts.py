"""How values become words, the same in every place that says them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from decimal import Decimal

import pytest

from batchata import text
from batchata.replay.report.page import asset

SPANS = {
    340_000: "340 ms",
    3_400_000: "3.4 s",
    12_300_000: "12 s",
    60_000_000: "1 min",
    3_725_000_000: "1 h 2 min",
    7_200_000_000: "2 h",
    180_000_000_000: "2 d 2 h",
    172_800_000_000: "2 d",
}
AMOUNTS = {"0": "$0.00", "1.5": "$1.50", "0.00026": "$0.00026", "1234567.1": "$1,234,567.10"}
ORDINALS = {1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 13: "13th", 21: "21st", 1_022: "1,022nd"}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (lambda: text.span(-90_000_000), "-1 min 30 s"),
        (lambda: text.stopwatch(61.25), "  61.2s"),
        (lambda: text.stopwatch(3_725.9), "1:02:05"),
        (lambda: {n: text.ordinal(n) for n in ORDINALS}, ORDINALS),
        (lambda: text.error_in_words(None), "not comparable"),
        (lambda: text.error_in_words(-0.25), "25% too low"),
        (lambda: text.error_in_words(2.0), "3 times what was used"),
        (lambda: text.usd(Decimal("-1234.5")), "-$1,234.50"),
        (lambda: text.usd("not much\n"), "$not much\\n"),
        (lambda: text.usd(None), "unknown"),
        (lambda: text.clean("a\u00a0b\u202ec"), "a b\\u202ec"),
        (lambda: text.moment(10**20), "100000000000000000000 µs"),
    ],
)
def test_values_have_their_words(said: Callable[[], object], expected: object) -> None:
    """Odd ones too: what lies in the past, is unknown, damaged or beyond a calendar."""
    assert said() == expected


def test_the_report_says_durations_and_amounts_as_the_commands_do() -> None:
    """Its script has formatters of its own, with the same words."""
    assert {at: text.span(at) for at in SPANS} == SPANS
    assert {amount: text.usd(amount) for amount in AMOUNTS} == AMOUNTS
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node here to run the script with")
    asked = f"[{json.dumps([*SPANS])}.map((at) => span(at / 1000)), {json.dumps([*AMOUNTS])}.map(usd)]"
    program = f"{asset('data.js')}\nconsole.log(JSON.stringify({asked}));"
    ran = subprocess.run([node, "-e", program], capture_output=True, check=True, text=True)
    assert json.loads(ran.stdout) == [[*SPANS.values()], [*AMOUNTS.values()]]
