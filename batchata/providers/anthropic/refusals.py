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
