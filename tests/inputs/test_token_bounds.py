"""No request has more input tokens than were held back for it: the bound against recorded answers."""

from __future__ import annotations

import json
import warnings
from base64 import b64encode
from collections.abc import Iterator
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from claude_inputs import read_inputs
from pypdf import PdfReader

from batchata.providers.anthropic.models import find_model
from batchata.providers.anthropic.requests import RequestTemplate
from batchata.providers.anthropic.tokens import service_tools


def recorded(shared: Path) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Every recorded request that has a model and an answer with usage: (name, request, usage)."""
    pdfs = {sha256(path.read_bytes()).hexdigest(): path for path in (shared / "pdf").glob("*.pdf")}
    for path in sorted((shared / "anthropic").glob("*/*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        body, request = found.get("body"), found.get("request")
        if isinstance(body, dict) and body.get("usage") and request and request.get("model"):
            yield path.name, _restored(request, pdfs), body["usage"]


def _restored(value: Any, pdfs: dict[str, Path]) -> Any:
    if isinstance(value, list):
        return [_restored(inner, pdfs) for inner in value]
    if not isinstance(value, dict):
        return value
    if "_elided_base64" in value:
        return b64encode(pdfs[value["sha256_of_decoded"]].read_bytes()).decode()
    return {name: _restored(inner, pdfs) for name, inner in value.items()}


def bound_of(request: dict[str, Any]) -> int:
    """What is held back for it, in input tokens."""
    params = dict(request)
    messages = params.pop("messages")
    with warnings.catch_warnings(action="ignore"):
        model = find_model(params["model"], date(2026, 11, 25))
    cited = '"citations": {"enabled": true}' in json.dumps(messages)
    inputs = read_inputs(messages=[messages], model=model, enable_citations=cited)
    return inputs.token_bound(0) + RequestTemplate(params, enable_citations=cited).token_bound


def test_the_bound_holds_for_every_recorded_request(shared: Path) -> None:
    """Text, PDFs, citations, tools and schemas; only tools that the service runs know no bound."""
    seen, closest = 0, 0.0
    for name, request, usage in recorded(shared):
        used = usage["input_tokens"]
        used += sum(usage.get(f"cache_{kind}_input_tokens") or 0 for kind in ("creation", "read"))
        if service_tools(request):
            continue
        seen += 1
        closest = max(closest, used / bound_of(request))
        assert used <= bound_of(request), name
        assert usage["output_tokens"] <= request["max_tokens"], name
    print(f"{seen} recorded requests; at most {closest:.0%} of the tokens held back were used")  # noqa: T201 - a figure to be read
    assert seen >= 30


def test_the_text_of_a_page_is_bounded_by_its_characters(shared: Path) -> None:
    """One token a character, forms included, where that is more than the documented 3,000 a page."""
    with warnings.catch_warnings(action="ignore"):
        model = find_model("claude-haiku-4-5", date(2026, 11, 25))
    dense = shared / "pdf" / "us_federal_register_15p.pdf"
    pages = [page.extract_text() for page in PdfReader(dense).pages]
    inputs = read_inputs(files=[dense], prompt="Read.", model=model)
    text = inputs.token_bound(0) - len(pages) * model.image_tokens
    assert text >= sum(max(3_000, round(len(page) * 0.95)) for page in pages)


@pytest.mark.parametrize(
    ("tools", "found"),
    [
        ([], []),
        ([{"name": "own", "input_schema": {}}], []),
        ([{"name": "own", "type": "custom", "input_schema": {}}], []),
        ([{"name": "bash", "type": "bash_20250124"}], []),
        ([{"name": "web_search", "type": "web_search_20250305"}], ["web_search_20250305"]),
        ([{"name": "x", "type": "whatever_comes_next"}], ["whatever_comes_next"]),
    ],
)
def test_tools_that_the_service_runs_are_told_apart(tools: list[dict[str, Any]], found: list[str]) -> None:
    """What is not known to be run by the caller counts as run by the service."""
    assert service_tools({"tools": tools}) == found


def test_what_is_added_unseen_is_held_back_too() -> None:
    """Citations, tools and an output format each put a hidden text before the request."""
    plain = RequestTemplate({}).token_bound
    assert RequestTemplate({}, enable_citations=True).token_bound == plain + 1_000
    tools = {"tools": [{"name": "bash", "type": "bash_20250124"}]}
    template = RequestTemplate(tools)
    assert template.token_bound == template.size + plain - RequestTemplate({}).size + 2_500
