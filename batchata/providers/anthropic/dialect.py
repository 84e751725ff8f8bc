"""Anthropic's Message Batches API behind the dialect's port."""

from __future__ import annotations

from datetime import date

from batchata.answers.answer import Block
from batchata.answers.grounding import Sources
from batchata.providers.anthropic.results import answer_blocks, decode_line
from batchata.providers.anthropic.sources import sources_of
from batchata.providers.models import Model, find_model
from batchata.providers.port import Outcome


class AnthropicDialect:
    """Requests and result lines of the Message Batches API; see the port."""

    name = "anthropic"

    def model(self, name: str, today: date) -> Model:
        """See the port, and `find_model` for what it warns of."""
        return find_model(name, today)

    def outcome(self, line: bytes) -> Outcome:
        """See the port."""
        return decode_line(line)

    def blocks(self, line: bytes) -> list[Block]:
        """See the port."""
        return answer_blocks(line)

    def sources(self, body: bytes) -> Sources:
        """See the port."""
        return sources_of(body)
