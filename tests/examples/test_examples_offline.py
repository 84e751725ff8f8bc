"""Every example runs offline, from anywhere, and prints what is true."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

NAMES = [
    "spam_detection",
    "pdf_extraction",
    "citation_example",
    "citation_with_pydantic",
    "batch_manager_example",
    "raw_text_example",
    "resume_after_crash",
]


def _side_by_side(runner: Any) -> dict[str, Any]:
    """All of them, started at once, as what they do most is to wait for their sandbox."""
    runners = {name: type(runner)(runner.folder / name) for name in NAMES}
    for each in runners.values():
        each.folder.mkdir()
    began = time.monotonic()
    started = {name: each.start(f"{name}.py") for name, each in runners.items()}
    return {
        name: (each.end(started[name], began), list(each.folder.iterdir())) for name, each in runners.items()
    }


STORIES = {"offline examples": _side_by_side}


@pytest.fixture
def ran(told: Callable[[str], Any]) -> Callable[[str], str]:
    """The standard output of an example that ended well and left nothing in its working directory."""

    def output(name: str) -> str:
        result, left = told("offline examples")[name]
        assert result.code == 0, result.err
        assert "Traceback" not in result.err
        assert left == []
        return str(result.out)

    return output


@pytest.mark.parametrize("name", NAMES)
def test_an_example_says_that_it_is_offline(ran: Callable[[str], str], name: str) -> None:
    """Nobody takes the sandbox's answers for a model's: it is the first thing an example says."""
    assert ran(name).startswith("Offline: a sandbox on this machine answers")


def test_spam_is_told_from_ham(ran: Callable[[str], str]) -> None:
    """The verdicts are those a reader of the five messages would give."""
    verdicts = re.findall(r"^(SPAM|ok) ", ran("spam_detection"), re.MULTILINE)
    assert verdicts == ["SPAM", "ok", "SPAM", "ok", "SPAM"]


def test_invoices_come_back_with_their_true_values(
    ran: Callable[[str], str], expected: dict[str, dict[str, Any]]
) -> None:
    """Vendor, number, date, total and currency stand in one line, as the documents have them."""
    lines = ran("pdf_extraction").splitlines()
    invoices = [value for name, value in expected.items() if "invoice" in name and name.endswith(".pdf")]
    assert len(invoices) == 3
    for true in invoices:
        [line] = [line for line in lines if line.startswith(true["vendor"])]
        total = f"{float(true['total']):,.2f} {true['currency']}"
        assert line.split()[-4:] == [true["invoice_number"], true["invoice_date"], *total.split()]


def test_cited_passages_are_printed_with_their_place(ran: Callable[[str], str]) -> None:
    """A PDF is cited by page, a text by characters, and what is cited is what the document says."""
    out = ran("citation_example")
    assert "[page 2] “Either party may end the agreement in writing with a notice of three months" in out
    assert "[characters 155 to 225] “A booking may be cancelled until six" in out


@pytest.mark.parametrize(
    ("path", "page", "text"),
    [
        ("vendor.name", 1, "Sold by: Brightwater Software Inc."),
        ("lines[2].amount", 1, "Onboarding workshop 1 $350.00 $350.00"),
        ("total", 2, "Amount due: $857.00"),
        ("total", 2, "Total amount due: EUR 1,084.00"),
    ],
)
def test_every_value_points_to_its_page(ran: Callable[[str], str], path: str, page: int, text: str) -> None:
    """Citations of a typed result belong to the value that they support."""
    lines = [line.split(maxsplit=1) for line in ran("citation_with_pydantic").splitlines()]
    assert [path, f"page {page}, found there: “{text}”"] in lines


def test_failed_items_are_retried(ran: Callable[[str], str]) -> None:
    """Two requests fail on purpose; retry_failed completes them, and the files on disk hold all 60."""
    out = ran("batch_manager_example")
    assert "58 of 60 items completed, 2 failed" in out
    assert len(re.findall(r"item \d+, invalid_request_error: failed on purpose", out)) == 2
    assert "retried:   60 of 60 items completed, 0 failed" in out
    assert "24 positive, 24 negative, 12 neutral" in out
    assert "job_0_results.json" in out


def test_without_a_response_model_results_are_texts(ran: Callable[[str], str]) -> None:
    """Each result is the answer's text."""
    out = ran("raw_text_example")
    assert "\n1. The harbour ferry runs every twenty minutes" in out
    assert "\n2. The museum opens its new wing in May." in out


def test_a_killed_run_is_resumed_and_nothing_is_sent_twice(ran: Callable[[str], str]) -> None:
    """The child dies of SIGKILL with part of the items done; the next start completes the rest only."""
    out = ran("resume_after_crash")
    assert "The process ended with -9" in out
    done = re.search(r"Its log says: (\d+) of (\d+) items completed", out)
    assert done is not None
    assert 0 < int(done[1]) < int(done[2])
    assert "10 of 10 items completed" in out
    assert "The sandbox counted 10 billed answers: 0 were paid twice." in out
