"""What the sentences of the Message Batches API say that its error types and statuses do not."""

from __future__ import annotations

import re

# An account without credit, and a limit that the user set in the Console, are plain invalid_request_errors.
_SPENT = ("your credit balance is too low", "you have reached your specified api usage limits")
_REQUEST = re.compile(r"\brequests[.\[](\d{1,6})\b")


def is_about_money(said: str) -> bool:
    """Whether an error's sentence says that the account may not spend any more."""
    return said.lstrip().lower().startswith(_SPENT)


def named_request(said: str) -> int | None:
    """The place in the job of the one request that a refusal of the job names, as `requests.2.params: …`."""
    places = {int(place) for place in _REQUEST.findall(said)}
    return places.pop() if len(places) == 1 else None


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
    """Whether a refusal is one of the schema of an output format: too large, or with a part it cannot have.

    The sentences are those of the service's schema compiler. What is said of the caller's own tools or
    messages by their place in the request is not meant.
    """
    text = _PLACE.sub("", said, count=1)
    if _NOT_OURS.match(text):
        return False
    return any(pattern.search(text[:2_000]) for pattern in (_OUTPUT, _GRAMMAR, _SCHEMA))
