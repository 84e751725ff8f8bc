"""Recorded answers and outputs in the wild, where they are at hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def recordings(shared: Path) -> Callable[[str], list[tuple[str, dict[str, Any], dict[str, Any]]]]:
    """Name, recording and answer of everything recorded in a folder that was not streamed."""

    def load(folder: str) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
        paths = sorted((shared / "anthropic" / folder).glob("*.json"))
        read = [(path.name, json.loads(path.read_text(encoding="utf-8"))) for path in paths]
        return [
            (name, said, said.get("body") or json.loads(said["raw_body"]))
            for name, said in read
            if not said.get("stream")
        ]

    return load
