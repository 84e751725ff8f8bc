"""What is said when something cannot be done is one table, and each line of it says what to do."""

from __future__ import annotations

import messages_table


def test_the_table_of_messages_is_what_is_said() -> None:
    """MESSAGES.md to the letter; `python tests/run/messages_table.py` writes it anew."""
    assert messages_table.table() == messages_table.TABLE.read_text(encoding="utf-8")
