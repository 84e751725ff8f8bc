"""Walk through parsed Python."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path


@cache
def nodes_in(path: Path) -> list[ast.AST]:
    """All nodes of a file, its module first: parsed once, as all its tests are run by one worker."""
    return nodes_of(ast.parse(path.read_text(encoding="utf-8")))


def nodes_of(tree: ast.AST) -> list[ast.AST]:
    """All nodes of a tree but the contexts of names, as `ast.walk` finds them in twice the time."""
    found = [tree]
    for node in found:  # it grows
        for value in vars(node).values():
            if isinstance(value, list):
                found += [part for part in value if isinstance(part, ast.AST)]
            elif isinstance(value, ast.AST) and not isinstance(value, ast.expr_context):
                found.append(value)
    return found
