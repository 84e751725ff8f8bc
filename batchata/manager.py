"""Run any number of items through a provider's batch API, durably: BatchManager."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from concurrent.futures import Executor
from contextlib import aclosing
from functools import partial
from typing import Any, Unpack, cast

import pydantic
import typing_extensions

from batchata.paths import PathLike
from batchata.providers.given_prices import Prices
from batchata.providers.registry import Access, dialect_for
from batchata.run.defining import define
from batchata.run.engine import Engine
from batchata.run.estimate import Estimate
from batchata.run.executors import check_executor
from batchata.run.file_checks import check_elsewhere
from batchata.run.from_log import open_run
from batchata.run.hooks import Hooks, OnEvent, OnItem, as_they_end
from batchata.run.interrupts import in_a_thread
from batchata.run.pilot import Choice
from batchata.run.settings import (
    Caching,
    Changes,
    CheckSupport,
    Money,
    OnBadFile,
    OnInterrupt,
    Rows,
    StructuredOutput,
    changed_settings,
    check_settings,
)
from batchata.run.store import RunStore
from batchata.run.to_do import Call
from batchata.run_results import RunResults, T
from batchata.terminal.progress import EVERY
from batchata.views.item_result import ItemResult
from batchata.views.run_summary import Summary, summary

Opened = typing_extensions.TypeVar("Opened", bound=pydantic.BaseModel, default=Any)


class BatchManager(RunResults[T]):
    """A run of many items: messages, or files with a prompt, through a provider's batch API.

        manager = BatchManager(messages=["Say hi"], model="claude-haiku-4-5", state_path="hi.db")
        manager.run(print_progress=True)
        print(manager.results())

    Nothing is written or sent before `run()`. Everything that happens is appended to the event log at
    `state_path`; the same script, started again, continues where the last one ended.

    Args:
        messages: conversations, each a list of `{"role": …, "content": …}`, or texts, each one turn of the
            user; system turns become `system`.
        files: paths, bytes or open files: PDF, plain text, markdown, PNG, JPEG, GIF or WebP.
        rows: a data frame, the path of a CSV or JSONL file, or a list of dicts: an item for each row, which
            is put into the prompt. `item.row` and the tables of results have its columns. Exactly one of
            messages, files and rows is given.
        prompt: what to do with each file, or with each row: "Classify: {text}" has its column `text`.
        keys: your own ids, one for each item, no two alike; with rows also the name of a column. `item.name`
            is the key, or else the file's name. They stay in the log, and cannot change within a run.
        model: the model's id, which decides the provider: "claude-sonnet-5-5", "gpt-…", "gemini-…",
            "mistral/…"; `batchata.models()` lists those that are known.
        response_model: a pydantic model that each answer must fit; without it results are strings.
        enable_citations: let the model cite the documents it is given.
        items_per_job: items that travel together in one batch, 1 to 100,000.
        max_parallel_jobs: batches open at the same time.
        max_cost: USD that the run may cost at most, over all its starts.
        prices: list prices that come before those of genai-prices and tokencost, by model: USD per million
            tokens before the batch discount, `{model: {"input": 2, "output": 10}}`, and where it matters
            `cache_write_5m`, `cache_write_1h`, `cache_read`, `web_search` (per thousand searches) and
            `tiers` (`[{"above": 100_000, "input": …}]`); or the path of a JSON or TOML file of that shape.
        max_wait_time: seconds that one call of `run()` may wait; what is open then stays pending. It bounds
            waiting, not work: each call does one whole pass at least, in which it asks how far the batches
            are, collects those that have ended and sends what may be sent. With 0 it then returns; None
            waits until the run is done.
        state_path: the event log: a SQLite file, or the URL of a PostgreSQL database, which hosts may share
            (`postgresql://user@host/database`, extra `batchata[postgres]`); None keeps the events in memory.
        run_id: the run's name; needed only when the log holds several runs.
        results_dir: where to write results as files too, in `processed/` and `raw/`.
        raw_results_dir: another place for the provider's own lines.
        max_attempts: how often an item is sent at most before it counts as failed.
        max_tokens: tokens that one answer may have at most, thinking included. It may change between starts,
            for what is sent from then on.
        dedupe: let identical items share one request: each gets its result, the first of them bears the cost.
            Leave it off to get several answers to the same question. It cannot change between starts.
        cache: "auto" has the provider cache what all requests begin with (tools, system prompt, blocks that
            every conversation repeats) where that pays: one request is sent ahead and waited for, so that
            the others find what it wrote. `stats()["cache"]` says what was decided. It cannot change between
            starts.
        poll_interval: seconds between two polls of the batches; None: 2 to 60, by age.
        retry_delay: seconds before a second attempt, doubled with each further one; None: 30.
        settle_delay: seconds after which a batch that was not confirmed counts as not created; None: 30.
        api_key: the key to call with; None: the provider's variable (ANTHROPIC_API_KEY, OPENAI_API_KEY, …)
            and the SDK's other ways of finding one. It is never written anywhere; the log holds a fingerprint
            that tells keys apart.
        base_url: where the API is; None: the provider's variable (ANTHROPIC_BASE_URL, …), or its own address.
        client: an `anthropic.Anthropic()` that you made, in place of api_key and base_url: calls go with its
            key and headers, through its proxies and certificates. It stays open; nothing of it is written.
        on_interrupt: what Ctrl-C does with open batches: "detach" leaves them running, "cancel" cancels them.
        on_bad_file: what becomes of files that cannot be used: "raise" lists all of them in one error;
            "fail" lets those items fail, at no cost, and sends the others.
        structured_output: how the response model reaches the provider: "native" as an output format, "prompt"
            in the system prompt, "auto" natively where model and schema allow it. With "auto" a schema that
            the provider refuses goes into the prompt from then on, and what was refused is sent again at
            once; the log says so. It may change between starts.
        check_support: what becomes of an answer with a field that its passages contradict (see
            `ItemResult.unsupported`): "report" marks it, "retry" asks for another one as long as the item has
            attempts left, paid like any, with a note that names field, value and passage. What was answered
            stays the result if nothing better comes. It may change between starts.
        allow_unknown_model: begin a run also with a model that no table knows and that looks misspelt, or
            that is retired; without it such a run is refused before anything is sent.
        on_event: called with each event once it is durable, as `batchata.replay.open(…).events()` gives it:
            `version`, `at` (microseconds since 1970 UTC) and `event`, whose `TYPE` is its name.
        on_item: called with each item, as `items()` gives it, once it is completed or has failed. Both are
            called in the thread that drives the run, which waits for them; what they raise is logged as
            `hook_failed` and stops nothing.
        executor: a `concurrent.futures.Executor` whose workers read files, build and upload requests,
            download results and read answers: a `ProcessPoolExecutor`, or the `get_executor()` of a Dask
            client; None: threads. Batches are created, and the log is written, in this process alone.
        **message_params: parameters of the provider's API for every request, such as `system` or `thinking`.

    Raises:
        InvalidInputError: an argument, a message or a file cannot be used; FileInputError and
            UnsupportedModelError are kinds of it.
    """

    def __init__(  # noqa: PLR0913 - keyword only: what a user may decide about a run
        self,
        *,
        model: str,
        messages: Iterable[Any] | None = None,
        files: Iterable[Any] | None = None,
        rows: Rows | None = None,
        prompt: str | None = None,
        keys: Iterable[str | int] | str | None = None,
        response_model: type[T] | None = None,
        enable_citations: bool = False,
        items_per_job: int = 50,
        max_parallel_jobs: int = 10,
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
        cache: Caching | None = None,
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
        allow_unknown_model: bool = False,
        on_event: OnEvent | None = None,
        on_item: OnItem | None = None,
        executor: Executor | None = None,
        **message_params: Any,
    ) -> None:
        settings = check_settings(
            items_per_job=items_per_job,
            max_parallel_jobs=max_parallel_jobs,
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
            limits=dialect_for(model).limits,
        )
        access, hooks = Access(api_key, base_url, client), Hooks(on_event, on_item)
        hands = check_executor(executor)
        store = RunStore(state_path, run_id)
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
            cache=cache,
            prices=prices,
            on_bad_file=on_bad_file,
            structured_output=structured_output,
            allow_unknown_model=allow_unknown_model,
            message_params=message_params,
            check_elsewhere=None if hands is None else partial(check_elsewhere, hands),
        )
        connect = access.connector(definition.dialect.name, is_sent=hands is not None)
        self._engine = Engine(definition, settings, store, connect, hooks, hands)

    @classmethod
    def open(  # noqa: PLR0913 - what a user may say beside the log
        cls,
        state_path: PathLike,
        run_id: str | None = None,
        *,
        response_model: type[Opened] | None = None,
        files: Iterable[Any] | PathLike | None = None,
        prices: Prices | PathLike | None = None,
        max_tokens: int | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        client: object | None = None,
        on_event: OnEvent | None = None,
        on_item: OnItem | None = None,
        executor: Executor | None = None,
        **settings: Unpack[Changes],
    ) -> BatchManager[Opened]:
        """Open a run that was started before, to continue it from its log alone.

            BatchManager.open("night.db").collect()

        The log knows prompt, model, parameters, schema and messages, and where files are. A file that was not
        sent yet is read again; one that is gone fails by name, at no cost, and the others go on.

        Args:
            state_path: the event log.
            run_id: which run, if the log holds several.
            response_model: the class that the run was started with. Without it, results are read with one
                that is rebuilt from its JSON Schema, which knows none of the class's own validators.
            files: where files are that were moved since: paths or folders. They are known by their content,
                under whatever name.
            prices: as for `BatchManager`; the log does not keep prices that were given.
            max_tokens: another limit for what is sent from now on.
            api_key: the key to call with; None: that of the environment.
            base_url: where the API is; None: that of the environment. It is never taken from the log, which
                could then send your key to any place.
            client: as for `BatchManager`; so are on_event, on_item and executor.
            on_event: see there.
            on_item: see there.
            executor: see there.
            **settings: `max_cost`, `max_wait_time`, `results_dir` and the other settings that may change
                between starts; without them, those of the last start. Only `on_bad_file` is "fail" unless it
                is given: with "raise", files that are gone are listed in one FileInputError.

        Raises NotALogError without a log, LogError when it holds no run or several, RunMismatchError for
        another response model.
        """
        access, hooks = Access(api_key, base_url, client), Hooks(on_event, on_item)
        hands = check_executor(executor)
        store = RunStore(state_path, run_id)
        definition = open_run(
            store,
            response_model=response_model,
            files=files,
            prices=prices,
            max_tokens=max_tokens,
            on_bad_file=settings.get("on_bad_file", "fail"),
        )
        assert store.run.settings is not None
        changed = changed_settings(store.run.settings, settings, definition.dialect.limits)
        manager = cast("BatchManager[Opened]", cls.__new__(cls))
        connect = access.connector(definition.dialect.name, is_sent=hands is not None)
        manager._engine = Engine(definition, changed, store, connect, hooks, hands)  # noqa: SLF001 - its own
        return manager

    def run(
        self,
        print_progress: bool = False,
        progress_interval: float = EVERY,
        *,
        limit: int | None = None,
        sample: int | None = None,
        seed: int | None = None,
    ) -> Summary:
        """Drive the run until every item is completed or failed, and return the summary.

            summary = manager.run(print_progress=True)
            print(summary["completed_items"], summary["total_cost"])

        With `limit` it is a pilot of the first items, with `sample` one of so many items spread over the
        input: from the middle of each of so many parts, or with `seed` drawn at random from each. Nothing
        else is sent; the rest stays pending, and a later call without them continues. The choice is in
        the log: the same call after a kill sends the same items. `collect()` and `retry_failed()` keep to it.
        What the rest will cost is said at the pilot's end, and `estimate()` goes by its answers.

        It also ends when `max_wait_time` has passed or `max_cost` leaves no room; what is pending then
        stays pending, and another call continues. A finished run returns its summary and calls no API.

        With `print_progress` a terminal shows a line that is redrawn. Elsewhere a line is printed when
        something has changed, and as a sign of life when nothing has for `progress_interval` seconds, then
        for twice as many, and so on up to four hours. What fails is in it, and at the end why items failed.

        When time has run out, a PendingRunWarning says what is still at the provider. One Ctrl-C, in
        whatever thread the run is, leaves the batches running and says so.

        Returns a dict of total_items, completed_items, failed_items, pending_items, total_cost (Decimal
        USD, None when no price is known), jobs_completed and cost_limit_reached.

        Raises InvalidInputError for an impossible pilot, ConfigurationError without a key,
        ProviderError when the provider definitely refuses, LogError when the log cannot be used,
        KeyboardInterrupt on Ctrl-C.
        """
        choice = Choice.of(limit, sample, seed)
        call = Call(show_progress=print_progress, every=progress_interval, choice=choice)
        return summary(self._engine.drive(call))

    async def run_async(
        self,
        print_progress: bool = False,
        *,
        limit: int | None = None,
        sample: int | None = None,
        seed: int | None = None,
    ) -> Summary:
        """Run like `run()`, for a coroutine: the event loop stays free meanwhile.

            summary = await manager.run_async()

        When it is cancelled (by Ctrl-C, `task.cancel()`, `asyncio.wait_for`, a TaskGroup) the run is left as
        by `detach()`: its batches go on at the provider, and another call collects them.
        """
        run = partial(self.run, print_progress, limit=limit, sample=sample, seed=seed)
        return await in_a_thread(run, self.detach, self._engine.left)

    async def completed(self, print_progress: bool = False) -> AsyncIterator[ItemResult[T]]:
        """Yield each item once it is completed or has failed, while the run goes on beside the event loop.

            async for item in manager.completed():
                print(item.name, item.result or item.error)

        First come those that had ended before, in input order, then the others as their jobs end. When the
        loop is left early or cancelled, the run is left as by `detach()`. Raises what `run()` raises.
        """

        async def drive(on_item: OnItem) -> object:
            call = Call(show_progress=print_progress, on_item=on_item)
            return await in_a_thread(lambda: self._engine.drive(call), self.detach, self._engine.left)

        async with aclosing(as_they_end(self.items(), drive)) as ended:
            async for item in ended:
                yield item

    def submit(self, print_progress: bool = False) -> Summary:
        """Send what may be sent now, and return without waiting; `collect()` or `run()` goes on, any day.

            manager.submit()

        It is `run()` with a `max_wait_time` of 0 and without its warning: one pass over everything. With more
        jobs than `max_parallel_jobs` the rest is sent by later calls, as jobs end.
        """
        return self._pass(print_progress, Choice())

    def _pass(self, print_progress: bool, choice: Choice | None) -> Summary:
        return summary(self._engine.drive(Call(show_progress=print_progress, wait=0.0, choice=choice)))

    def collect(self, print_progress: bool = False) -> Summary:
        """Collect what has ended since, send what may be sent now, and return without waiting.

            if not manager.collect()["pending_items"]:
                manager.export("out/", format="csv")

        The same pass as that of `submit()`, except that after a pilot nothing but its items is sent:
        `pending_items` in the summary says whether to come again.
        """
        return self._pass(print_progress, None)

    def preview(self, index: int = 0) -> dict[str, Any]:
        """Return the request of an item as it will stand in its batch, to look at before anything is paid.

            print(manager.preview(0)["params"]["messages"])

        It holds all that Batchata adds, such as the schema and how to cite; only the custom id will
        differ. Nothing is sent or written, and no key is needed.

        Raises InvalidInputError when there is no such item, or its file cannot be used.
        """
        return self._engine.preview(index)

    def estimate(self, exact: bool = False, output_tokens: int | None = None) -> Estimate:
        """Estimate what the run will use and cost; of a run that has begun, what remains of it.

            print(manager.estimate())

        Nothing is sent or written, and no key is needed, unless `exact` asks the provider to count the input
        tokens of up to 20 items spread over the input (free of charge). Otherwise they are counted offline:
        text by its letters, digits and scripts (a third more for models whose tokenizer makes more), each PDF
        page as its text and a full-size image, images by their pixels, and what the API adds for
        citations, schemas and tools. Once 10 answers of the run are in the log, their usage corrects the
        rest.

        Args:
            exact: have the provider count a sample.
            output_tokens: output tokens of one answer, where you know better than the default: the size of
                an answer with all fields of the response model filled (24 characters a text, 3 entries a
                list), or 300 without one; for models that think 40 more, or half of the thinking budget.

        The last estimate made is what the run's log keeps as expected, and what `stats()["estimate"]`
        compares with real usage.

        Raises InvalidInputError for an `output_tokens` that is negative or above `max_tokens`,
        RunMismatchError when the log holds another run, and with `exact` what `run()` raises for a missing
        key or a provider that cannot be reached.
        """
        return self._engine.estimate(exact, output_tokens)

    def retry_failed(self, print_progress: bool = False, *, max_tokens: int | None = None) -> Summary:
        """Give the failed items a fresh set of attempts and run; return the summary, plus `retry_count`.

            print(manager.retry_failed()["retry_count"])

        Their stored answers are read again first: an item whose answer is accepted today, by a newer Batchata
        or a corrected validator, is completed at no cost. `retry_count` counts the others.

        Files of failed items are read again: what was corrected since is sent as it is now.

        With `max_tokens` the answers to all of them, for whatever reason they failed, may have so many
        tokens: what was cut off at the run's limit would be cut off there again. It holds for these items
        from then on, in later starts too, as a decision in the log.

        Raises LogError when the run was never started, InvalidInputError for a `max_tokens` that is not above
        the one they were sent with, or above what the model gives, CostLimitError when `max_cost` has no room
        for one of them, and what `run()` raises.
        """
        call = Call(show_progress=print_progress, retry_failed=True, max_tokens=max_tokens)
        run = self._engine.drive(call)
        return {**summary(run), "retry_count": self._engine.retried}

    def detach(self) -> None:
        """End a `run()` in another thread as Ctrl-C does: batches are left running.

            threading.Timer(600, manager.detach).start()

        Returns at once; `run()` then returns its summary. Does nothing where no run is going on.
        """
        self._engine.detach()

    def abandon(self, job: int | str) -> Summary:
        """Give up an open job whose batch was deleted or can never be read, and return the summary.

            manager.abandon(3)

        Its items without a result are pending again, with a fresh set of attempts, and the next `run()` sends
        them. What its batch may have cost is unknown and stays held against `max_cost`. Only for jobs that an
        error named: a batch that is merely slow would be paid for twice.

        Where an error says that the log is older than its run and names batches that it lacks, and no newer
        log is left, give their ids instead of a job: the next `run()` of this object then sends what is
        pending all the same, and what they hold is paid for twice.

        Raises InvalidInputError when the job is not open, RunClaimedError while the run is driven.
        """
        return summary(self._engine.abandon(job))

    def cancel(self) -> Summary:
        """Cancel the open batches, collect what they had finished, and return the summary.

            print(manager.cancel()["pending_items"])

        What was cancelled stays pending; `run()` would send it again. Called from another thread while
        `run()` goes on, it makes that call do all this, and returns at once.
        """
        return summary(self._engine.cancel(), self._engine.definition.count)
