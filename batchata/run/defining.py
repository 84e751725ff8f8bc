"""Make the definition of a run from what its caller gave, checked before anything is written or sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any

from batchata.answers.schema import check_response_model, json_schema
from batchata.clock import utc
from batchata.errors import InvalidInputError
from batchata.inputs import read_inputs
from batchata.inputs.items import Checks
from batchata.inputs.read import Checked, nothing_to_send
from batchata.paths import PathLike
from batchata.providers.given_prices import Prices, given_price
from batchata.providers.registry import dialect_for
from batchata.run.definition import Definition, route_of
from batchata.run.settings import check_cache, check_switches

type CheckElsewhere = Callable[[Callable[[], Checks], Iterable[Any]], Iterator[tuple[Any, Checked]]]


def checks_for(model: str, today: date, cited: bool, params: dict[str, Any]) -> Checks:
    """Return the checks of inputs, made only from values that can be pickled, as workers make them too."""
    return dialect_for(model).model(model, today).checks(cited, params)


def define(  # noqa: PLR0913 - what a user may decide about what is sent
    *,
    messages: Iterable[Any] | None,
    files: Iterable[Any] | None,
    rows: Any = None,
    prompt: str | None,
    keys: Any = None,
    model: str,
    response_model: object,
    enable_citations: bool,
    max_tokens: int,
    dedupe: bool = False,
    cache: str | None = None,
    prices: Prices | PathLike | None = None,
    on_bad_file: str = "raise",
    structured_output: str = "auto",
    allow_unknown_model: bool = False,
    message_params: Mapping[str, Any],
    check_elsewhere: CheckElsewhere | None = None,
) -> Definition:
    """Check everything that the caller gave; `check_elsewhere` has files read elsewhere.

    Raises InvalidInputError or one of its kinds for the first thing that cannot be sent.
    """
    check_switches(enable_citations=enable_citations, dedupe=dedupe, allow_unknown_model=allow_unknown_model)
    dialect = dialect_for(model)
    today = utc().date()
    found = dialect.model(model, today)
    price = given_price(prices, found.id, dialect.name)
    checked_model = check_response_model(response_model)
    schema = None if checked_model is None else json_schema(checked_model)
    params = found.check_params({**message_params, "max_tokens": max_tokens})
    make_checks = partial(checks_for, model, today, enable_citations, params)
    inputs = read_inputs(
        messages=messages,
        files=files,
        rows=rows,
        prompt=prompt,
        keys=keys,
        checks=found.checks(enable_citations, params),
        on_bad_file=on_bad_file,
        check_files=None if check_elsewhere is None else partial(check_elsewhere, make_checks),
    )
    definition = Definition(
        dialect=dialect,
        model=found,
        given=inputs,
        params=params,
        prompt=None if rows is not None else prompt,  # it is in the messages
        response_model=checked_model,
        schema=schema,
        enable_citations=enable_citations,
        dedupe=dedupe,
        cache=check_cache(cache),
        route=route_of(schema, found, enable_citations, structured_output),
        given_price=price,
        allow_unknown_model=allow_unknown_model,
    )
    _check_together(definition)
    return definition


def _check_together(definition: Definition) -> None:
    """Refuse arguments that are valid by themselves but not together."""
    inputs = definition.inputs
    if not inputs.count:
        raise nothing_to_send(inputs.kind)
    if definition.cache and (inputs.caches or definition.model.caches(definition.params)):
        raise InvalidInputError(
            f"cache='auto' decides what is cached, and {definition.model.cache_mark} in messages or "
            "parameters does too; leave one of them out"
        )
    if definition.response_model is not None and inputs.first_prefilled is not None:
        raise InvalidInputError(
            f"messages[{inputs.first_prefilled}] ends with an assistant message, which the answer would "
            "continue, and a response_model needs the whole answer; end with a user message, or leave "
            "response_model out"
        )
