"""The benchmark's figures of support hold; it is run with `python tests/benchmarks/support_figures.py`."""

from __future__ import annotations

from pathlib import Path

from support_corpus import generated, real
from support_figures import Tally, tally


def _sum(tallies: dict[tuple[str, str], Tally]) -> Tally:
    total = Tally()
    for name in (
        "right",
        "found",
        "missed",
        "undecided",
        "literal",
        "literal_undecided",
        "wrong",
        "false_support",
    ):
        setattr(total, name, sum(getattr(one, name) for one in tallies.values()))
    total.examples = [pair for one in tallies.values() for pair in one.examples]
    return total


def test_notations_of_the_world_are_told_apart() -> None:
    """In no notation is another value supported; one in a hundred right ones is missed, at the most."""
    tallies = tally(generated(6))
    total = _sum(tallies)
    assert len(tallies) > 60
    assert total.right > 400
    assert total.wrong > 1_000
    assert total.false_support == 0, total.examples
    assert total.missed <= total.right / 100, total.examples
    assert total.literal_undecided <= total.literal / 20
    assert all(one.found >= 0.8 * one.right for one in tallies.values() if one.right)


def test_known_answers_of_real_documents_are_supported_by_their_lines_alone(shared: Path) -> None:
    """Exchanged between fields and documents, none of them is supported."""
    total = _sum(tally(real(shared, every=8)))
    assert total.right > 150
    assert total.wrong > 2_500
    assert total.false_support == 0, total.examples
    assert total.missed <= total.right / 100, total.examples
    assert total.literal_undecided <= total.literal / 20
