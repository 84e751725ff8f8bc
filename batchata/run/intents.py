"""Plan the next job and write its intent: nothing is sent that the log does not know of."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from batchata.core import decide, events
from batchata.core.decide import AwaitRoom, Outlook, Situation, Submit
from batchata.core.money import plain_if_known
from batchata.core.plan import Measures
from batchata.core.ranges import to_ranges
from batchata.inputs import Inputs
from batchata.providers.port import Template
from batchata.run.bodies import Each, JobDescription
from batchata.run.estimating import Expectation
from batchata.run.journal import Journal, Notes


@dataclass(frozen=True, slots=True)
class Requests:
    """How requests are built, how large and expensive they get, and what is expected of them."""

    template: Template
    measures: Measures
    expectation: Expectation
    given_prices: str | None  # the source of the user's own prices; None: list prices


@dataclass(slots=True)
class Intents:
    """Intents of jobs, in their order; they are built for the schema's present route."""

    journal: Journal
    inputs: Inputs
    requests: Requests
    again: Callable[[str], Requests]  # the same for another way of the schema
    notes: Notes
    awaiting: Outlook | None = None  # while what fits into max_cost is too little for a job
    # What two copies of one log send must not be taken for each other.
    _token: str = field(init=False, default_factory=lambda: secrets.token_hex(3))

    def change_route(self, route: str) -> None:
        """Build requests with the schema in another way from now on."""
        self.requests, self.awaiting = self.again(route), None

    def following(self, *, submitting: bool) -> Submit | None:
        """Plan one more job; looking through all open ones for each would take long with thousands."""
        situation = Situation(busy=frozenset(), submitting=submitting, awaiting=self.awaiting)
        match decide.submissions(self.journal.run, self.journal.now(), self.requests.measures, situation):
            case [Submit() as step]:
                return step
            case [AwaitRoom(outlook)]:
                self.awaiting = outlook
        return None

    def write(self, step: Submit) -> JobDescription:
        """Write the intent of a job; return what sends it, once the intent is secured."""
        plan, run = step.plan, self.journal.run
        started, settings = run.started, run.settings
        assert started is not None
        max_tokens = run.max_tokens_of(plan.items[0])  # of them all
        self.journal.append(
            events.SubmissionStarted(
                job=step.number,
                items=to_ranges(plan.items),
                request_count=len(plan.items),
                bytes=plan.bytes,
                custom_ids=f"{started.tag}-{step.number}-{self._token}-{{index}}",
                reserved=plain_if_known(plan.reserved),
                expected=self.requests.expectation.of(plan.items),
                max_tokens=max_tokens,
                prices=self.requests.given_prices or msgspec.UNSET,
            )
        )
        job = run.jobs[step.number]
        return JobDescription(
            job=step.number,
            custom_ids=Each(job.custom_id, plan.items),
            sources=Each(self.inputs.source, plan.items),
            notes=[self.notes.of(index) for index in plan.items],
            template=self.requests.template.limited_to(max_tokens),
            bytes=plan.bytes,
            mark=job.mark,
            leaves_out=settings is not None and settings.on_bad_file == "fail",
        )
