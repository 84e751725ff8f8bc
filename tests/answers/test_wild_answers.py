"""What became of every collected output in the wild: the right value, or a failure that says why."""

from __future__ import annotations

import json
from functools import reduce
from pathlib import Path
from typing import Any

import msgspec
import pydantic

from batchata.answers.answer import Block
from batchata.answers.parsing import UnreadableAnswer, parse
from batchata.answers.reader import Reader

# Everything that ends without a value, and the reason that its user reads.
FAILURES = {
    "dev-12": "the answer holds several different values that fit",  # four tool calls in one answer
    "dev-13": "the answer's JSON is cut off",  # inside a string
    "dev-24": "the answer's JSON is cut off",  # in an escape
    "dev-26": "the answer's JSON is cut off",  # behind a key
    "dev-27": "the answer holds several different values that fit",  # two fences, two values
    "dev-28": "the answer's JSON is cut off",  # inside a string
    "dev-34": "the answer holds no JSON object",
}
# No JSON, but meant in one way only: read as the parser reads it that the case was written for.
MENDED = {"dev-30", "dev-32"}  # single quotes; a comma that lacks before a key
# What the models of the cases without a value are made of.
SHAPES = {
    "dev-12": {"step": "step1"},
    "dev-13": {"colors": ["x"]},
    "dev-24": {"foo": "bar"},
    "dev-26": {"vertices": [{"id": "x"}]},
    "dev-28": {"name": "x", "experience": ["x"]},
    "dev-34": {"name": "x"},
}


def model_like(example: dict[str, Any], name: str = "Wanted") -> type[pydantic.BaseModel]:
    """A model with these fields, nested as they are, of the types that they have."""
    fields: dict[str, Any] = {
        f"f{n}": (_type_of(value, f"{name}{n}"), pydantic.Field(alias=key))
        for n, (key, value) in enumerate(example.items())
    }
    return pydantic.create_model(name, **fields)


def _type_of(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return model_like(value, name)
    if isinstance(value, list) and value:
        kinds = [_type_of(item, f"{name}_{n}") for n, item in enumerate(value)]
        return list[reduce(lambda a, b: a | b, kinds)]  # type: ignore[misc]
    return Any if value is None or value == [] else type(value)


def test_every_output_in_the_wild_is_right_or_a_clean_failure(shared: Path) -> None:
    """34 outputs, 20 of them recorded from models; there is no third way."""
    cases = json.loads((shared / "json_wild/cases.json").read_text(encoding="utf-8"))
    failures, mended, right = {}, set(), 0
    for case in cases:
        expected = case["expected"]
        if case["id"] in MENDED:
            expected = case["repaired_upstream"]
        shape = SHAPES.get(case["id"]) or (expected if isinstance(expected, dict) else expected[0])
        try:
            found = parse(case["text"], model_like(shape))
        except UnreadableAnswer as exc:
            failures[case["id"]] = str(exc)
            continue
        value = found.value.model_dump(by_alias=True)
        assert (value if isinstance(expected, dict) else [value]) == expected, case["id"]
        mended |= {case["id"]} if found.mended and case["expected"] is None else set()
        right += 1
    assert failures == FAILURES
    assert mended == MENDED
    assert right + len(failures) == len(cases) == 34


def test_every_recorded_structured_answer_is_right_or_a_clean_failure(recordings: Any) -> None:
    """Natively structured answers: each finished one gives its value, and calls of tools give the calls."""
    outcomes: dict[str, str] = {}
    for name, _, answer in recordings("structured"):
        text = "".join(block["text"] for block in answer["content"] if block["type"] == "text")
        value = json.loads(text) if answer["stop_reason"] == "end_turn" else {"anything": "x"}
        reading = Reader(model_like(value), False).read(
            msgspec.convert(answer["content"], list[Block]), answer["stop_reason"]
        )
        if reading.error is not None:
            outcomes[name] = f"{answer['stop_reason']}: {reading.error.kind}"
            assert reading.result is None
            continue
        if isinstance(reading.result, dict):
            outcomes[name] = f"{answer['stop_reason']}: {len(reading.result['tool_calls'])} call"
            continue
        assert isinstance(reading.result, pydantic.BaseModel)
        assert reading.result.model_dump(by_alias=True) == value, name
        outcomes[name] = "right"
    assert len(outcomes) == 22
    failed = {outcome for outcome in outcomes.values() if outcome != "right"}
    assert failed == {"tool_use: 1 call"}


def test_no_cut_of_a_wild_output_gives_another_value(shared: Path) -> None:
    """Whatever is left of an output is read as the whole value or not at all."""
    cases = json.loads((shared / "json_wild/cases.json").read_text(encoding="utf-8"))
    for case in cases:
        expected = case["expected"]
        if not isinstance(expected, dict) or case.get("ambiguous"):
            continue
        model = model_like(expected)
        for cut in range(1, 40):
            text = case["text"][: len(case["text"]) * cut // 40]
            try:
                found = parse(text, model).value.model_dump(by_alias=True)
            except UnreadableAnswer:
                continue
            assert found == expected, (case["id"], cut)
