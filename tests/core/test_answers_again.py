"""Which stored answers may be read again, in place of paying for others."""

from __future__ import annotations

import json

from core_given import PROCESS, START, charged, items_added, job_completed, outcome, run_started, submitted

from batchata.answers.reader import Reader
from batchata.core import events as e
from batchata.core.evolve import fold
from batchata.log.memory import MemoryLog
from batchata.run.stored_answers import accepted_now


def answer(index: int) -> bytes:
    """A line of results with a good answer."""
    message = {
        "role": "assistant",
        "content": [{"type": "text", "text": f"answer {index}"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    result = {"type": "succeeded", "message": message}
    return json.dumps({"custom_id": f"tag-0-{index}", "result": result}).encode()


def test_an_answer_to_a_file_that_was_changed_since_is_none() -> None:
    """Its item is asked again, though the answer to the old file would be accepted today."""
    log = MemoryLog()
    refused = [(outcome(0, n, why="invalid_output", body=2 + n), charged(0, n, "1")) for n in (0, 1)]
    events: list[e.Event] = [run_started(max_attempts=1), items_added(0, 2), *submitted(0, (0, 1))]
    log.claim("run-1", PROCESS).append(
        START,
        [*events, *refused[0], *refused[1], job_completed(0, succeeded=2), e.ItemMended(index=0, body=4)],
        [b'{"messages":[]}', b'{"messages":[]}', answer(0), answer(1), b'{"messages":[]}'],
    )
    run = fold(log.entries("run-1"))
    (accepted,) = accepted_now(log, run, Reader(None, enable_citations=False), [0, 1])
    assert (accepted.index, accepted.body) == (1, 3)
