"""Check the settings of a run that may change between starts, and plan its prompt caching."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, Protocol, TypeAliasType, TypedDict, get_args

from msgspec.structs import asdict

from batchata.core.caching import costs_of_prefix
from batchata.core.money import amount_of, plain
from batchata.core.pricing import ModelPrice
from batchata.core.values import CachePlan, Limits, Settings
from batchata.errors import InvalidInputError
from batchata.inputs import Inputs
from batchata.paths import PathLike, check_path
from batchata.providers.port import Model, Template
from batchata.text import number_of, rounded, shown


class HasRows(Protocol):
    """A data frame of pandas, Polars or Arrow, or anything that gives its rows as one of these does."""

    @property
    def columns(self) -> Any:
        """The columns."""
        ...


type Money = Decimal | float | int | str
type Rows = PathLike | Iterable[Mapping[str, Any]] | HasRows
type OnInterrupt = Literal["detach", "cancel"]
type OnBadFile = Literal["raise", "fail"]
type StructuredOutput = Literal["auto", "native", "prompt"]
type CheckSupport = Literal["report", "retry"]
type Caching = Literal["auto"]

_MOST_JOBS = 10_000
_MOST_ATTEMPTS = 100


def check_settings(  # noqa: PLR0913 - the settings that a user may give
    *,
    items_per_job: int,
    max_parallel_jobs: int,
    max_attempts: int,
    max_cost: Money | None,
    max_wait_time: float | None,
    poll_interval: float | None,
    retry_delay: float | None,
    settle_delay: float | None,
    results_dir: PathLike | None,
    raw_results_dir: PathLike | None,
    on_interrupt: str,
    on_bad_file: str = "raise",
    structured_output: str = "auto",
    check_support: str = "report",
    has_cited_fields: bool = True,
    limits: Limits,
) -> Settings:
    """Return the settings as they enter the log; `limits` are those of the run's provider.

    Raises InvalidInputError that names the argument, its value and what is allowed.
    """
    _check_choice("on_interrupt", on_interrupt, OnInterrupt)
    _check_choice("on_bad_file", on_bad_file, OnBadFile)
    _check_choice("structured_output", structured_output, StructuredOutput)
    _check_choice("check_support", check_support, CheckSupport)
    if check_support == "retry" and not has_cited_fields:
        raise InvalidInputError(
            "check_support='retry' compares the fields of a response_model with what is cited for them; give "
            "a response_model and enable_citations=True with it, or leave it out"
        )
    return Settings(
        items_per_job=_whole("items_per_job", items_per_job, limits.batch_requests),
        max_parallel_jobs=_whole("max_parallel_jobs", max_parallel_jobs, _MOST_JOBS),
        max_attempts=_whole("max_attempts", max_attempts, _MOST_ATTEMPTS),
        max_cost=None if max_cost is None else _money("max_cost", max_cost),
        max_wait_time=seconds_of("max_wait_time", max_wait_time),
        poll_interval=seconds_of("poll_interval", poll_interval),
        retry_delay=seconds_of("retry_delay", retry_delay),
        settle_delay=seconds_of("settle_delay", settle_delay),
        results_dir=_directory("results_dir", results_dir),
        raw_results_dir=_directory("raw_results_dir", raw_results_dir),
        on_interrupt=on_interrupt,
        on_bad_file=on_bad_file,
        check_support=check_support,
        structured_output=None if structured_output == "auto" else structured_output,
    )


class Changes(TypedDict, total=False):
    """The settings of a run that may be given anew when its log is opened."""

    items_per_job: int
    max_parallel_jobs: int
    max_attempts: int
    max_cost: Money | None
    max_wait_time: float | None
    poll_interval: float | None
    retry_delay: float | None
    settle_delay: float | None
    results_dir: PathLike | None
    raw_results_dir: PathLike | None
    on_interrupt: OnInterrupt
    on_bad_file: OnBadFile
    structured_output: StructuredOutput
    check_support: CheckSupport


def changed_settings(last: Settings, changes: Changes, limits: Limits) -> Settings:
    """Return the settings of a run's last start with these in their place.

    Files that are gone fail unless `on_bad_file` is given: they were good when the run began.

    Raises InvalidInputError as `check_settings` does, and for a name that is none of theirs.
    """
    if unknown := sorted(changes.keys() - Changes.__annotations__.keys()):
        known = ", ".join(Changes.__annotations__)
        raise InvalidInputError(
            f"{unknown[0]} is not a setting that can be given here: the run's log defines what is sent; "
            f"there are {known}"
        )
    before = asdict(last)
    route = last.structured_output or "auto"
    settings: dict[str, Any] = {**before, "structured_output": route, "on_bad_file": "fail", **changes}
    return check_settings(**settings, limits=limits)


def _check_choice(name: str, value: object, choices: TypeAliasType) -> None:
    """Raise InvalidInputError for a value that is not one of the Literal's."""
    known = get_args(choices.__value__)
    if value not in known:
        *others, last = map(repr, known)
        raise InvalidInputError(f"{name} must be {', '.join(others)} or {last}, not {shown(value)}")


