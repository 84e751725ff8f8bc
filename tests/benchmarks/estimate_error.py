"""How far the offline estimate is from what was really used: `python tests/benchmarks/estimate_error.py`.

Measures the input tokens that `estimate()` would expect against the usage in recorded answers of the API
(../shared/data/dev or BATCHATA_SHARED), by kind. An error of +10% is too much expected.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pypdf import PdfReader

from batchata.answers.json_schema import answer_length
from batchata.errors import BatchataError
from batchata.inputs.pdf import read_pdf
from batchata.providers.anthropic.messages import check_conversation
from batchata.providers.anthropic.models import MODELS, Model
from batchata.providers.anthropic.page_bounds import page_rules
from batchata.providers.anthropic.requests import RequestTemplate
from batchata.run.estimating import CHARACTERS_A_TOKEN

SHARED = Path(os.environ.get("BATCHATA_SHARED", Path(__file__).parents[3] / "shared" / "data" / "dev"))
# The question was not recorded; the answer is about this page, whose text is the document's title and a line.
QUESTION = "What is the answer to the ultimate question?"
SERVER_TOOLS = ("web_search", "web_fetch", "code_execution")
KINDS = {
    "text": "text",
    "schema": "structured output",
    "tools": "tools of the caller",
    "document": "text documents, cited",
    "blocks": "custom content and search results, cited",
    "pdf": "PDF pages, cited",
}


def exchanges() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(where it is from, request, message) of everything that was recorded with both."""
    for folder in ("citations", "structured", "stop_reasons"):
        for path in sorted((SHARED / "anthropic" / folder).glob("*.json")):
            recorded = json.loads(path.read_text(encoding="utf-8"))
            body, request = recorded.get("body"), recorded.get("request")
            if request is None and recorded.get("cited_pdf"):
                request = _about_a_pdf(recorded, body)
            if isinstance(request, dict) and isinstance(body, dict) and "messages" in request:
                yield path.name, request, body
    for path in sorted((SHARED / "anthropic" / "batches").glob("*.json")):
        yield from _batched(path)


def _about_a_pdf(recorded: dict[str, Any], body: dict[str, Any]) -> dict[str, Any] | None:
    if not (body or {}).get("usage"):
        return None
    data = (SHARED.parent / recorded["cited_pdf"]).read_bytes()
    source = {"type": "base64", "media_type": "application/pdf", "data": b64encode(data).decode()}
    document = {"type": "document", "source": source, "citations": {"enabled": True}}
    content = [document, {"type": "text", "text": QUESTION}]
    return {"model": body["model"], "messages": [{"role": "user", "content": content}]}


def _batched(path: Path) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    requests: dict[str, dict[str, Any]] = {}
    for exchange in json.loads(path.read_text(encoding="utf-8"))["interactions"]:
        request = exchange.get("request")
        if isinstance(request, dict):
            requests |= {one["custom_id"]: one["params"] for one in request.get("requests", [])}
        lines = (exchange.get("raw_body") or "").splitlines()
        for line in lines if lines and lines[0].startswith('{"custom_id"') else []:
            outcome = json.loads(line)
            message = outcome["result"].get("message")
            if message and outcome["custom_id"] in requests:
                yield path.name, requests[outcome["custom_id"]], message


def kind_of(request: dict[str, Any]) -> str | None:
    """The kind of content; None where the provider's own tools added what nobody can count beforehand."""
    if any(str(tool.get("type", "")).startswith(SERVER_TOOLS) for tool in request.get("tools") or []):
        return None
    text = json.dumps(request)
    if '"application/pdf"' in text:
        return "pdf"
    if '"search_result"' in text or '"type": "content"' in text:
        return "blocks"
    if '"document"' in text:
        return "document"
    if request.get("tools"):
        return "tools"
    return "schema" if "output_format" in request or "output_config" in request else "text"


@dataclass(frozen=True)
class Case:
    """One recorded answer: the input tokens expected, the most that we would reserve for, and those used."""

    name: str
    expected: int
    bound: int
    used: int

    @property
    def error(self) -> float:
        """+0.1: a tenth too much was expected."""
        return self.expected / self.used - 1


