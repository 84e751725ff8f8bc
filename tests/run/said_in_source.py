"""Find what the package says when it raises or warns, and whether a test has the words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from source_trees import nodes_in

_ROOT = Path(__file__).resolve().parents[2]
_GAP = "\0"  # where a value is put in
_WORDS = 3  # in a row


def messages() -> list[tuple[str, str]]:
    """Return each text of an error or a warning that is made, with its place; none of the sandbox."""
    found = set()
    for path in sorted((_ROOT / "batchata").rglob("*.py")):
        if "sandbox" not in path.parts:
            for node in nodes_in(path):
                if isinstance(node, ast.Call) and _says(node):
                    place = f"{path.relative_to(_ROOT)}:{node.lineno}"
                    found |= {(place, text) for each in node.args for text in _texts(each)}
    return sorted((place, text) for place, text in found if len(text.split()) >= _WORDS)


def _says(call: ast.Call) -> bool:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    return name == "warn" or name.endswith(("Error", "Warning"))


def _texts(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(part.value if isinstance(part, ast.Constant) else _GAP for part in parts)
        case ast.IfExp(body=one, orelse=other):
            yield from _texts(one)
            yield from _texts(other)


def texts_of_tests() -> str:
    """Return the words of all tests and of MESSAGES.md, patterns as what they match."""
    files = [*(_ROOT / "tests").rglob("*.py"), _ROOT / "MESSAGES.md"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    joined = re.sub(r'"\s*\n\s*[fr]*"', "", text)
    return re.sub(r"\s+", " ", re.sub(r"\\([.(){}\[\]$|'*+?])", r"\1", joined))


def rows_in(told: str) -> set[str]:
    """Return every so many words in a row: to look one up takes no time."""
    words = told.split(" ")
    return {" ".join(row) for row in zip(*(words[at:] for at in range(_WORDS)), strict=False)}


def is_tried(message: str, told: str, rows: set[str]) -> bool:
    """Whether enough words of it in a row stand there; fewer between its values count by all of them."""
    for part in message.split(_GAP):
        words = part.split()
        wanted = [" ".join(words[at : at + _WORDS]) for at in range(max(len(words) - _WORDS + 1, 1))]
        if len(words) > 1 and (not rows.isdisjoint(wanted) or any(row in told for row in wanted)):
            return True
    return False
