"""Define a run by its log alone: what it sends, how it reads answers, and its inputs where they are now."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

import pydantic

from batchata.answers.schema import check_response_model, json_schema
from batchata.clock import utc
from batchata.core.events import RunStarted
from batchata.core.state import ItemStatus, Run
from batchata.errors import (
    BadFile,
    BatchataWarning,
    FileInputError,
    InvalidInputError,
    LogError,
    NotALogError,
    RunMismatchError,
)
from batchata.inputs import FileInput, Inputs, refused_files
from batchata.inputs.addresses import is_address
from batchata.inputs.files import file_of, read_file
from batchata.inputs.items import Checks
from batchata.inputs.paths import shown
from batchata.log.port import Log
from batchata.logs import warn
from batchata.paths import PathLike
from batchata.providers.given_prices import Prices, given_price
from batchata.providers.registry import dialect_of
from batchata.run.definition import Definition, route_of
from batchata.run.store import RunStore
from batchata.text import number_of, type_of
from batchata.views.response_models import own_model

_TOKENS_A_PAGE = 10_000  # more than any page or image has


def open_run(
    store: RunStore,
    *,
    response_model: object = None,
    files: Iterable[Any] | PathLike | None = None,
    prices: Prices | PathLike | None = None,
    max_tokens: int | None = None,
    on_bad_file: str = "fail",
) -> Definition:
    """Read the run's definition from its log, and look for the files of its unfinished items.

    With `on_bad_file="raise"` the files that are gone are one FileInputError. Raises NotALogError without a
    log, LogError when it holds no run or several, RunMismatchError for another response model,
    LogVersionError for a provider that is not known here.
    """
    store.choose = _only(store.place)
    with store.reading() as log:
        if log is None:
            raise NotALogError(
                f"there is no log at {store.place}; give the state_path that the run began with"
            )
        run = store.run
        if run.started is None:
            raise LogError(_no_such_run(store, log))
        store.settle()
        found = _defined(store, log, check_response_model(response_model), Moved(files), prices, max_tokens)
    if on_bad_file == "raise" and run.status != "completed" and (refused := found.inputs.refused):
        gone = [BadFile(index, found.inputs.called(index).source, why) for index, why in refused.items()]
        raise refused_files(gone, found.inputs)
    return found


def _no_such_run(store: RunStore, log: Log) -> str:
    if streams := log.streams():
        return f"{store.place} holds no run {store.run_id!r}; give run_id=… one of: {', '.join(streams)}"
    return log.no_run_yet()


def _only(place: str | None) -> Any:
    def choose(_log: Log, streams: Sequence[str]) -> str:
        if len(streams) == 1:
            return streams[0]
        raise LogError(
            f"{place} holds {len(streams)} runs; say which is meant with run_id=…: {', '.join(streams)}"
        )

    return choose


def _defined(
    store: RunStore,
    log: Log,
    model: type[pydantic.BaseModel] | None,
    moved: Moved,
    prices: Prices | PathLike | None,
    max_tokens: int | None,
) -> Definition:
    run, started = store.run, store.run.started
    assert started is not None
    dialect = dialect_of(started)
    found = dialect.model(started.model, utc().date())
    if max_tokens is not None:
        found.check_max_tokens(max_tokens)
    params = {**started.params, "max_tokens": max_tokens or run.max_tokens}
    cited = started.enable_citations
    read = partial(_inputs, checks=found.checks(cited, params), moved=moved)
    definition = Definition(
        dialect=dialect,
        model=found,
        given=partial(_inputs_later, store, read) if run.status == "completed" else read(log, run),
        params=params,
        prompt=started.prompt,
        response_model=_same_model(model, started) if model else own_model(started),
        schema=started.response_schema,
        enable_citations=cited,
        route=route_of(started.response_schema, found, cited, "auto"),
        dedupe=started.dedupe,
        cache=None if started.cache is None else "auto",
        given_price=given_price(prices, found.id, dialect.name),
        opened=(started.tag, run.total),
    )
    definition.same_as = dict(run.items.same_as)
    definition.follow(started.cache)
    definition.take_route(run.route)
    if (missing := started.input_count - run.total) > 0:
        warn(
            f"the first start of run {started.run_id} was killed before it had recorded its last "
            f"{number_of(missing, 'item')}: the log does not know them; the script that began it adds them",
            BatchataWarning,
        )
    return definition


def _same_model(model: type[pydantic.BaseModel], started: RunStarted) -> type[pydantic.BaseModel]:
    if json_schema(model) != started.response_schema:
        raise RunMismatchError(
            f"run {started.run_id} asked for {started.response_model or 'texts'}, and {model.__name__} has "
            "another JSON Schema; leave response_model out to continue, and read its answers with another "
            "model by items(OtherModel)"
        )
    return model


def check_unchanged(run: Run, opened: tuple[str, int]) -> None:
    """Check that the log still holds the run as it was opened.

    Raises RunMismatchError when another run is there now, or when items were added since.
    """
    assert run.started is not None
    if (run.started.tag, run.total) != opened:
        raise RunMismatchError(
            f"the log was changed after it was opened: it holds run {run.started.run_id} with "
            f"{number_of(run.total, 'item')}; open it again"
        )


def _inputs_later(store: RunStore, read: Callable[[Log, Run], Inputs]) -> Inputs:
    """Read the inputs of a finished run, once they are needed after all."""
    with store.reading() as log:
        if log is None:
            raise NotALogError(f"there is no log at {store.place} any more; put it back and open it again")
        return read(log, store.run)


def _inputs(log: Log, run: Run, checks: Checks, moved: Moved) -> Inputs:
    started = run.started
    assert started is not None
    inputs = Inputs("files" if started.input_kind == "files" else "messages")
    keys: list[str] = []
    rows: list[dict[str, Any]] = []
    numbers = map(run.input_body, range(run.total))
    for index, body in enumerate(log.bodies(started.run_id, numbers)):
        status = run.items.status[index]
        value = {} if body is None else json.loads(body)  # purged: the run is completed
        if "file" in value:
            _add_file(inputs, file_of(value["file"]), status, checks, moved)
        else:
            _add_conversation(inputs, value.get("messages", []), body or b"", status, checks)
        keys += [value["key"]] if "key" in value else []
        rows += [value["row"]] if "row" in value else []
    if len(keys) == inputs.count:  # else some were purged
        inputs.keys = keys
    if len(rows) == inputs.count:
        inputs.rows = rows
    return inputs


def _add_conversation(inputs: Inputs, turns: Any, body: bytes, status: int, checks: Checks) -> None:
    """Add an item whose conversation was checked when it was added; only what may be sent is measured."""
    digest, sizes = sha256(body).digest(), (0, 0, 0)
    if status != ItemStatus.COMPLETED and body:
        try:
            checked = checks.conversation(turns, f"messages[{inputs.count}]")
        except InvalidInputError:  # by rules that are newer than the run, which must not keep it from ending
            sizes = 2 * len(body), len(body), len(body)
        else:
            inputs.caches = inputs.caches or checked.caches
            digest, *_ = checked
            sizes = checked.request_size, checked.token_bound, checked.tokens
    inputs.add(turns, digest, *sizes)


def _add_file(inputs: Inputs, file: FileInput, status: int, checks: Checks, moved: Moved) -> None:
    """Add an item with its file where it is now; one whose file is gone is not sent, and fails by name."""
    if status == ItemStatus.COMPLETED:
        inputs.add(file, file.digest(), 0, 0, 0)
        return
    found = moved.found(file)
    try:
        sizes = _measured(found, inputs.count, checks)
    except InvalidInputError as exc:
        if status not in (ItemStatus.SENT, ItemStatus.FAILED):
            inputs.refuse(found, str(exc))
            return
        # It may never be sent again; if it is, the file is looked for once more.
        tokens = max(file.size, _TOKENS_A_PAGE * (file.pages or 1))
        sizes = 2 * file.size, tokens, tokens
    inputs.add(found, file.digest(), *sizes)


def _measured(file: FileInput, index: int, checks: Checks) -> tuple[int, int, int]:
    if not file.is_usable:
        raise FileInputError(f"{file.name} could not be used when it was added")
    if file.path is not None and not is_address(file.path) and not os.path.exists(file.path):
        raise FileInputError(
            f"{shown(file.path)} is gone, and was not sent before; say where it is now with files=…, and "
            "retry_failed() sends it"
        )
    given = read_file(file.read(), index, checks.most_bytes)
    _, measured = checks.file(given._replace(file=file))
    return measured.request_size, measured.token_bound, measured.tokens


class Moved:
    """Files that may be those of a run under another name or in another folder: known by their content.

    Only those with as many bytes as a file that is looked for are read, and folders when there is one.
    """

    def __init__(self, files: Iterable[Any] | PathLike | None) -> None:
        self._given = [] if files is None else list(_places(files))
        self._contents: dict[Path, bytes | None] = {}

    def found(self, file: FileInput) -> FileInput:
        """Return the file with the path of a given one that has the same bytes, if there is one."""
        if file.path is None or not file.is_usable:
            return file
        of_its_size = self._by_size.get(file.size, ())
        place = next((path for path in of_its_size if self._content(path) == file.sha256), None)
        return file if place is None else replace(file, path=str(place))

    @cached_property
    def _by_size(self) -> dict[int, list[Path]]:
        found: dict[int, list[Path]] = {}
        for path in chain.from_iterable(map(_files_at, self._given)):
            with suppress(OSError):  # it is none of them, as far as can be seen
                found.setdefault(path.stat().st_size, []).append(path)
        return found

    def _content(self, path: Path) -> bytes | None:
        """Return the hash of what the file holds; None where it cannot be read."""
        if path not in self._contents:
            self._contents[path] = None
            with suppress(OSError):
                self._contents[path] = sha256(path.read_bytes()).digest()
        return self._contents[path]


def _files_at(place: Path) -> Iterable[Path]:
    """Return the file, or all files in the folder at any depth."""
    # Path's own raise for what this user may not look at, which is none of the files either.
    if not os.path.isdir(place):
        return [place]
    return sorted(each for each in place.rglob("*") if os.path.isfile(each))


def _places(files: Iterable[Any] | PathLike) -> Iterator[Path]:
    """Yield the files and folders, which must be there."""
    several = [files] if isinstance(files, str | os.PathLike) else files
    if not isinstance(several, Iterable):
        raise InvalidInputError(f"files are paths of files or folders, not {type_of(files)}")
    for one in several:
        if not isinstance(one, str | os.PathLike):
            raise InvalidInputError(f"files are paths of files or folders, not {type_of(one)}")
        path = Path(one).expanduser().absolute()
        if not os.path.lexists(path):
            raise FileInputError(
                f"{shown(str(path))} does not exist; give the folder in which the files are now"
            )
        yield path
