"""What is said when something cannot be done is one table, and each line of it says what to do."""

from __future__ import annotations

import messages_table
from said_in_source import is_tried, messages, rows_in, texts_of_tests


def test_the_table_of_messages_is_what_is_said() -> None:
    """MESSAGES.md to the letter; `python tests/run/messages_table.py` writes it anew."""
    assert messages_table.table() == messages_table.TABLE.read_text(encoding="utf-8")


def test_most_of_what_is_said_is_tried_word_for_word() -> None:
    """Three words in a row of each message stand in a test, for nine messages in ten at least.

    The others are named when it fails: the rest are lines of damaged files and services that no test makes.
    """
    told, said = texts_of_tests(), messages()
    rows = rows_in(told)
    untried = [(place, text) for place, text in said if not is_tried(text, told, rows)]
    assert len(untried) < len(said) / 10, "\n".join(f"{place}: {text}" for place, text in untried)
