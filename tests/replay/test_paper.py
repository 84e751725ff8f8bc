"""Long tables are printed some lines at a time, to the byte as line by line."""

from __future__ import annotations

import io

import pytest

from batchata.replay.console import Paper, aligned

MANY = 2_500


class Counting(io.StringIO):
    """Standard output that counts what is written to it at once."""

    writes = 0

    def write(self, text: str) -> int:
        """See `io.StringIO.write`."""
        self.writes += 1
        return super().write(text)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"COLUMNS": "20"},
        {"FORCE_COLOR": "1", "TERM": "xterm"},
        {"FORCE_COLOR": "1", "TERM": "dumb"},
        {"NO_COLOR": "1", "FORCE_COLOR": "1"},
    ],
)
def test_columns_are_the_lines_in_few_writes(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a pipe, a narrow terminal, with colours and without: also lines that are wide, blank or in two."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    rows = [(str(number), "é漢x"[: number % 4] * 30, "a\nb" if number % 7 else "") for number in range(MANY)]
    lines = [*aligned([("job", "name", "below"), *rows], right=(0,)), "", "the last"]
    together, apart = Counting(), Counting()
    monkeypatch.setattr("sys.stdout", apart)
    paper = Paper()
    paper.line(lines[0], "bold")
    for line in lines[1:]:
        paper.line(line)
    monkeypatch.setattr("sys.stdout", together)
    Paper().columns(lines)
    assert together.getvalue() == apart.getvalue()
    assert apart.writes > MANY
    assert together.writes < 10


def test_a_table_without_rows_is_its_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    """No blank line follows them."""
    out = Counting()
    monkeypatch.setattr("sys.stdout", out)
    Paper().columns(["job"])
    assert out.getvalue() == "job\n"
