"""The benchmark's figures of exactness hold; it is run with `python tests/benchmarks/field_citations.py`."""

from __future__ import annotations

from citation_corpus import POSITIONAL, positional
from field_citations import measure
from prose_corpus import prose


def test_positions_decide_exactly() -> None:
    """Over 1,000 answers with known citations, every field gets its own and no other."""
    figures = measure(positional(200))
    assert figures.keys() == {
        "at values",
        "many fields",
        "cut inside values",
        "over several values",
        "in fences and prose",
    }
    assert sum(found.answers for found in figures.values()) == 200 * len(POSITIONAL) == 1_000
    for shape, found in figures.items():
        assert found.true > 2_000, shape
        assert (found.right, found.given) == (found.true, found.true), shape


def test_prose_is_matched_nearly_exactly() -> None:
    """Where words decide, almost nothing is wrong, and little is missed."""
    (found,) = measure(prose(200)).values()
    assert found.true > 1_500
    assert found.precision >= 0.99
    assert found.recall >= 0.98
