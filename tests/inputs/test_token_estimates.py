"""The tokens that are expected of a request, and that the worst case is never less than what is used."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from claude_inputs import read_inputs
from pypdfium2 import PdfDocument

from batchata.inputs.pdf import read_pdf
from batchata.providers.anthropic.models import MODELS, Model
from batchata.providers.anthropic.page_bounds import page_rules
from batchata.providers.anthropic.requests import RequestTemplate
from batchata.providers.anthropic.tokens import text_tokens

OLD, NEW = MODELS["claude-sonnet-4-6"], MODELS["claude-opus-4-7"]


@pytest.fixture(scope="module")
def benchmark(shared: Path) -> ModuleType:
    """The script that measures the error of the estimate on recordings."""
    path = Path(__file__).parents[1] / "benchmarks" / "estimate_error.py"
    spec = importlib.util.spec_from_file_location("estimate_error", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["estimate_error"] = module
    spec.loader.exec_module(module)
    module.SHARED = shared  # type: ignore[attr-defined]
    return module


def test_recorded_usage_is_expected_within_a_tenth_by_kind(benchmark: ModuleType) -> None:
    """Summed over the recordings of a kind, as it is over the items of a run, the error stays below 10%."""
    found, _ = benchmark.measured()
    assert len(found) == len(benchmark.KINDS)
    for kind, cases in found.items():
        expected, used = sum(case.expected for case in cases), sum(case.used for case in cases)
        assert abs(expected / used - 1) < 0.1, kind


def test_no_recorded_request_used_more_than_the_worst_case(benchmark: ModuleType) -> None:
    """What is reserved for covers what the API adds: instructions for citations, tools and schemas."""
    found, _ = benchmark.measured()
    for cases in found.values():
        for case in cases:
            assert case.used <= case.bound, case.name


def test_what_is_expected_never_passes_the_worst_case(model: Model) -> None:
    """Not even for text that makes more tokens than it looks like."""
    texts = ["a", "\N{PILE OF POO}" * 300, "零" * 500, "1" * 900, "{}[]" * 200]
    inputs = read_inputs(messages=[[{"role": "user", "content": text}] for text in texts], model=model)
    for index in range(inputs.count):
        assert 0 < inputs.expected_tokens(index) <= inputs.token_bound(index)


def test_newer_tokenizers_make_a_third_more(blank_pdf: bytes) -> None:
    """The same text makes 30% more tokens since Claude 4.7, and a page as an image three times as many."""
    text = "The quick brown fox jumps over the lazy dog. " * 200
    old, new = (read_inputs(files=[text.encode(), blank_pdf], prompt="?", model=m) for m in (OLD, NEW))
    assert new.expected_tokens(0) / old.expected_tokens(0) == pytest.approx(1.3, rel=0.01)
    assert old.expected_tokens(1) == pytest.approx(2 * 1_568, abs=30)
    assert new.expected_tokens(1) == pytest.approx(2 * 4_784, abs=30)


def test_citable_text_costs_its_marks(model: Model) -> None:
    """With citations each sentence is marked, and instructions are added once."""
    text = ("One sentence here. " * 50).encode()
    plain, cited = (
        read_inputs(files=[text], prompt="?", model=model, enable_citations=on).expected_tokens(0)
        for on in (False, True)
    )
    assert plain + 50 * 15 + 500 < cited < plain + 50 * 40 + 900


def test_shared_parameters_count_for_every_request(model: Model) -> None:
    """System prompt, file prompt, schema and tools are in the template's share."""
    bare = RequestTemplate({}).text_tokens
    system = RequestTemplate({"system": "Be brief. " * 100}).text_tokens
    assert bare == 0
    assert system == pytest.approx(text_tokens("Be brief. " * 100))
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    shaped = RequestTemplate({"output_config": {"format": {"type": "json_schema", "schema": schema}}})
    assert shaped.text_tokens > text_tokens(str(schema)) + 100
    assert RequestTemplate({"tools": [{"name": "t"}]}).text_tokens > 500


def test_the_characters_of_pdfs_are_counted_well_enough(shared: Path) -> None:
    """Without decoding fonts the count is within a third of the extracted text of sound documents."""
    names = ["cited_ruby_llm_sample", "contract_sample_10p", "invoice_coolblue1_nl", "japanese_twotables"]
    names += ["schools_contributions_5p", "zugferd_miete_de", "us_federal_register_15p", "korean_covid_4p"]
    for name in names:
        path = shared / "pdf" / f"{name}.pdf"
        with PdfDocument(path) as document:
            extracted = sum(page.get_textpage().count_chars() for page in document)
        counted = read_pdf(path.read_bytes(), name, page_rules(NEW)).characters
        assert 0.7 < counted / extracted < 1.35, name


def test_pages_without_text_count_as_images_alone(shared: Path, make_pdf: Callable[..., bytes]) -> None:
    """A scan has no text that could be counted, and neither has a blank page."""
    scan = (shared / "pdf" / "scanned_ocr_test.pdf").read_bytes()
    assert read_pdf(scan, "scan", page_rules(NEW)).characters == 0
    assert read_pdf(make_pdf(3), "blank", page_rules(NEW)).characters == 0
