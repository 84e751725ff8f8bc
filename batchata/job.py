"""Send one job at once with batch(), and look at its BatchJob at any time."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor
from typing import Any

from msgspec.structs import replace

from batchata.core.plan import ENVELOPE_BYTES
from batchata.errors import InvalidInputError
from batchata.manager import BatchManager
from batchata.paths import PathLike
from batchata.providers.given_prices import Prices
from batchata.run.definition import Definition
from batchata.run.engine import Engine
from batchata.run.hooks import OnEvent, OnItem
from batchata.run.settings import (
    CheckSupport,
    Money,
    OnBadFile,
    OnInterrupt,
    Rows,
    StructuredOutput,
)
from batchata.run.to_do import Call
from batchata.run_results import RunResults, T
from batchata.terminal.progress import EVERY
from batchata.views.run_summary import Summary, summary


class BatchJob(RunResults[T]):
    """One job that has been sent; `is_complete()` polls it once, `run()` waits for it.

        job = batch(messages=["Say hi"], model="claude-haiku-4-5", state_path="job.db")
        while not job.is_complete():
            time.sleep(60)

    `results()`, `items()`, the tables and `stats()` are those of a `BatchManager`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def is_complete(self) -> bool:
        """Ask once how far the batch is, and collect its results when it has ended.

            if job.is_complete():
                print(job.results())

        True when every item is completed or failed; from then on no call is made any more.
        """
        return self._engine.drive(Call(once=True)).pending == 0

    def run(self, print_progress: bool = False, progress_interval: float = EVERY) -> Summary:
        """Wait until the job is done.

            summary = job.run(print_progress=True)

        Returns the same summary as `BatchManager.run()`, and raises what that raises.
        """
        return summary(self._engine.drive(Call(show_progress=print_progress, every=progress_interval)))

    def cancel(self) -> Summary:
        """Ask for the batch to be cancelled, and collect what it had finished.

            print(job.cancel()["completed_items"])

        What was cancelled stays pending: `run()` would send it again. Returns the summary.
        """
        return summary(self._engine.cancel())


def batch(  # noqa: PLR0913 - the arguments of BatchManager
    *,
    model: str,
    messages: Iterable[Any] | None = None,
    files: Iterable[Any] | None = None,
    rows: Rows | None = None,
    prompt: str | None = None,
    keys: Iterable[str | int] | str | None = None,
    response_model: type[T] | None = None,
    enable_citations: bool = False,
    max_cost: Money | None = None,
    prices: Prices | PathLike | None = None,
    max_wait_time: float | None = 3600.0,
    state_path: PathLike | None = None,
    run_id: str | None = None,
    results_dir: PathLike | None = None,
    raw_results_dir: PathLike | None = None,
    max_attempts: int = 3,
    max_tokens: int = 4096,
    dedupe: bool = False,
    poll_interval: float | None = None,
    retry_delay: float | None = None,
    settle_delay: float | None = None,
    api_key: str | None = None,
    base_url: str | None = None,
    client: object | None = None,
    on_interrupt: OnInterrupt = "detach",
    on_bad_file: OnBadFile = "raise",
    structured_output: StructuredOutput = "auto",
    check_support: CheckSupport = "report",
    executor: Executor | None = None,
    allow_unknown_model: bool = False,
    on_event: OnEvent | None = None,
    on_item: OnItem | None = None,
    **message_params: Any,
) -> BatchJob[T]:
    """Send all items as one job, now, and return it. The arguments are those of `BatchManager`.

        job = batch(messages=["Say hi", "Say bye"], model="claude-haiku-4-5", state_path="job.db")
        job.run()
        print(job.results())

    With a `state_path` that holds the same job already, that job is taken up and nothing is sent again.

    Raises what `BatchManager` and its `run()` raise, and InvalidInputError when the items are more than one
    batch can hold.
    """
    _check_params(message_params)
    manager = BatchManager(
        model=model,
        items_per_job=1,  # all of them together, once they are counted
        max_parallel_jobs=1,
        messages=messages,
        files=files,
        rows=rows,
        prompt=prompt,
        keys=keys,
        response_model=response_model,
        enable_citations=enable_citations,
        max_cost=max_cost,
        prices=prices,
        max_wait_time=max_wait_time,
        state_path=state_path,
        run_id=run_id,
        results_dir=results_dir,
        raw_results_dir=raw_results_dir,
        max_attempts=max_attempts,
        max_tokens=max_tokens,
        dedupe=dedupe,
        poll_interval=poll_interval,
        retry_delay=retry_delay,
        settle_delay=settle_delay,
        api_key=api_key,
        base_url=base_url,
        client=client,
        on_interrupt=on_interrupt,
        on_bad_file=on_bad_file,
        structured_output=structured_output,
        check_support=check_support,
        executor=executor,
        allow_unknown_model=allow_unknown_model,
        on_event=on_event,
        on_item=on_item,
        **message_params,
    )
    engine = manager._engine  # noqa: SLF001 - of the same run
    _check_fits_one_job(engine.definition)
    engine.settings = replace(engine.settings, items_per_job=engine.definition.count)
    engine.drive(Call(once=True))
    return BatchJob(engine)


def _check_params(message_params: dict[str, Any]) -> None:
    for name in ("cache", "items_per_job", "max_parallel_jobs"):
        if name in message_params:
            raise InvalidInputError(
                f"{name} is an argument of BatchManager; batch() sends one job, leave it out"
            )


def _check_fits_one_job(definition: Definition) -> None:
    count, limits = definition.count, definition.dialect.limits
    if count > limits.batch_requests:
        raise InvalidInputError(f"{count:,} items are more than one batch can hold; use BatchManager")
    measures = definition.measures()
    size = ENVELOPE_BYTES + sum(map(measures.size, range(count)))
    if count > 1 and size > limits.batch_bytes:
        raise InvalidInputError(f"{size / 1e6:,.0f} MB are more than one batch can hold; use BatchManager")
