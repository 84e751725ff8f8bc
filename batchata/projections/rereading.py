"""Reading a log's stored answers again with another response model: no call is made, nothing is paid."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import reduce

import pydantic

from batchata.core.state import Run
from batchata.errors import InvalidInputError
from batchata.log.port import Log
from batchata.output.reading import Reader
from batchata.output.schema import check_response_model
from batchata.projections.results import ItemResult, read_items


def load_response_model(name: str) -> type[pydantic.BaseModel]:
    """The response model that `module:Class` names; a class inside another is `module:Outer.Inner`.

    The module is found as any import finds it, the working directory included where Python looks there.

    Raises InvalidInputError when there is no such module or class, or when it is no response model.
    """
    module, _, path = name.partition(":")
    if not module or not path:
        raise InvalidInputError(f"{name!r} is not of the form module:Class, such as invoices.models:Invoice")
    try:
        found = reduce(getattr, path.split("."), importlib.import_module(module))
    except ModuleNotFoundError as exc:
        raise InvalidInputError(
            f"{name}: there is no module {exc.name!r} here; run from the folder it lies in, or set PYTHONPATH"
        ) from exc
    except AttributeError as exc:
        raise InvalidInputError(f"{name}: {exc}") from exc
    model = check_response_model(found)
    if model is None:
        raise InvalidInputError(f"{name} is None, not a class derived from pydantic.BaseModel")
    return model


def reread(log: Log, run: Run, response_model: type[pydantic.BaseModel]) -> Iterator[ItemResult]:
    """Every item of a run in input order, its stored answer parsed with `response_model`.

    An answer that did not fit the run's own model may fit this one, and the other way round: `status` and
    `error` are this reading's. Answers are read as the run asked for them, with citations or without.
    """
    assert run.started is not None
    reader = Reader(response_model, run.started.enable_citations)
    return read_items(log, run, range(run.total), reader, again=True)
