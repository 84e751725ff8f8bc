"""Run any number of items through a provider's batch API, durably: BatchManager."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import aclosing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, Unpack, overload

import pydantic
import typing_extensions

from batchata.errors import ConfigurationError, InvalidInputError, LogError
from batchata.log.port import Log
from batchata.paths import check_path
from batchata.providers.prices import Prices
from batchata.providers.registry import Access, dialect_for
from batchata.run.definition import define
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
    PathLike,
    Rows,
    StructuredOutput,
    changed_settings,
    check_settings,
)
from batchata.run.store import RunStore
from batchata.run.to_do import Call
from batchata.terminal.account import printed
from batchata.terminal.progress import EVERY
from batchata.text import preformatted, shown
from batchata.views.history import fold_events
from batchata.views.response_models import RunReader
from batchata.views.results import Entry, ItemResult, refuse_purged
from batchata.views.rows import ItemRows, citation_rows
from batchata.views.run_summary import Stats, Summary, statistics, summary

if TYPE_CHECKING:
    import pandas

type ExportFormat = Literal["json", "jsonl", "csv", "parquet", "xlsx"]
T = typing_extensions.TypeVar("T", default=str)  # Python 3.12 has no defaults in its own syntax
Other = TypeVar("Other", bound=pydantic.BaseModel)


class BatchManager(Generic[T]):
    """A run of many items: messages, or files with a prompt, through the Message Batches API.

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
        model: a Claude model id.
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
        poll_interval: seconds between two questions for the state of the batches; None: 2 to 60, by age.
        retry_delay: seconds before a second attempt, doubled with each further one; None: 30.
        settle_delay: seconds after which a batch that nobody confirmed counts as not created; None: 30.
        api_key: the key to call with; None: ANTHROPIC_API_KEY and the SDK's other ways of finding one. It is
            never written anywhere; the log holds a fingerprint that tells keys apart.
        base_url: where the API is; None: ANTHROPIC_BASE_URL, or https://api.anthropic.com.
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
        **message_params: parameters of the Messages API for every request, such as `system` or `thinking`.

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
        access, hooks = Access(api_key, base_url), Hooks(on_event, on_item)
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
        connect = partial(access.client, definition.dialect.name)
        self._engine = Engine(definition, settings, store, connect, hooks, hands)

    @overload
    @classmethod
    def open(
        cls,
        state_path: PathLike,
        run_id: str | None = None,
        *,
        response_model: None = None,
        files: Iterable[Any] | PathLike | None = None,
        prices: Prices | PathLike | None = None,
        max_tokens: int | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        on_event: OnEvent | None = None,
        on_item: OnItem | None = None,
        executor: Executor | None = None,
        **settings: Unpack[Changes],
    ) -> BatchManager[Any]: ...
    @overload
    @classmethod
    def open(
        cls,
        state_path: PathLike,
        run_id: str | None = None,
        *,
        response_model: type[Other],
        files: Iterable[Any] | PathLike | None = None,
        prices: Prices | PathLike | None = None,
        max_tokens: int | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        on_event: OnEvent | None = None,
        on_item: OnItem | None = None,
        executor: Executor | None = None,
        **settings: Unpack[Changes],
    ) -> BatchManager[Other]: ...
    @classmethod
    def open(  # noqa: PLR0913 - what a user may say beside the log
        cls,
        state_path: PathLike,
        run_id: str | None = None,
        *,
        response_model: type[pydantic.BaseModel] | None = None,
        files: Iterable[Any] | PathLike | None = None,
        prices: Prices | PathLike | None = None,
        max_tokens: int | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        on_event: OnEvent | None = None,
        on_item: OnItem | None = None,
        executor: Executor | None = None,
        **settings: Unpack[Changes],
    ) -> BatchManager[Any]:
        """Open a run that was started before, to continue it from its log alone.

            BatchManager.open("night.db").collect()

        The log knows prompt, model, parameters, schema and messages, and where files are. A file that was not
        sent yet is read again; one that is gone fails by name, at no cost, and the others go on.

        Args:
            state_path: the event log.
            run_id: which run, if the log holds several.
            response_model: the class that the run was started with. Without it, results are read with one
                that is made again from its JSON Schema, which knows none of the class's own validators.
            files: where files are that were moved since: paths or folders. They are known by their content,
                under whatever name.
            prices: as for `BatchManager`; the log does not keep prices that were given.
            max_tokens: another limit for what is sent from now on.
            api_key: the key to call with; None: that of the environment.
            base_url: where the API is; None: that of the environment. It is never taken from the log, which
                could then send your key to any place.
            on_event: as for `BatchManager`; so are on_item and executor.
            on_item: see there.
            executor: see there.
            **settings: `max_cost`, `max_wait_time`, `results_dir` and the other settings that may change
                between starts; without them, those of the last start. Only `on_bad_file` is "fail" unless it
                is given: with "raise", files that are gone are listed in one FileInputError.

        Raises NotALogError without a log, LogError when it holds no run or several, RunMismatchError for
        another response model.
        """
        access, hooks = Access(api_key, base_url), Hooks(on_event, on_item)
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
        manager = cls.__new__(cls)
        connect = partial(access.client, definition.dialect.name)
        manager._engine = Engine(definition, changed, store, connect, hooks, hands)  # noqa: SLF001 - its own
        return manager

    @property
    def run_id(self) -> str | None:
        """The run's name in the log; None before its first start."""
        return self._engine.store.run_id

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

        With `limit` it is a pilot of the first items, with `sample` one of so many items spread over the
        input: from the middle of each of so many parts, or with `seed` drawn at random from each. Nothing
        else is sent; the rest stays pending, and a later call without them goes on with it. The choice is in
        the log: the same call after a kill sends the same items. `collect()` and `retry_failed()` keep to it.
        What the rest will cost is said at the pilot's end, and `estimate()` speaks from its answers.

        It also ends when `max_wait_time` has passed or `max_cost` leaves no room; what is pending then
        stays pending, and another call continues. A finished run returns its summary and calls no API.

        With `print_progress` a terminal shows a line that is redrawn. Elsewhere a line is printed when
        something has changed, and as a sign of life when nothing has for `progress_interval` seconds, then
        for twice as many, and so on up to four hours. What fails is in it, and at the end why items failed.

        Time that ran out is told by a PendingRunWarning, which says what is still at the provider. One
        Ctrl-C, in whatever thread the run is, leaves the batches running and says so.

        Returns a dict of total_items, completed_items, failed_items, pending_items, total_cost (Decimal
        USD, None when no price is known), jobs_completed and cost_limit_reached.

        Raises InvalidInputError for a pilot that makes no sense, ConfigurationError without a key,
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

        It is `run()` with a `max_wait_time` of 0 and without its warning: one pass over everything. With more
        jobs than `max_parallel_jobs` the rest is sent by later calls, as jobs come to their end.
        """
        return self._pass(print_progress, Choice())

    def _pass(self, print_progress: bool, choice: Choice | None) -> Summary:
        return summary(self._engine.drive(Call(show_progress=print_progress, wait=0.0, choice=choice)))

    def collect(self, print_progress: bool = False) -> Summary:
        """Collect what has ended since, send what may be sent now, and return without waiting.

        The same pass as that of `submit()`, except that after a pilot nothing but its items is sent:
        `pending_items` in the summary says whether to come again.
        """
        return self._pass(print_progress, None)

    def preview(self, index: int = 0) -> dict[str, Any]:
        """Return the request of an item as it will stand in its batch, to look at before anything is paid.

        It holds all that Batchata adds, such as the schema and how to cite; only the custom id will be
        another. Nothing is sent or written, and no key is needed.

        Raises InvalidInputError when there is no such item, or its file cannot be used.
        """
        return self._engine.preview(index)

    def estimate(self, exact: bool = False, output_tokens: int | None = None) -> Estimate:
        """Estimate what the run will use and cost; of a run that has begun, what remains of it.

        Nothing is sent or written, and no key is needed, unless `exact` asks the provider to count the input
        tokens of up to 20 items spread over the input (free of charge). Otherwise they are counted offline:
        text by its letters, digits and scripts (a third more for models since Claude 4.7), each PDF page as
        its text and an image of full size, images by their pixels, and what the API adds for citations,
        schemas and tools. Once 10 answers of the run are in the log, their usage corrects the rest.

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

    def _repr_html_(self) -> str:
        """Show in a notebook where the run stands and what it has cost."""
        settings, run = self._engine.settings, self._engine.state()
        count = self._engine.definition.count
        stats = statistics(run, count, settings.results_dir, settings.raw_results_dir)
        return preformatted(printed(run, stats))

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
        """Return one `{"result": …, "citations": …}` per item, in input order; None without a result.

        With another `response_model` the stored answers are parsed again with it, without any call.
        """
        return self._engine.results(response_model)

    @overload
    def items(self) -> Iterator[ItemResult[T]]: ...
    @overload
    def items(self, response_model: type[Other]) -> Iterator[ItemResult[Other]]: ...
    @overload
    def items(self, response_model: None) -> Iterator[ItemResult[T]]: ...
    def items(self, response_model: type[pydantic.BaseModel] | None = None) -> Iterator[ItemResult[Any]]:
        """Yield every item with its status, error, usage, cost and raw line, in input order."""
        return self._engine.items(response_model)

    def rows(self, response_model: type[pydantic.BaseModel] | None = None) -> list[dict[str, Any]]:
        """Return a row an item, all with the same columns, for data frames of any library.

        The columns are item (its index), name, status; those of the rows that were given; a column a field
        of the response model, nested ones as "vendor.name", lists as JSON, or `result` without a model;
        "pages.total" with the pages that a field cites; unsupported and uncited; cost (Decimal) and error. A
        field called as one of these is "result.name", and a column of the rows "row.name".
        """
        table = self._table(response_model)
        return [table.row(item) for item in self._engine.items(response_model)]

    def to_pandas(self, response_model: type[pydantic.BaseModel] | None = None) -> pandas.DataFrame:
        """Return `rows()` as a data frame of pandas, with cost as a float; see `rows()`.

        Raises ConfigurationError without pandas.
        """
        try:
            import pandas as pd
        except ImportError as exc:
            raise ConfigurationError(
                "to_pandas() needs pandas: pip install pandas; rows() gives the same rows without it"
            ) from exc
        columns = self._table(response_model).columns
        frame = pd.DataFrame(self.rows(response_model), columns=columns)
        return frame.astype({"cost": float})

    def citations_rows(self, response_model: type[pydantic.BaseModel] | None = None) -> list[dict[str, Any]]:
        """Return a row a citation: item, name, field, value, document, page, quote, grounded and supports."""
        return [row for item in self._engine.items(response_model) for row in citation_rows(item)]

    def export(self, folder: PathLike, *, format: ExportFormat = "json", force: bool = False) -> list[Path]:
        """Write the results as files into the folder, and return these.

        json is as `results_dir`; the others are one table, results.csv and so on, with a row an item and
        where it came from; CSV has its citations in a second file, results_citations.csv. Without `force`
        nothing that is there already is replaced.

        Raises InvalidInputError for a folder that cannot be used, ConfigurationError without the package that
        parquet (pyarrow) or xlsx (openpyxl) needs, and LogError when the run was never started.
        """
        from batchata.replay.export import Format, write_results

        if format not in [*Format]:
            raise InvalidInputError(f"format must be one of {', '.join(Format)}, not {shown(format)}")
        target = check_path("folder", folder, "the path of a folder")
        with self._started() as (log, stream):
            run = fold_events(log, stream)
            refuse_purged(run)
            how = RunReader(self._engine.definition.reader, again=False)
            return write_results(log, run, Path(target), Format(format), how, force=force).files

    def report(self, path: PathLike) -> Path:
        """Write the run as one HTML file that opens from disk, and return its path.

        A report that is there already is replaced, nothing else is. Raises InvalidInputError when the file
        cannot be written, and LogError when the run was never started.
        """
        from batchata.replay.report.page import report_run

        target = check_path("path", path, "the path of a file, such as 'run.html'")
        with self._started() as (log, stream):
            report_run(log, stream, target)
        return Path(target)

    @contextmanager
    def _started(self) -> Iterator[tuple[Log, str]]:
        with self._engine.reading() as (log, run):
            if log is None or run.started is None:
                raise LogError("the run was never started, so there is nothing to write; run() it first")
            yield log, run.started.run_id

    def _table(self, response_model: type[pydantic.BaseModel] | None) -> ItemRows:
        definition = self._engine.definition
        given = dict.fromkeys(name for row in definition.inputs.rows for name in row)
        model = definition.response_model if response_model is None else response_model
        return ItemRows(model, given, cited=definition.enable_citations)

    def stats(self) -> Stats:
        """Return the summary and more: status, jobs, batch ids, tokens by kind, directories of the results.

        All costs are Decimal USD, None where a price was unknown: `cost_by_job`, `cost_by_model`,
        `cost_by_kind`, `cost_per_item`, `batch_saving` (what the discount took off). Against `max_cost` stand
        `reserved_cost` (for open jobs), `withheld_cost` (for requests that may have been billed unseen) and
        `left_cost`; when the limit is reached, `needed_cost` is the limit that would send the next item, and
        `needed_cost_for_all` the one for all.

        `interrupted_by` is why the last start ended early, `sending_ended` why it sent nothing more from some
        moment on; None where it did not.

        `outcomes` counts what came back, over all attempts: succeeded, errored, canceled, expired, missing,
        or kinds that the provider invents; `stray_outcomes` counts the lines that belong to no request:
        repeated, foreign or unreadable. `collect_by` is the time until which the provider keeps the results
        of every open batch (29 days from its creation), None without open batches.
        `unsupported_fields` counts the fields of results that a cited passage contradicts and none supports,
        `uncited_fields` those that have a value and no citation; None without citations of fields.
        `log_head` is the hash of all that the log holds of the run: with it `replay verify --head` proves
        later that nothing was changed or cut off.
        """
        settings = self._engine.settings
        count = self._engine.definition.count
        run = self._engine.state()
        head = self._engine.head()
        support = self._engine.support()
        return statistics(run, count, settings.results_dir, settings.raw_results_dir, head, support)

    def retry_failed(self, print_progress: bool = False, *, max_tokens: int | None = None) -> Summary:
        """Give the failed items a fresh set of attempts and run; return the summary, plus `retry_count`.

        What they were answered is read again first: an item that has an answer which is accepted today, by a
        newer Batchata or a mended validator, is completed at no cost. `retry_count` are the others.

        Files of failed items are read again: what was mended since is sent as it is now.

        With `max_tokens` the answers to all of them, for whatever reason they failed, may have so many
        tokens: what was cut off at the run's limit would be cut off there again. It holds for these items
        from then on, in later starts too, as a decision in the log.

        Raises InvalidInputError for a `max_tokens` that is not above the one they were sent with, or above
        what the model gives, CostLimitError when `max_cost` has no room for one of them, and what `run()`
        raises.
        """
        call = Call(show_progress=print_progress, retry_failed=True, max_tokens=max_tokens)
        run = self._engine.drive(call)
        return {**summary(run), "retry_count": self._engine.retried}

    def detach(self) -> None:
        """End a `run()` in another thread as Ctrl-C does: batches are left running.

        Returns at once; `run()` then returns its summary. Without a run going on nothing happens.
        """
        self._engine.detach()

    def abandon(self, job: int) -> Summary:
        """Give up an open job whose batch was deleted or can never be read, and return the summary.

        Its items without a result are pending again, with a fresh set of attempts, and the next `run()` sends
        them. What its batch may have cost is unknown and stays held against `max_cost`. Only for jobs that an
        error named: a batch that is merely slow would be paid for twice.

        Raises InvalidInputError when the job is not open, RunClaimedError while the run is driven.
        """
        return summary(self._engine.abandon(job))

    def cancel(self) -> Summary:
        """Cancel the open batches, collect what they had finished, and return the summary.

        What was cancelled stays pending; `run()` would send it again. Called from another thread while
        `run()` goes on, it makes that call do all this, and returns at once.
        """
        return summary(self._engine.cancel(), self._engine.definition.count)
