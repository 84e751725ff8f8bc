"""Look citations up in documents, and keep what was found for when these are gone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import batched
from typing import Any, Final, cast

import msgspec

from batchata.answers.answer import Citation
from batchata.answers.citations import of_blocks
from batchata.answers.grounding import Sources
from batchata.answers.located import LOCATED, looked_up
from batchata.answers.reader import Reading
from batchata.core.events import CitationsChecked
from batchata.core.ranges import holds
from batchata.core.state import Job, Run
from batchata.core.values import Checked, Place
from batchata.log.port import Log
from batchata.providers.port import Dialect
from batchata.providers.registry import dialect_of
from batchata.text import iso
from batchata.views.item_inputs import documents

_WINDOW: Final = 64  # answers that are held at a time
_MOST_KEPT: Final = 16  # jobs whose checks are held
_SIGNS: Final = {True: "+", False: "-", None: "?"}
_MEANT: Final = {"+": True, "-": False, "?": None}
_MOST_ANSWERS: Final = 1_000  # of an event
_PLACES: Final = {
    "page_location": ("start_page_number", "end_page_number"),
    "char_location": ("start_char_index", "end_char_index"),
}


def checked_now(
    log: Log, run: Run, number: int, is_to_stop: Callable[[], bool]
) -> Iterator[CitationsChecked]:
    """Look up the citations of a job's answers in the files they refer to, as far as these are still there.

    Left out are answers that were checked before, and runs whose documents the log itself holds: these can be
    looked into at any time.
    """
    started = run.started
    if started is None or not started.enable_citations or started.input_kind != "files":
        return
    for answers in batched(_check(log, run, run.jobs[number], is_to_stop), _MOST_ANSWERS):
        yield CitationsChecked(job=number, answers=list(answers))


def _check(log: Log, run: Run, job: Job, is_to_stop: Callable[[], bool]) -> Iterator[Checked]:
    checks, body = CitationChecks.of(log, run), run.items.body
    known = checks.of_job(job)
    answers = sorted(
        (body[i], i) for i in job.indexes() if holds(job.bodies, body[i]) and body[i] not in known
    )
    for window in batched(answers, _WINDOW):
        lines = list(log.bodies(checks.stream, [body for body, _ in window]))
        inputs = list(log.bodies(checks.stream, [run.input_body(index) for _, index in window]))
        for (number, index), line, asked in zip(window, lines, inputs, strict=True):
            if is_to_stop():
                return
            found = None if line is None or asked is None else _look(checks.dialect, line, asked)
            if found is not None:
                yield Checked(index, number, *found)


def _citations(dialect: Dialect, line: bytes) -> list[Citation]:
    """Return the citations in a result line; none where it is not an answer."""
    outcome = dialect.outcome(line)
    return of_blocks(outcome.blocks) if outcome.error is None else []


def _look(dialect: Dialect, line: bytes, asked: bytes) -> tuple[str, list[Place | None]] | None:
    """Return what is found of an answer's citations; None without citations or without a document."""
    cited = _citations(dialect, line)
    sources = dialect.sources(asked) if cited else Sources()
    if not any(source is not None for source in sources.documents):
        return None
    told = [looked_up(citation, sources) for citation in cited]
    places = [_place(citation) for citation in told] if any(c.kind == LOCATED for c in told) else []
    return "".join(_SIGNS[citation.grounded] for citation in told), places


def _place(citation: Citation) -> Place | None:
    """Return where a quote was found."""
    ends = _PLACES.get(citation.type)
    if ends is None or not citation.grounded:
        return None
    return citation.type, getattr(citation, ends[0]), getattr(citation, ends[1])


@dataclass(slots=True)
class CitationChecks:
    """What can be said about citations today: from their documents, or else from the log."""

    log: Log
    run: Run
    stream: str
    dialect: Dialect
    _known: OrderedDict[int, dict[int, tuple[int, Checked]]] = field(default_factory=OrderedDict)  # by job

    @classmethod
    def of(cls, log: Log, run: Run) -> CitationChecks:
        """Return those of a run that has begun."""
        assert run.started is not None
        return cls(log, run, run.started.run_id, dialect_of(run.started))

    def told(self, index: int, reading: Reading, line: bytes, asked: bytes | None) -> Reading:
        """Return the reading of an answer to `asked`, with what was found about its citations."""
        now = reading.checked_in(None if asked is None else self.dialect.sources(asked))
        if all(citation.grounded is not None for citation in _each(now)):
            return now
        then = self._recorded(self.run.items.body[index], self.run.items.job[index])
        return now if then is None else _as_of(now, *then, self.dialect, line, asked)

    def _recorded(self, body: int, number: int) -> tuple[int, Checked] | None:
        """Return what the log says of the answer in this body, and when that was found."""
        job = self.run.jobs.get(number)
        if job is None or not holds(job.bodies, body):  # an older answer was accepted after all
            job = next((job for job in self.run.jobs.values() if holds(job.bodies, body)), None)
        return None if job is None or not job.checks else self.of_job(job).get(body)

    def of_job(self, job: Job) -> dict[int, tuple[int, Checked]]:
        """Return what the log says of the job's answers, by their bodies, and when that was found."""
        known = self._known.get(job.number)
        if known is None:
            recorded = self.log.events_at(self.stream, job.checks)
            known = self._known[job.number] = {
                answer.body: (at, answer)
                for _, at, event in recorded
                for answer in cast("CitationsChecked", event).answers
            }
            if len(self._known) > _MOST_KEPT:
                self._known.popitem(last=False)
        return known


def _each(reading: Reading) -> Iterator[Citation]:
    cited = reading.citations
    for each in cited.values() if isinstance(cited, dict) else [cited or []]:
        yield from each


def _as_of(
    now: Reading, at: int, then: Checked, dialect: Dialect, line: bytes, asked: bytes | None
) -> Reading:
    """Return the reading with what was found at that time, where nothing can be found today."""
    cited = _citations(dialect, line)
    if len(cited) != len(then.found):  # another version read other citations in the answer
        return now
    places = then.places or [None] * len(cited)
    title = documents(msgspec.json.decode(asked))[0].name if asked and then.places else None
    when = iso(at)
    known: dict[Citation, dict[str, Any]] = {
        citation: {"grounded": _MEANT[sign], "checked_at": when} | _placed(place, title)
        for citation, sign, place in zip(cited, then.found, places, strict=True)
        if sign != "?"
    }

    def dated(citation: Citation) -> Citation:
        if citation.grounded is not None:
            return citation
        return _with(citation, **known.get(_with(citation, supports=None), {}))

    found = now.citations
    if isinstance(found, dict):
        return _with(now, citations={path: [*map(dated, each)] for path, each in found.items()})
    return _with(now, citations=[*map(dated, found or [])])


def _placed(place: Place | None, title: str | None) -> dict[str, Any]:
    if place is None or place[0] not in _PLACES:
        return {}
    first, end = _PLACES[place[0]]
    return {"type": place[0], "document_index": 0, "document_title": title, first: place[1], end: place[2]}


_with = msgspec.structs.replace
