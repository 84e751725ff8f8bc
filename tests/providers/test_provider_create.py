"""Creating a batch through the real SDK: what is certain, what is refused, and what stays unknown."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from provider_given import body, closed_port, creates

from batchata.errors import (
    AuthenticationFailedError,
    ProviderError,
    ProviderUnavailableError,
    RateLimitedError,
    RequestRefusedError,
    SpendLimitError,
    UnknownSubmissionError,
)
from batchata.sandbox import Faults


@pytest.mark.parametrize("wrapped", [bytes, io.BytesIO])
def test_a_batch_is_created_from_bytes_or_a_file(serve: Any, connect: Any, wrapped: Any) -> None:
    """The body goes out as it is; what comes back is the batch, by the provider's clock."""
    sandbox = serve("fine", delay=1000.0)
    batch = connect(sandbox).submit(wrapped(body(3)))
    (made,) = sandbox.batches
    assert (batch.batch_id, batch.size, batch.ended, batch.status) == (made.id, 3, False, "in_progress")
    assert made.custom_ids == ("r-0", "r-1", "r-2")
    assert abs(batch.created_at - made.created_at.timestamp() * 1e6) < 1000
    assert batch.expires_at is not None
    assert batch.expires_at - batch.created_at == 24 * 3600 * 1_000_000


REFUSALS = {
    400: (RequestRefusedError, "invalid_request_error"),
    401: (AuthenticationFailedError, "authentication_error"),
    402: (SpendLimitError, "billing_error"),
    403: (AuthenticationFailedError, "permission_error"),
    404: (RequestRefusedError, "not_found_error"),
    413: (RequestRefusedError, "request_too_large"),  # a page of HTML from the network's edge
    422: (RequestRefusedError, None),
    429: (RateLimitedError, "rate_limit_error"),
}


@pytest.mark.parametrize("status", REFUSALS)
def test_a_definite_no_is_an_error_of_its_kind(serve: Any, connect: Any, status: int) -> None:
    """Nothing was created, which the error's class says; the API's words are in its message."""
    sandbox = serve("fine", faults=Faults(create_status=[status]))
    expected, kind = REFUSALS[status]
    with pytest.raises(ProviderError) as caught:
        connect(sandbox).submit(body())
    assert type(caught.value) is expected
    assert caught.value.status == status
    assert kind is None or caught.value.kind == kind
    assert f"HTTP {status}" in str(caught.value)
    assert "<html" not in str(caught.value).lower()
    assert (creates(sandbox), sandbox.batches) == (1, [])


@pytest.mark.parametrize("status", [408, 409, 500, 503, 504, 529])
@pytest.mark.parametrize("created", [False, True])
def test_anything_else_leaves_open_whether_a_batch_exists(
    serve: Any, connect: Any, status: int, created: bool
) -> None:
    """The same answer comes with a batch made and without, so it is unknown; and it is not asked twice."""
    faults = (
        Faults(create_status_after=[status, status]) if created else Faults(create_status=[status, status])
    )
    sandbox = serve("fine", faults=faults)
    with pytest.raises(UnknownSubmissionError) as caught:
        connect(sandbox).submit(body())
    assert caught.value.status == status
    assert (creates(sandbox), len(sandbox.batches)) == (1, int(created))


def test_a_model_that_is_not_there_is_named_and_not_the_address(script: Any, connect: Any) -> None:
    """The API itself answered, so its address is right."""
    script.says(404, '{"type":"error","error":{"type":"not_found_error","message":"model: claude-9"}}')
    with pytest.raises(
        RequestRefusedError, match=r"model: claude-9; check the model's name, and that"
    ) as told:
        connect(script).submit(body())
    assert "ANTHROPIC_BASE_URL" not in str(told.value)


def test_a_lost_answer_is_unknown_and_not_repeated(serve: Any, connect: Any) -> None:
    """The connection breaks after the batch was made: one POST, one batch, and no claim about it."""
    sandbox = serve("fine", faults=Faults(lost_create_responses=3))
    with pytest.raises(UnknownSubmissionError, match="no answer"):
        connect(sandbox).submit(body())
    assert (creates(sandbox), len(sandbox.batches)) == (1, 1)


def test_an_answer_that_takes_too_long_is_unknown(serve: Any, connect: Any) -> None:
    """Giving up does not undo what the provider did."""
    sandbox = serve("fine", faults=Faults(create_hang=5.0))
    with pytest.raises(UnknownSubmissionError, match="Timeout"):
        connect(sandbox, timeout=0.2).submit(body())
    assert len(sandbox.batches) == 1


