"""Change a log file as somebody would who knows SQLite: around the triggers that forbid it."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def tamper(path: Path, *statements: str) -> Path:
    """Change the file, and put the triggers back."""
    connection = sqlite3.connect(path)
    triggers = lift_triggers(connection)
    for statement in (*statements, *triggers):
        connection.execute(statement)
    connection.commit()
    connection.close()
    return path


def lift_triggers(connection: sqlite3.Connection) -> list[str]:
    """Take the triggers away; returns what makes them anew."""
    triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    return [sql for _, sql in triggers]