def check_switches(**switches: object) -> None:
    """Raise InvalidInputError for a switch that is neither True nor False: "no" and "false" would be true."""
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise InvalidInputError(f"{name} must be True or False, not {shown(value)}")


def _whole(name: str, value: object, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise InvalidInputError(f"{name} must be a whole number from 1 to {most:,}, not {shown(value)}")
    return value


def seconds_of(name: str, value: object) -> float | None:
    """Return a number of seconds, or None; `name` is the argument's.

    Raises InvalidInputError.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise InvalidInputError(f"{name} must be a number of seconds, 0 or more, not {shown(value)}")
    return float(value)


def _money(name: str, value: object) -> str:
    """Read an amount; a float counts as printed: 0.1 means ten cents, not the binary number next to it."""
    try:
        amount = Decimal(str(value)) if isinstance(value, str | int | float | Decimal) else Decimal("NaN")
    except InvalidOperation:
        amount = Decimal("NaN")
    if isinstance(value, bool) or not amount.is_finite() or not 0 < amount < 10**15:
        raise InvalidInputError(f"{name} must be an amount in USD above 0, not {shown(value)}")
    try:
        return plain(amount_of(plain(amount)))
    except ValueError as exc:
        raise InvalidInputError(f"{name}: {exc}; give fewer digits") from exc


def _directory(name: str, value: object) -> str | None:
    if value is None:
        return None
    path = os.path.abspath(check_path(name, value, "the path of a directory"))
    if os.path.exists(path) and not os.path.isdir(path):
        raise InvalidInputError(f"{name} {path!r} is a file; give a directory")
    if not os.path.exists(path):
        _check_can_be_made(name, path)
    return str(path)


def _check_can_be_made(name: str, path: str) -> None:
    """Check that the results' folders can be made, before the run begins."""
    above = path
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    if not os.path.isdir(above) or not os.access(above, os.W_OK | os.X_OK):
        why = "may not be written to" if os.path.isdir(above) else "is a file"
        raise InvalidInputError(f"{name} {path!r} cannot be made: {above!r} {why}; give another directory")


def check_cache(cache: object) -> str | None:
    """Return the argument `cache`, if it is a known value.

    Raises InvalidInputError.
    """
    if cache is None:
        return None
    if cache != "auto":
        raise InvalidInputError(f"cache must be 'auto' or None, not {shown(cache)}")
    return "auto"


def plan_cache(
    model: Model, inputs: Inputs, template: Template, price: ModelPrice | None, requests: int
) -> CachePlan:
    """Plan what so many requests cache of their prefix: up to the tools, the system prompt, or some block.

    Nothing, with the reason, where no beginning is shared, where it is too short, or where it does not pay.
    """
    if not inputs.count:
        return _nothing("there are no requests")
    level, blocks, digest, tokens = template.shared_beginning(inputs)
    if level is None:
        return _nothing(
            "the requests begin with nothing that could be cached: no system prompt, tools or blocks"
        )
    begun = f"the requests share their first {tokens:,} tokens or so"
    if tokens < model.cache_minimum:
        return _nothing(f"{begun}; {model.id} caches from {model.cache_minimum:,} on")
    costs = None if price is None else costs_of_prefix(price, tokens, requests)
    if costs is None:
        return _nothing(f"{begun}; without a price for each kind of token it is unknown whether caching pays")
    plain, cached = costs
    if cached >= plain:
        many = number_of(requests, "request")
        return _nothing(f"{begun}; for {many} caching costs {rounded(cached)}, not caching {rounded(plain)}")
    reason = f"{begun}; cached they cost about {rounded(cached)} instead of {rounded(plain)}"
    return CachePlan(level=level, blocks=blocks, digest=digest, tokens=tokens, reason=reason)


def _nothing(reason: str) -> CachePlan:
    return CachePlan(level=None, blocks=0, digest="", tokens=0, reason=reason)
