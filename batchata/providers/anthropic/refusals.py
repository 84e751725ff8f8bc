"""Interpret sentences of the Message Batches API that say more than its error types and statuses do."""

from __future__ import annotations

import re

# An account without credit, and a limit that the user set in the Console, are plain invalid_request_errors.
# Gateways and resellers say it in words of their own.
_SPENT = re.compile(
    r"\bcredit balance\b"
    r"|\b(?:insufficient|not enough|out of|exhausted|has no|have no)\W+(?:\w+\W+){0,2}(?:credits?|funds)\b"
    r"|\binsufficient (?:\w+ )?balance\b"
    r"|\b(?:credits?|funds|balance)\W+(?:\w+\W+){0,5}"
    r"(?:too low|exhausted|used up|depleted|insufficient|negative)\b"
    r"|\bpayment (?:is )?required\b|\bpayment method\b|\bpast due\b|\bunpaid\b"
    r"|\bbilling (?:details|issue|problem|error)\b"
    r"|\b(?:spend(?:ing)?|usage|budget|billing)(?: hard)? (?:limits?|cap|quota)\b",
    re.IGNORECASE,
)
_OF_A_RATE = re.compile(r"\brate.limit|\bper.(?:second|minute|hour)\b|\b[rt]pm\b", re.IGNORECASE)
# "messages.0.content: …" is about the request, whatever it quotes.
_OF_A_FIELD = re.compile(r"\s*[$\w\]\['\"]+[.\[/][$\w.\]\['\"/]*\s*:")
_WHERE_MONEY_IS_SAID = 300  # characters
_REQUEST = re.compile(
    r"\brequests?\s+(?:(?:at|with)\s+)?index\W{1,3}(\d{1,6})\b"
    r"|\brequests(?:\.|\[|/|\[['\"])(\d{1,6})\b"
    r"|\brequests\s*(?:->|→|>|:)\s*(\d{1,6})\s*(?:->|→|>|:)"
)


def is_about_money(said: str) -> bool:
    """Whether an error's sentence says that the account may not spend any more."""
    beginning = said[:_WHERE_MONEY_IS_SAID]
    if _OF_A_FIELD.match(beginning) or _OF_A_RATE.search(beginning):
        return False
    return _SPENT.search(beginning) is not None


def named_request(said: str) -> int | None:
    """Return the place in the job of the request that a refusal names, as in `requests.2.params: …`.

    Of several the first: the others are named when the job is sent again without it.
    """
    found = _REQUEST.search(said)
    return None if found is None else int(found[found.lastindex or 0])


# What stands before an error's sentence when it is about one request of a batch, and what it is about then.
_PLACE = re.compile(r"^\s*(?:requests[.\[]\d+\]?[.:]?\s*(?:params[.:]\s*)?)?", re.IGNORECASE)
_NOT_OURS = re.compile(
    r"(?:tools|tool_choice|messages|system|mcp_servers|thinking|output_config\.effort)\b", re.IGNORECASE
)
_OUTPUT = re.compile(r"output_(?:config\.)?format\b", re.IGNORECASE)
_GRAMMAR = re.compile(
    r"\bgrammars?\b.*(?:too large|too complex|compil|timed? ?out|exceed)|compil\w* .*\b(?:grammar|schema)s?\b"
    r"|for '\w+' type, |structured outputs? (?:is|are) not (?:supported|available)",
    re.IGNORECASE | re.DOTALL,
)
_SCHEMA = re.compile(
    r"\bschemas?\b.*(?:complex|compil|timed? ?out|too (?:many|large|deep)|support|not (?:permitted|allowed)"
    r"|invalid|circular|recursi|must )|(?:unsupported|unknown|invalid|circular) .*\bschemas?\b"
    r"|\$ref\b.*not supported|additionalProperties",
    re.IGNORECASE | re.DOTALL,
)


def is_about_schema(said: str) -> bool:
    """Whether a refusal is about the schema of an output format: too large, or with an unsupported part.

    The sentences are those of the service's schema compiler. What they say of the caller's own tools or
    messages, by their place in the request, does not count.
    """
    text = _PLACE.sub("", said, count=1)
    if _NOT_OURS.match(text):
        return False
    return any(pattern.search(text[:2_000]) for pattern in (_OUTPUT, _GRAMMAR, _SCHEMA))
