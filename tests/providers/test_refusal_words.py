"""What a refusal's sentence says beyond its type: whether it is about money, and which request it names."""

from __future__ import annotations

import pytest

from batchata.providers.anthropic.refusals import is_about_money, named_request


@pytest.mark.parametrize(
    "said",
    [
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing.",
        "You have reached your specified API usage limits. You will regain access on 2026-12-01.",
        "Insufficient credits to process this request",
        "insufficient account balance",
        "You have run out of credits",
        "Your account has no remaining credits",
        "The prepaid credits of this workspace are exhausted",
        "Payment Required",
        "Your account is past due: update your payment method",
        "You exceeded your current quota, please check your plan and billing details.",
        "Billing hard limit has been reached",
        "The workspace is over its spend limit",
        "Your account has insufficient funds. Please add credits.",
        "This organization has reached its monthly spend limit",
    ],
)
def test_an_account_that_may_not_spend_is_known_by_many_words(said: str) -> None:
    """Gateways and resellers say it in words of their own; items must not fail for it."""
    assert is_about_money(said)


@pytest.mark.parametrize(
    "said",
    [
        "This request would exceed your organization's rate limit of 50,000 input tokens per minute",
        "Number of requests has exceeded your usage limit per minute",
        "messages.0.content.1.text: the credit balance of the document is not valid",
        "requests.2.params.messages.0: payment required",
        "The document has no balance sheet",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "Could not process PDF",
        f"The text is odd: {'x' * 300} credit balance",
    ],
)
def test_what_passes_or_concerns_the_request_is_not_about_money(said: str) -> None:
    """A rate passes by itself, and what a message quotes of an input says nothing of the account."""
    assert not is_about_money(said)


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("requests.2.params.model: bad", 2),
        ("requests[2].params.model: bad", 2),
        ("requests['2'].params: bad", 2),
        ("requests/2/params: bad", 2),
        ("body -> requests -> 2 -> params: bad", 2),
        ("requests: 2: params: bad", 2),
        ("request at index 2 is bad", 2),
        ("requests.4.params: bad; requests.2.params: bad", 4),
        ("Request 2: bad", None),
        ("at most 5 requests: 100 per minute", None),
        ("a batch has 100000 requests at most", None),
    ],
)
def test_a_request_is_named_by_its_place(said: str, place: int | None) -> None:
    """Only where the place can be nothing else than a number from 0."""
    assert named_request(said) == place
