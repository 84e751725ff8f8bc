"""An answer with a text that JSON cannot hold is read, and costs no other one its place."""

from __future__ import annotations

import pytest

from batchata.errors import IncompleteResultsError
from batchata.providers.gemini import replies
from batchata.providers.gemini.results import outcome_of as gemini
from batchata.providers.mended_json import decoded
from batchata.providers.openai.results import outcome_of as openai

CHAT = b'{"custom_id":"r1","response":{"status_code":200,"body":{"choices":[{"message":{"content":"%s"}}]}}}'
XAI = (
    b'{"batch_request_id":"r1","batch_result":{"response":{"chat_get_completion":'
    b'{"choices":[{"message":{"content":"%s"}}]}}}}'
)
GEMINI = (
    b'{"key":"r1","response":{"candidates":[{"content":{"parts":[{"text":"%s"}]},"finishReason":"STOP"}]}}'
)
TEXTS = {
    rb"a\ud83d": "a\ufffd",
    rb"a\uDE00b": "a\ufffdb",
    rb"\ud83d\ud83d\ude00": "\ufffd\U0001f600",
    rb"\\ud83d\ud83d": "\\ud83d\ufffd",
    rb"\"\ud83d\u0041\n": '"\ufffdA\n',
    b"a\xffb": "a\ufffdb",
    b"a\x00\tb": "a\x00\tb",
}


@pytest.mark.parametrize("raw", TEXTS, ids=ascii)
def test_a_text_that_json_cannot_hold_is_read(raw: bytes) -> None:
    """Half of a pair and bytes of no character are replaced, and everything else is as it was sent."""
    for read, line in ((openai, CHAT), (openai, XAI), (gemini, GEMINI)):
        outcome = read(line % raw)
        assert (outcome.custom_id, outcome.kind, outcome.error) == ("r1", "succeeded", None)
        assert [block.text for block in outcome.blocks] == [TEXTS[raw]]
        assert outcome.line == line % raw


def test_answers_that_come_in_one_reply_are_read_too() -> None:
    """One odd text does not make the whole description unreadable."""
    inline = b'{"name":"batches/b","response":{"inlinedResponses":{"inlinedResponses":[%s,%s]}}}'
    body = inline % (GEMINI % rb"odd \ud83d", GEMINI % b"fine")
    assert decoded(replies.lean, body)["name"] == "batches/b"
    texts = [gemini(line).blocks[0].text for line in decoded(replies.answers_in, body)]
    assert texts == ["odd \ufffd", "fine"]


def test_what_is_no_number_costs_no_answer() -> None:
    """Figures beside a text may be NaN or infinite; the words of the text stay."""
    line = CHAT % b"NaN, -Infinity" + b" "
    for figure in (b"NaN", b"Infinity", b"-Infinity"):
        outcome = openai(line.replace(b'"choices":[{', b'"choices":[{"logprobs":{"content":[%s]},' % figure))
        assert [block.text for block in outcome.blocks] == ["NaN, -Infinity"]


def test_the_arguments_of_a_call_are_read_too() -> None:
    """They are JSON in a string, with escapes of their own."""
    call = rb'{"function":{"name":"look","arguments":"{\"at\": \"\\ud83d\"}"}}'
    line = CHAT.replace(b'"content":"%s"', b'"tool_calls":[%s]' % call)
    assert openai(line).blocks[0].input == {"at": "\ufffd"}


@pytest.mark.parametrize("read", [openai, gemini])
def test_a_line_that_is_cut_is_not_mended(read: object) -> None:
    """It may end anywhere, in an escape too; what is missing of it can still come."""
    line = (CHAT if read is openai else GEMINI) % rb"a\ud83d\ude00 b\ud83d"
    for end in range(len(line)):
        with pytest.raises(IncompleteResultsError):
            read(line[:end])  # type: ignore[operator]
