"""Estimate offline how many input tokens things take. Anthropic publishes no tokenizer.

The figures for text are fitted to the counts that the published tokenizer of Claude 2 gives for text in 75
languages, English messages, JSON, XML and tables; those for what the API adds by itself are differences
between recorded usage and the text that was sent. `tests/benchmarks/estimate_error.py` measures both against
recordings.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from typing import Any, Final

LETTERS: Final = (string.ascii_letters + " ").encode()
_DIGITS: Final = string.digits.encode()
_OTHER_ASCII: Final = bytes(set(range(128)) - set(LETTERS + _DIGITS))
# The first byte of a character in UTF-8 says how many it has: two in Latin with accents, Greek, Cyrillic,
# Hebrew and Arabic, three in Indian scripts, Chinese, Japanese and Korean, four in emoji.
_KINDS: Final = (
    (LETTERS, 1 / 4.2),
    (_DIGITS, 1 / 1.5),
    (_OTHER_ASCII, 1 / 2.3),
    (bytes(range(0xC2, 0xE0)), 1 / 1.2),
    (bytes(range(0xE0, 0xF0)), 1.0),
    (bytes(range(0xF0, 0xF8)), 1.8),
)

FRAME: Final = 8.0  # around any conversation
TURN: Final = 3.0  # around each further message
_CITED: Final = 520.0  # the instructions for citations
_PER_MARK: Final = 18.0  # what marks each citable sentence, or block of custom content
_MARK_BOUND: Final = 24  # the same with a tokenizer that makes 30% more
_SENTENCE_CHARACTERS: Final = 60
FORMAT: Final = 120.0  # the instructions for structured output, beside the schema
SCHEMA: Final = 1.2  # tokens of a schema as the API hands it on, by token of its JSON
TOOLS: Final = 510.0  # the hidden system prompt of requests with tools
_PDF_TEXT: Final = 1 / 3.6  # tokens of one shown character of a PDF
UNSIZED: Final = 3_000.0  # a document by URL or file id: a page, as only the provider knows

_SENTENCES: Final = re.compile(rb"[.!?](?=\s)|\xe3\x80\x82|\n\n")  # \xe3… is the full stop of Chinese


def text_tokens(text: str | bytes) -> float:
    """Return the tokens of a text on models up to generation 4.6; for later ones see `Model.text_factor`."""
    rest = text if isinstance(text, bytes) else text.encode(errors="replace")
    tokens = 0.0
    for kind, weight in _KINDS:  # the first kind takes most of the text away, so that one pass is long
        left = rest.translate(None, kind)
        tokens += (len(rest) - len(left)) * weight
        rest = left
        if not rest:
            break
    return tokens


def sentences(text: str | bytes) -> int:
    """Estimate how many sentences a text has: each is marked for citing."""
    data = text if isinstance(text, bytes) else text.encode(errors="replace")
    return len(_SENTENCES.findall(data)) + 1


def sentences_of_pdf(characters: int) -> int:
    """Estimate how many sentences a PDF with so many shown characters has."""
    return -(-characters // _SENTENCE_CHARACTERS)


def pdf_tokens(characters: int) -> float:
    """Return the text tokens of a PDF with so many shown characters; its pages also count as images."""
    return characters * _PDF_TEXT


def mark_tokens(marks: int) -> float:
    """Return what so many citable sentences or blocks add, with the instructions to cite."""
    return marks * _PER_MARK + _CITED if marks else 0.0


def mark_bound(marks: int) -> int:
    """Bound what the marks themselves add; see `hidden_tokens` for the instructions."""
    return marks * _MARK_BOUND


CITATIONS_TOKENS: Final = 1_000
TOOLS_TOKENS: Final = 1_000
FORMAT_TOKENS: Final = 300
OWN_SCHEMA_TOKENS: Final = 1_500  # of a tool whose schema the service knows
# Tools that the caller runs: the answer ends with the call. All others are run by the service, which may
# call the model again with what they found, as often as it likes.
_CALLERS_TOOLS: Final = ("bash_", "text_editor_", "computer_", "memory_")


def hidden_tokens(params: Mapping[str, Any], enable_citations: bool) -> int:
    """Bound the input tokens that the service adds to a request with these parameters."""
    tools = params.get("tools") or ()
    typed = sum(_type(tool) is not None for tool in tools)
    has_format = bool((params.get("output_config") or {}).get("format"))
    return (
        CITATIONS_TOKENS * enable_citations
        + TOOLS_TOKENS * bool(tools)
        + OWN_SCHEMA_TOKENS * typed
        + FORMAT_TOKENS * has_format
    )


def service_tools(params: Mapping[str, Any]) -> list[str]:
    """Return the types of tools that the service runs itself: they leave a request without a worst case."""
    types = [_type(tool) for tool in params.get("tools") or ()]
    return [name for name in types if name is not None and not name.startswith(_CALLERS_TOOLS)]


def _type(tool: Mapping[str, Any]) -> str | None:
    """Return the tool's type; None for a tool that the caller has described."""
    name = tool.get("type")
    return None if name in (None, "custom") else str(name)