def case_of(name: str, request: dict[str, Any], message: dict[str, Any]) -> Case:
    """What we would have expected of this request.

    Raises InvalidInputError when it is of a form that Batchata refuses to send.
    """
    model = MODELS.get(str(message.get("model") or request.get("model")), MODELS["claude-haiku-4-5"])
    params = {name: request[name] for name in ("system", "tools") if request.get(name)}
    shape = request.get("output_format") or (request.get("output_config") or {}).get("format")
    if shape:
        params["output_config"] = {"format": shape}
    cited = '"enabled": true' in json.dumps(request)
    conversation = check_conversation(restored(request["messages"]), "recorded", model, cited)
    template = RequestTemplate(params, enable_citations=cited)
    expected = conversation.tokens + round(template.text_tokens * model.text_factor)
    bound = conversation.token_bound + template.token_bound
    return Case(name, expected, bound, used_tokens(message))


def restored(value: Any) -> Any:
    """With the PDFs back in that were left out of the recording, and without earlier answers' citations."""
    if isinstance(value, list):
        return [restored(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if "_elided_base64" in value:
        for path in (SHARED / "pdf").glob("*.pdf"):
            if hashlib.sha256(path.read_bytes()).hexdigest() == value["sha256_of_decoded"]:
                return b64encode(path.read_bytes()).decode()
        return ""
    kept = {"citations": value["citations"]} if isinstance(value.get("citations"), dict) else {}
    return {key: restored(inner) for key, inner in value.items() if key != "citations"} | kept


def used_tokens(message: dict[str, Any]) -> int:
    """All input tokens of an answer."""
    kinds = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return sum(message["usage"].get(kind) or 0 for kind in kinds)


def measured() -> tuple[dict[str, list[Case]], int]:
    """The cases by kind, and how many recorded requests are refused by our checks."""
    found: dict[str, list[Case]] = defaultdict(list)
    refused = 0
    for name, request, message in exchanges():
        kind, usage = kind_of(request), message.get("usage")
        if kind is None or not usage:
            continue
        try:
            found[kind].append(case_of(name, request, message))
        except BatchataError:
            refused += 1
    return found, refused


def answers_by_schema() -> list[tuple[int, int]]:
    """Output tokens of structured answers: those expected of the schema, and those used."""
    found = []
    for _, request, message in exchanges():
        shape = request.get("output_format") or (request.get("output_config") or {}).get("format")
        if shape and message.get("usage") and not request.get("tools"):
            expected = round(answer_length(shape["schema"]) / CHARACTERS_A_TOKEN)
            found.append((expected, message["usage"]["output_tokens"]))
    return found


def characters_of_pdfs() -> dict[str, tuple[int, int]]:
    """By name of each readable PDF: characters that are counted, and those that reading it out finds."""
    found = {}
    for path in sorted((SHARED / "pdf").glob("*.pdf")):
        try:
            counted = read_pdf(path.read_bytes(), path.name, page_rules(Model(id="any"))).characters
        except BatchataError:
            continue
        found[path.name] = counted, sum(len(page.extract_text()) for page in PdfReader(path).pages)
    return found


def main() -> None:
    found, refused = measured()
    print(
        f"{'kind of content':42} {'answers':>7} {'expected':>9} {'used':>7} "
        f"{'in all':>7} {'median':>7} {'worst':>7}"
    )
    for kind, title in KINDS.items():
        cases = found[kind]
        if not cases:
            continue
        expected, used = sum(case.expected for case in cases), sum(case.used for case in cases)
        errors = [case.error for case in cases]
        print(
            f"{title:42} {len(cases):7} {expected:9,} {used:7,} {expected / used - 1:+7.0%} "
            f"{statistics.median(map(abs, errors)):7.0%} {max(errors, key=abs):+7.0%}"
        )
    answers = answers_by_schema()
    errors = [expected / used - 1 for expected, used in answers]
    whole = sum(expected for expected, _ in answers) / sum(used for _, used in answers) - 1
    print(
        f"output of {len(answers)} structured answers, by their schema: {whole:+.0%} in all, "
        f"{statistics.median(map(abs, errors)):.0%} in the median, {max(errors, key=abs):+.0%} at worst"
    )
    pdfs = characters_of_pdfs().values()
    errors = [counted / read - 1 for counted, read in pdfs if read]
    whole = sum(counted for counted, _ in pdfs) / sum(read for _, read in pdfs) - 1
    print(
        f"characters of {len(pdfs)} PDFs, counted without decoding: {whole:+.0%} in all, "
        f"{statistics.median(map(abs, errors)):.0%} in the median, {max(errors, key=abs):+.0%} at worst"
    )
    if refused:
        print(f"{refused} recorded requests are of a form that Batchata refuses to send")


if __name__ == "__main__":
    main()