def test_without_a_connection_nothing_was_created(connect: Any) -> None:
    """Nobody listens: the call may be repeated at once."""
    with pytest.raises(ProviderUnavailableError, match="no answer"):
        connect(f"http://127.0.0.1:{closed_port()}").submit(body())


def test_a_rate_limit_says_when_to_come_back(serve: Any, connect: Any) -> None:
    """`retry-after` in seconds, however long; without the header, None."""
    sandbox = serve("fine", faults=Faults(create_status=[429, 429], retry_after=86400))
    provider = connect(sandbox)
    with pytest.raises(RateLimitedError) as told:
        provider.submit(body())
    sandbox.faults.retry_after = None
    with pytest.raises(RateLimitedError) as untold:
        provider.submit(body())
    assert (told.value.retry_after, untold.value.retry_after) == (86400.0, None)


def test_a_used_up_spend_limit_is_no_rate_limit(serve: Any, connect: Any) -> None:
    """The same status 429, but waiting seconds cannot help."""
    sandbox = serve("fine", faults=Faults(spend_limit=True))
    with pytest.raises(SpendLimitError) as caught:
        connect(sandbox).submit(body())
    assert (caught.value.kind, caught.value.status) == ("billing_error", 429)


@pytest.mark.parametrize(
    "said",
    [
        "You have reached your specified API usage limits. You will regain access on 2026-12-01.",
        "Your credit balance is too low to access the Anthropic API.",
    ],
)
def test_a_limit_set_in_the_console_is_a_spend_limit(script: Any, connect: Any, said: str) -> None:
    """It comes as a plain 400, told only by its text."""
    error = {"type": "invalid_request_error", "message": said}
    script.says(400, json.dumps({"type": "error", "error": error}))
    with pytest.raises(SpendLimitError, match=said[:20]):
        connect(script).submit(body())


def test_recorded_errors_are_of_the_right_kind(script: Any, connect: Any, recorded: Path) -> None:
    """Every error that was recorded with its status becomes the error that says what to do about it."""
    expected = {status: error for status, (error, _) in REFUSALS.items()}
    provider = connect(script)
    paths = [p for p in sorted((recorded / "errors").iterdir()) if p.name[0] in "45"]
    assert len(paths) > 15
    for path in paths:
        said = json.loads(path.read_text(encoding="utf-8"))
        kept = {k: v for k, v in (said.get("response_headers") or {}).items() if k == "retry-after"}
        script.replies = [(said["status"], kept, said["raw_body"].encode())]
        with pytest.raises(ProviderError) as caught:
            provider.submit(body())
        money = "credit balance is too low" in said["raw_body"]
        wanted = SpendLimitError if money else expected.get(said["status"], UnknownSubmissionError)
        assert type(caught.value) is wanted, path.name
        if isinstance(caught.value, RateLimitedError) and kept:
            assert caught.value.retry_after == float(kept["retry-after"])


def test_a_page_that_is_not_the_api_is_said_to_be_none(script: Any, connect: Any) -> None:
    """An address that answers everything with a web page is a mistake in the environment."""
    script.says(200, "<html>welcome</html>", content_type="text/html")
    with pytest.raises(RequestRefusedError, match="ANTHROPIC_BASE_URL"):
        connect(script).poll(["msgbatch_1"], 0)


def test_calls_go_out_as_the_api_wants_them(script: Any, connect: Any) -> None:
    """JSON with the key, the version and nothing of the SDK's own retries."""
    script.says(200, json.dumps({"id": "msgbatch_1", "processing_status": "in_progress"}))
    connect(script).submit(body())
    ((method, path, headers, sent),) = script.asked
    assert (method, path, sent) == ("POST", "/v1/messages/batches", body())
    assert headers["content-type"] == "application/json"
    assert headers["authorization"] == "Bearer sandbox-key"
    assert headers["anthropic-version"]


def test_a_login_in_the_base_url_leaves_the_key_its_place(script: Any, connect: Any) -> None:
    """It fills the Authorization header, so the key goes as x-api-key, and both arrive."""
    script.says(200, json.dumps({"id": "msgbatch_1", "processing_status": "in_progress"}))
    provider = connect(script.url.replace("//", "//user:p%40ss@"))
    provider.submit(body())
    headers = script.asked[0][2]
    assert headers["authorization"] == "Basic dXNlcjpwQHNz"
    assert headers["x-api-key"] == "sandbox-key"
    assert provider.base_url == script.url
