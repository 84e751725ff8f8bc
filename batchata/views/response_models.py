"""Choose the response model to read a log's answers with: the one named, or one rebuilt from its schemas."""

from __future__ import annotations

import importlib
import sys
from typing import Any, NamedTuple

import pydantic
from pydantic_core import SchemaError

from batchata.answers.reader import Reader
from batchata.answers.schema import check_response_model
from batchata.core.events import RunStarted
from batchata.core.state import Run
from batchata.errors import InvalidInputError, LogError
from batchata.log.port import Log
from batchata.text import did_you_mean, short
from batchata.views.json_schemas import BY_SCHEMA, NOTE, model_of_schema
from batchata.views.rebuilt_models import model_from_schema
from batchata.views.results import SupportCounts
from batchata.views.run_summary import is_support_counted

_MOST_NAMED = 10


def load_response_model(name: str) -> type[pydantic.BaseModel]:
    """Import the response model that `module:Class` names; a nested class is `module:Outer.Inner`.

    The module is found as any import finds it, and last in the working directory, which the path of an
    installed command lacks.

    Raises InvalidInputError when there is no such module or class, or when it is no response model.
    """
    module, _, path = name.partition(":")
    if not module or not path:
        raise InvalidInputError(f"{name!r} is not of the form module:Class, such as invoices.models:Invoice")
    if "" not in sys.path:
        sys.path.append("")  # last: no file there stands in the way of an installed module
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as exc:
        raise InvalidInputError(
            f"{name}: there is no module {exc.name!r} here; run from the folder it lies in, or set PYTHONPATH"
        ) from exc
    except AttributeError as exc:  # of code that runs when it is imported
        raise InvalidInputError(f"{name}: {exc}") from exc
    for part in path.split("."):
        if not hasattr(found, part):
            raise InvalidInputError(f"{name}: there is no attribute {part!r}{_models_in(found, part)}")
        found = getattr(found, part)
    model = check_response_model(found)
    if model is None:
        raise InvalidInputError(f"{name} is None, not a class derived from pydantic.BaseModel")
    return model


def _models_in(holder: Any, meant: str) -> str:
    """Name the response model of a module or class that was probably meant, or a few of those there are."""
    kinds = {name: kind for name, kind in getattr(holder, "__dict__", {}).items() if isinstance(kind, type)}
    names = [name for name, kind in kinds.items() if issubclass(kind, pydantic.BaseModel)]
    own = [name for name in names if kinds[name] is not pydantic.BaseModel]
    if hint := did_you_mean(meant, own):
        return f"; {hint}"
    return f"; response models there are {', '.join(own[:_MOST_NAMED])}" if own else ""


class RunReader(NamedTuple):
    """A reader, and whether its own verdict on answers counts: it does for another model than the run's."""

    reader: Reader
    again: bool

    @classmethod
    def of(cls, run: Run, model: str | type[pydantic.BaseModel] | None) -> RunReader:
        """Return the reader for a run, with its own model if `model` is None, a model or a `module:Class`.

        Raises InvalidInputError when there is no such model, LogError for events that are no whole run.
        """
        started = run.started
        if started is None:
            raise LogError("what the log holds of the run lacks its beginning; `verify` says more")
        if model is None:
            return cls(Reader(own_model(started), started.enable_citations), again=False)
        chosen = load_response_model(model) if isinstance(model, str) else model
        return cls(Reader(chosen, started.enable_citations), again=True)


def support_of(log: Log, run: Run) -> SupportCounts | None:
    """Count the fields that no passage supports in the answers of a run that has few of them.

    None where there are too many to read at once, where fields have no citations, and where the run's
    response model cannot be rebuilt.
    """
    started = run.started
    if started is None or not is_support_counted(run):
        return None
    try:
        model = own_model(started)
    except InvalidInputError:
        return None
    if model is None:
        return None
    counts = SupportCounts()
    counts.read(log, run, Reader(model, enable_citations=True))
    return counts


def own_model(started: RunStarted) -> type[pydantic.BaseModel] | None:
    """Return the run's response model, rebuilt from the log; None when answers are texts.

    Raises InvalidInputError when no model can be made of that description.
    """
    if started.response_schema is None:
        return None
    written = started.result_schema or {}
    try:
        if written.get(NOTE) == BY_SCHEMA:
            return model_of_schema(started.response_schema)
        return model_from_schema(started.response_schema, written)
    except (pydantic.PydanticUserError, SchemaError, LookupError, NameError, TypeError, ValueError) as exc:
        raise InvalidInputError(
            f"the response model {started.response_model} cannot be rebuilt from the log "
            f"({short(str(exc))}); give it with --model {started.response_model}"
        ) from exc
