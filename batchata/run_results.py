"""Read what became of a run: results, tables, files, statistics; the same for a manager and for a job."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

import pydantic
import typing_extensions

from batchata.answers.schema import check_response_model
from batchata.errors import ConfigurationError, InvalidInputError, LogError
from batchata.log.port import Log
from batchata.paths import PathLike, check_path
from batchata.run.engine import Engine
from batchata.run.settings import check_switches
from batchata.terminal.account import printed
from batchata.text import number_of, preformatted, shown
from batchata.views.history import fold_events
from batchata.views.item_result import Entry, ItemResult
from batchata.views.response_models import RunReader
from batchata.views.results import refuse_purged
from batchata.views.rows import ItemRows, citation_rows
from batchata.views.run_summary import Stats, statistics

if TYPE_CHECKING:
    import pandas

type ExportFormat = Literal["json", "jsonl", "csv", "parquet", "xlsx"]
T = typing_extensions.TypeVar("T", default=str)  # Python 3.12 has no defaults in its own syntax
Other = TypeVar("Other", bound=pydantic.BaseModel)


class RunResults(Generic[T]):
    """What can be read of a run at any time.

        print(manager.stats()["total_cost"], len(manager.results()))

    No call is made, and nothing is written to its log.
    """

    _engine: Engine

    @property
    def run_id(self) -> str | None:
        """The run's name in the log.

            BatchManager.open("runs.db", run_id=manager.run_id)

        None before its first start.
        """
        return self._engine.store.run_id

    def open_log(self) -> Log:
        """Open the run's log for reading; close it after use.

        `batchata.replay.open` takes this object itself:

            with batchata.replay.open(manager) as log:
                print(log.runs)

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

            for path, entry in zip(files, manager.results(), strict=True):
                print(path, entry["result"])

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
        """Yield every item with its status, error, usage, cost and raw line, in input order.

            for item in manager.items():
                print(item.name, item.error if item.result is None else item.result)

        They are read from the log as they are asked for. Where the script gives the run's items in another
        order, they come in the script's; `item.index` is the number in the run.
        """
        return self._engine.items(response_model)

    def rows(self, response_model: type[pydantic.BaseModel] | None = None) -> list[dict[str, Any]]:
        """Return one row per item, all with the same columns, for data frames of any library.

            polars.DataFrame(manager.rows())

        The columns are item (its index), name, status; those of the rows that were given; one for each field
        of the response model, nested ones as "vendor.name", lists as JSON, or `result` without a model;
        "pages.total" with the pages that a field cites; unsupported and uncited; cost (Decimal) and error. A
        field with one of these names is "result.name", and such a column of the rows "row.name".
        """
        table = self._table(response_model)
        return [table.row(item) for item in self._engine.items(response_model)]

    def to_pandas(self, response_model: type[pydantic.BaseModel] | None = None) -> pandas.DataFrame:
        """Return `rows()` as a data frame of pandas, with cost as a float; see `rows()`.

            manager.to_pandas().groupby("vendor")["total"].sum()

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
        """Return one row per citation: item, name, field, value, document, page, quote, grounded, supports.

            doubtful = [row for row in manager.citations_rows() if row["supports"] is False]

        See `Citation` for what grounded and supports mean.
        """
        return [row for item in self._engine.items(response_model) for row in citation_rows(item)]

    def export(self, folder: PathLike, *, format: ExportFormat = "json", force: bool = False) -> list[Path]:
        """Write the results as files into the folder, and return these.

            manager.export("out/", format="csv")

        json is as `results_dir`; the others are one table, results.csv and so on, with one row per item and
        where it came from; CSV has its citations in a second file, results_citations.csv. Without `force`
        nothing that is there already is replaced.

        Raises InvalidInputError for a folder that cannot be used, ConfigurationError without the package that
        parquet (pyarrow) or xlsx (openpyxl) needs, and LogError when the run was never started.
        """
        from batchata.replay.export import Format, write_results

        check_switches(force=force)
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

            manager.report("invoices.html")

        A report that is there already is replaced, nothing else is. Raises InvalidInputError when the file
        cannot be written, and LogError when the run was never started.
        """
        from batchata.replay.report.page import report_run

        target = check_path("path", path, "the path of a file, such as 'run.html'")
        with self._started() as (log, stream):
            report_run(log, stream, target)
        return Path(target)

    def stats(self, print_stats: bool = False) -> Stats:
        """Return the summary and more: status, jobs, batch ids, tokens by kind, directories of the results.

            print(manager.stats()["cost_by_kind"])

        With `print_stats` the account of the run is printed too.

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
        of every open batch (so many days from its creation as the provider says), None without open batches.
        `unsupported_fields` counts the fields of results that a cited passage contradicts and none supports,
        `uncited_fields` those that have a value and no citation; None without citations of fields.
        `log_head` is the hash of all that the log holds of the run: with it `replay verify --head` proves
        later that nothing was changed or cut off.
        """
        check_switches(print_stats=print_stats)
        settings, count = self._engine.settings, self._engine.definition.count
        run, head, support = self._engine.look()
        stats = statistics(run, count, settings.results_dir, settings.raw_results_dir, head, support)
        if print_stats:
            print(printed(run, stats))  # noqa: T201 - what it is for
        return stats

    def __repr__(self) -> str:
        """Name the run; its log is not read for that."""
        definition, store = self._engine.definition, self._engine.store
        log = "memory" if store.place is None else store.place
        items = number_of(definition.count, "item")
        run = f", run {store.run_id}" if store.run_id else ""
        return f"<{type(self).__name__} of {items} with {definition.model.id}, log {log}{run}>"

    def _repr_html_(self) -> str:
        """Show in a notebook where the run stands and what it has cost."""
        settings, run = self._engine.settings, self._engine.state()
        count = self._engine.definition.count
        stats = statistics(run, count, settings.results_dir, settings.raw_results_dir)
        return preformatted(printed(run, stats))

    @contextmanager
    def _started(self) -> Iterator[tuple[Log, str]]:
        with self._engine.reading() as (log, run):
            if log is None or run.started is None:
                raise LogError("the run was never started, so there is nothing to write; run() it first")
            yield log, run.started.run_id

    def _table(self, response_model: type[pydantic.BaseModel] | None) -> ItemRows:
        definition, other = self._engine.definition, check_response_model(response_model)
        given = dict.fromkeys(name for row in definition.inputs.rows for name in row)
        model = definition.response_model if other is None else other
        return ItemRows(model, given, cited=definition.enable_citations)
