"""What services do that their guides do not say: each is read, waited for or refused, and none guessed."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

import pytest
from like_openai import OWN_WORDS

from batchata.errors import (
    AuthenticationFailedError,
    BatchNotFoundError,
    IncompleteResultsError,
    ProviderUnavailableError,
    RateLimitedError,
    RequestRefusedError,
    UnknownSubmissionError,
    UnreadableReplyError,
)
from batchata.providers.exchange import Outcome, Upload
from batchata.providers.openai.dialect import OpenAIDialect
from batchata.providers.port import Client
from batchata.providers.registry import Access
from batchata.providers.rest.lines import lines_of

CHAT = {"choices": [{"message": {"content": "fine"}, "finish_reason": "stop"}]}
WITH_FILE = {"response": {"responsesFile": "files/1"}, "done": True}
ENDED = {"name": "batches/b", "metadata": {"state": "BATCH_STATE_SUCCEEDED"}, **WITH_FILE}
NO_FILE = "You do not have permission to access the File 1 or it may not exist."


def read(line: dict[str, Any]) -> Outcome:
    """The outcome in a line."""
    return OpenAIDialect("openai-compatible").outcome(json.dumps({"custom_id": "r"} | line).encode())


def client(script: Any, provider: str) -> Client:
    """The provider's client at the script's server."""
    return Access("key", script.url).client(provider)


@pytest.mark.parametrize(
    "line",
    [
        {"response": {"status_code": 200, "body": CHAT}},
        {"response": {"status_code": "200", "body": CHAT}, "error": {}},
        {"response": {"status_code": 201, "body": CHAT}, "error": ""},
        {"response": {"body": CHAT}, "error": None},
        {"response": CHAT},
        {"response": {"body": {"choices": [{"message": {"content": [{"type": "text", "text": "fine"}]}}]}}},
        {
            "response": {
                "status_code": 200,
                "body": {
                    "choices": [
                        {
                            "message": {
                                "content": [
                                    {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                                    {"type": "text", "text": "fi"},
                                    {"type": "text", "text": "ne"},
                                ]
                            }
                        }
                    ]
                },
            }
        },
    ],
)
def test_an_answer_is_read_however_its_line_is_written(line: dict[str, Any]) -> None:
    """A status in quotes or none at all, the answer without a body around it, a text in parts."""
    found = read(line)
    assert (found.kind, found.error, [block.text for block in found.blocks]) == ("succeeded", None, ["fine"])
    assert OpenAIDialect().blocks(found.line) == found.blocks


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"response": None, "error": "the worker died"}, "the worker died"),
        ({"response": {"status_code": "500", "body": {"error": "boom"}}}, "boom"),
        ({"response": {"status_code": 500, "body": CHAT}}, "no reason (status 500)"),
        ({"response": {"status_code": 200, "body": CHAT}, "error": {"message": "cut"}}, "cut"),
        ({"response": {}}, "no reason"),
        ({}, "no reason"),
    ],
)
def test_what_is_no_answer_says_why(line: dict[str, Any], said: str) -> None:
    """In whatever form the error is given; an answer beside an error is not believed."""
    found = read(line)
    assert found.kind == "errored"
    assert found.error is not None
    assert said in found.error.message


def test_arguments_of_a_call_are_kept_whether_written_as_text_or_not() -> None:
    """A few servers give the object itself."""
    for arguments in ('{"city": "Rome"}', {"city": "Rome"}):
        call = {"id": "c", "function": {"name": "weather", "arguments": arguments}}
        message = {"content": None, "tool_calls": [call]}
        body = {"choices": [{"message": message, "finish_reason": "tool_calls"}]}
        (block,) = read({"response": {"status_code": 200, "body": body}}).blocks
        assert (block.name, block.input) == ("weather", {"city": "Rome"})


@pytest.mark.parametrize("pieces", [[b"\xef\xbb\xbf{}\n{}"], [b"\xef", b"\xbb\xbf{", b"}\n{}"]])
def test_a_byte_order_mark_is_no_part_of_the_first_line(pieces: list[bytes]) -> None:
    """A file written by a tool of Windows loses no line for it."""
    assert list(lines_of(iter(pieces))) == [(b"{}", True), (b"{}", False)]


@pytest.mark.parametrize(
    ("status", "ended"), [("canceled", True), ("CANCELLED", True), ("canceling", False), ("Completed", True)]
)
def test_a_status_is_read_in_either_spelling(script: Any, status: str, ended: bool) -> None:
    """And whatever its case."""
    script.says(200, json.dumps({"id": "b", "status": status, "in_progress_at": 1, "output_file_id": "f"}))
    assert client(script, "openai-compatible").poll(["b"], 0)["b"].ended is ended


def test_a_model_that_is_not_there_is_named_and_not_the_address(script: Any) -> None:
    """The service itself answered; another 404 of a create asks for its address."""
    for message, advice in (
        ("The model `m` does not exist", "check the model's name, and that this key may use it"),
        ("Not found", "is base_url the address of the API"),
    ):
        script.replies.clear()
        script.says(404, json.dumps({"error": {"message": message}}))
        with pytest.raises(RequestRefusedError) as told:
            client(script, "openai-compatible").submit(Upload("f", "m"))
        assert f"{message}; {advice}" in str(told.value)


def test_a_list_without_entries_may_be_written_as_null(script: Any) -> None:
    """Where it says that there are no more; without that it is no list, and nothing is decided by it."""
    script.says(200, '{"data": null, "has_more": false}')
    assert list(client(script, "openai-compatible").find(0, 1, Upload("f", "m"))) == []
    script.replies.clear()
    script.says(200, '{"data": null}')
    with pytest.raises(UnreadableReplyError, match="holds no list"):
        list(client(script, "openai-compatible").find(0, 1, Upload("f", "m")))


@pytest.mark.parametrize(
    ("provider", "page"),
    [
        ("openai-compatible", {"data": [{"id": "b", "metadata": {}}], "has_more": True}),
        ("xai", {"batches": [{"batch_id": "b", "name": "n"}], "pagination_token": "again"}),
        ("gemini", {"operations": [{"name": "batches/b", "metadata": {}}], "nextPageToken": "again"}),
    ],
)
def test_a_list_whose_pages_repeat_proves_nothing(script: Any, provider: str, page: dict[str, Any]) -> None:
    """It ends with an error, not with the absence of what was looked for."""
    script.says(200, json.dumps(page))
    with pytest.raises(UnreadableReplyError, match="pages repeat"):
        list(client(script, provider).find(0, 1, Upload("f", "m")))
    assert len(script.asked) == 2


@pytest.mark.parametrize(
    ("provider", "page"),
    [
        ("openai-compatible", {"data": [{"id": "b", "metadata": {}}, {"metadata": {}}]}),
        ("openai-compatible", {"data": [{"id": "b", "metadata": {}}, "c"]}),
        ("xai", {"batches": [{"batch_id": "b", "name": "n"}, {}]}),
        ("together", [{"id": "b"}, 7]),
        ("mistral", {"data": [{"id": "b"}, None]}),
        ("gemini", {"operations": [{"name": "batches/b", "metadata": {}}, {"metadata": {}}]}),
    ],
)
def test_a_list_with_an_entry_without_a_name_proves_nothing(script: Any, provider: str, page: Any) -> None:
    """What can be read of it is handed over; then it ends with an error: the lost batch may be that entry."""
    script.says(200, json.dumps(page))
    looking = client(script, provider).find(0, 1, Upload("f", "m"))
    with pytest.raises(UnreadableReplyError, match="an entry has no"):
        list(looking)
    assert len(script.asked) == 1


@pytest.mark.parametrize("provider", ["openai-compatible", *OWN_WORDS, "gemini"])
def test_an_upload_without_a_name_for_the_file_made_no_batch(script: Any, provider: str) -> None:
    """It is made again: nothing was created, and an upload costs nothing."""
    script.says(200, "{}")
    body = b'{"custom_id":"m-0","method":"POST","url":"/v1/chat/completions","body":{"model":"small"}}\n'
    body = body if provider != "gemini" else b'{"key":"m-0","request":{"model":"models/small"}}\n'
    with pytest.raises(ProviderUnavailableError, match="uploading a job: the answer names no"):
        client(script, provider).stage("m", body)


def test_a_file_that_the_service_calls_too_large_is_split(script: Any) -> None:
    """By the kind that makes jobs smaller, whatever the service's own word for it."""
    script.says(400, json.dumps({"error": {"message": "File is too large for batches", "code": "bad"}}))
    with pytest.raises(RequestRefusedError) as caught:
        client(script, "openai-compatible").stage("m", b"{}\n")
    assert caught.value.kind == "request_too_large"


