"""Send one job at once with batch(), and look at its BatchJob at any time."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor
from functools import partial
from typing import Any, Generic, TypeVar, overload

import pydantic
import typing_extensions

from batchata.core.plan import ENVELOPE_BYTES
from batchata.errors import InvalidInputError
from batchata.log.port import Log
from batchata.providers.prices import Prices
from batchata.providers.registry import Access
from batchata.run.definition import Definition, define
from batchata.run.engine import Engine
from batchata.run.executors import check_executor
from batchata.run.file_checks import check_elsewhere
from batchata.run.hooks import Hooks, OnEvent, OnItem
from batchata.run.settings import (
    CheckSupport,
    Money,
    OnBadFile,
    OnInterrupt,
    PathLike,
    Rows,
    StructuredOutput,
    check_settings,
)
from batchata.run.store import RunStore
from batchata.run.to_do import Call
from batchata.terminal.account import printed
from batchata.terminal.progress import EVERY
from batchata.views.results import Entry
from batchata.views.run_summary import Stats, Summary, statistics, summary

T = typing_extensions.TypeVar("T", default=str)  # Python 3.12 has no defaults in its own syntax
Other = TypeVar("Other", bound=pydantic.BaseModel)


class BatchJob(Generic[T]):
    """One job that has been sent; `is_complete()` polls it once, `run()` waits for it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def run_id(self) -> str | None:
        """The run's name in the log."""
        return self._engine.store.run_id

    def is_complete(self) -> bool:
        """Ask once how far the batch is, and collect its results when it has ended.

        True when every item is completed or failed; from then on no call is made any more.
        """
        return self._engine.drive(Call(once=True)).pending == 0

    def run(self, print_progress: bool = False, progress_interval: float = EVERY) -> Summary:
        """Wait until the job is done; return the same summary as `BatchManager.run()`."""
        return summary(self._engine.drive(Call(show_progress=print_progress, every=progress_interval)))

    def open_log(self) -> Log:
        """Open the run's log for reading; close it after use.

        `batchata.replay.open` takes this object itself.

        Raises NotALogError while there is none.
        """
        return self._engine.store.open_log()

    @overload
    def results(self) -> list[Entry[T]]: ...
    @overload
    def results(self, response_model: type[Other]) -> list[Entry[Other]]: ...
    @overload
    def results(self, response_model: None) -> list[Entry[T]]: ...
    def results(self, response_model: type[pydantic.BaseModel] | None = None) -> list[Entry[Any]]:
        """Return one `{"result": …, "citations": …}` per item, in input order; None without a result."""
        return self._engine.results(response_model)

    def stats(self, print_stats: bool = False) -> Stats:
        """Return what was sent, used and paid so far; print it too if asked for."""
        settings, count = self._engine.settings, self._engine.definition.count
        run = self._engine.state()
        head = self._engine.head()
        stats = statistics(
            run, count, settings.results_dir, settings.raw_results_dir, head, self._engine.support()
        )
        text = printed(run, stats)
        if print_stats:
            print(text)  # noqa: T201 - what it is for
        return stats

    def cancel(self) -> Summary:
        """Ask for the batch to be cancelled, collect what it had finished, and return the summary."""
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

    With a `state_path` that holds the same job already, that job is taken up and nothing is sent again.

    Raises what `BatchManager` and its `run()` raise, and InvalidInputError when the items are more than one
    batch can hold.
    """
    access, hooks = Access(api_key, base_url), Hooks(on_event, on_item)
    hands = check_executor(executor)
    definition = define(
        messages=messages,
        files=files,
        rows=rows,
        prompt=prompt,
        keys=keys,
        model=model,
        response_model=response_model,
        enable_citations=enable_citations,
        max_tokens=max_tokens,
        dedupe=dedupe,
        prices=prices,
        on_bad_file=on_bad_file,
        structured_output=structured_output,
        allow_unknown_model=allow_unknown_model,
        message_params=message_params,
        check_elsewhere=None if hands is None else partial(check_elsewhere, hands),
    )
    _check_fits_one_job(definition)
    settings = check_settings(
        items_per_job=max(definition.count, 1),
        max_parallel_jobs=1,
        max_attempts=max_attempts,
        max_cost=max_cost,
        max_wait_time=max_wait_time,
        poll_interval=poll_interval,
        retry_delay=retry_delay,
        settle_delay=settle_delay,
        results_dir=results_dir,
        raw_results_dir=raw_results_dir,
        on_interrupt=on_interrupt,
        on_bad_file=on_bad_file,
        structured_output=structured_output,
        check_support=check_support,
        has_cited_fields=response_model is not None and enable_citations,
        limits=definition.dialect.limits,
    )
    connect = partial(access.client, definition.dialect.name)
    engine = Engine(definition, settings, RunStore(state_path, run_id), connect, hooks, hands)
    engine.drive(Call(once=True))
    return BatchJob(engine)


def _check_fits_one_job(definition: Definition) -> None:
    count, limits = definition.count, definition.dialect.limits
    if count > limits.batch_requests:
        raise InvalidInputError(f"{count:,} items are more than one batch can hold; use BatchManager")
    measures = definition.measures()
    size = ENVELOPE_BYTES + sum(map(measures.size, range(count)))
    if count > 1 and size > limits.batch_bytes:
        raise InvalidInputError(f"{size / 1e6:,.0f} MB are more than one batch can hold; use BatchManager")