@pytest.mark.parametrize(("status", "ends"), [("cancelling", True), ("failed", True), ("in_progress", False)])
def test_a_refused_cancel_of_a_batch_that_ends_anyway_is_done(script: Any, status: str, ends: bool) -> None:
    """It was asked for before, or there is nothing to cancel."""
    script.says(409, json.dumps({"error": {"message": f"Cannot cancel a batch with status '{status}'."}}))
    script.says(200, json.dumps({"id": "b", "status": status}))
    with nullcontext() if ends else pytest.raises(ProviderUnavailableError):
        client(script, "openai-compatible").cancel("b")
    assert len(script.asked) == 2


def test_a_key_that_is_refused_cancels_nothing(script: Any) -> None:
    """Gemini answers so with 400, as to a cancel of what has ended; the batch runs on, and is paid for."""
    reason = [{"reason": "API_KEY_INVALID"}]
    error = {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT", "details": reason}
    script.says(400, json.dumps({"error": error}))
    with pytest.raises(AuthenticationFailedError):
        client(script, "gemini").cancel("batches/b")


def test_a_description_of_another_batch_or_without_a_state_says_nothing(script: Any) -> None:
    """It is neither ended nor gone."""
    for provider, said, why in (
        ("openai-compatible", {"id": "c", "status": "completed"}, "does not describe this batch"),
        ("openai-compatible", {"id": "b"}, "without its status"),
        ("openai-compatible", {"status": "completed"}, "does not describe this batch"),
        ("gemini", {"name": "batches/c", "done": True}, "does not describe this batch"),
        ("gemini", {"name": "batches/b", "metadata": {}}, "without its state"),
    ):
        script.replies.clear()
        script.says(200, json.dumps(said))
        with pytest.raises(UnreadableReplyError, match=why):
            client(script, provider).poll(["b"], 0)


def test_a_count_that_is_none_is_not_believed(script: Any) -> None:
    """Tokens are counted by an endpoint of their own; what it says must be a number of tokens."""
    request = b'{"custom_id":"r","body":{"model":"small","input":"hello","max_output_tokens":16}}'
    for said, found in (({"input_tokens": 7}, 7), ({"input_tokens": "7"}, None), ({}, None)):
        script.replies.clear()
        script.says(200, json.dumps(said))
        if found is None:
            with pytest.raises(ProviderUnavailableError, match="counting tokens: the answer has no count"):
                client(script, "openai").count_tokens(request)
        else:
            assert client(script, "openai").count_tokens(request) == found


def test_results_whose_pages_repeat_are_not_whole(script: Any) -> None:
    """They end with an error, so that what they lack is not taken to be missing."""
    entry = {"batch_request_id": "r", "batch_result": {"response": {"chat_get_completion": CHAT}}}
    script.says(200, json.dumps({"results": [entry], "pagination_token": "again"}))
    with pytest.raises(IncompleteResultsError, match="pages repeat"):
        list(client(script, "xai").outcomes("b"))
    assert len(script.asked) == 2


@pytest.mark.parametrize("provider", ["openai-compatible", *OWN_WORDS, "gemini"])
@pytest.mark.parametrize("answer", ["", "null", '{"id": "another"}', "[]", "OK"])
def test_a_cancel_that_is_taken_may_be_answered_by_anything(script: Any, provider: str, answer: str) -> None:
    """Only its status matters, as the batch is asked for afterwards."""
    script.says(200, answer)
    client(script, provider).cancel("b")
    assert len(script.asked) == 1


@pytest.mark.parametrize("provider", ["openai-compatible", *OWN_WORDS, "gemini"])
@pytest.mark.parametrize("answer", ["", "null", "{}", "<html>", '{"error": {"message": "internal"}}', "[1]"])
def test_a_create_that_is_taken_and_says_nothing_is_open(script: Any, provider: str, answer: str) -> None:
    """Whatever stands behind a status of success: a batch may be there, and is looked for."""
    script.says(200, answer)
    with pytest.raises(UnknownSubmissionError):
        client(script, provider).submit(Upload("f", "m", "/v1/chat/completions", "small"))
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    ("provider", "headers", "body", "seconds"),
    [
        ("openai-compatible", {"retry_after_ms": "1500"}, {}, 1.5),
        ("openai-compatible", {"retry_after": "7"}, {}, 7.0),
        ("openai-compatible", {"retry_after": "soon"}, {}, None),
        (
            "gemini",
            {},
            {"error": {"code": 429, "message": "slow", "details": [{"retryDelay": "34.5s"}]}},
            34.5,
        ),
        ("gemini", {}, {"error": {"code": 429, "message": "slow", "details": [{"retryDelay": "0s"}]}}, None),
        ("gemini", {}, {"error": {"code": 429, "message": "slow", "details": [{"retryDelay": 5}]}}, None),
    ],
)
def test_a_rate_limit_says_how_long_in_its_own_way(
    script: Any, provider: str, headers: dict[str, str], body: dict[str, Any], seconds: float | None
) -> None:
    """In a header, or in the body as Google does; what is no time is none."""
    script.says(429, json.dumps(body), **headers)
    with pytest.raises(RateLimitedError) as caught:
        client(script, provider).poll(["b"], 0)
    assert caught.value.retry_after == seconds


def test_a_file_of_results_that_is_gone_is_not_waited_for(script: Any) -> None:
    """Google refuses it as if the key were wrong; it is looked for again, and then given up."""
    script.says(200, json.dumps(ENDED))
    script.says(403, json.dumps({"error": {"code": 403, "message": NO_FILE, "status": "PERMISSION_DENIED"}}))
    with pytest.raises(BatchNotFoundError, match="fetching the results of b"):
        list(client(script, "gemini").outcomes("b"))


@pytest.mark.parametrize("provider", ["openai-compatible", *OWN_WORDS, "gemini"])
def test_a_page_of_html_is_no_word_about_a_batch(script: Any, provider: str) -> None:
    """A gateway may say so with any status: it is neither ended nor gone."""
    for status in (200, 404, 502):
        script.replies.clear()
        script.says(status, "<html>login</html>")
        with pytest.raises(ProviderUnavailableError if status == 502 else UnreadableReplyError):
            client(script, provider).poll(["b"], 0)
