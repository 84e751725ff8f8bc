"""Read results again from the files that a run wrote, without its log."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pydantic

from batchata.answers.answer import Block, is_with_calls
from batchata.answers.citations import Citation, from_dict
from batchata.answers.parsing import explain
from batchata.answers.reader import Reader
from batchata.answers.schema import check_response_model
from batchata.answers.written_results import has_mask, read_back, reads_what_it_writes
from batchata.errors import InvalidInputError
from batchata.paths import PathLike, check_path
from batchata.views.folder_marks import owner_in
from batchata.views.results_folder import tags_in

_ANEW = (
    "where {model} itself does not read what it writes, `python -m batchata.replay export LOG DIR --model "
    "MODULE:{model}` writes files that it does"
)
_NAME = re.compile(r"job_(\d+)_results\.json")


def load_results_from_disk(
    results_dir: PathLike, response_model: type[pydantic.BaseModel] | None = None
) -> list[dict[str, Any]]:
    """Load the entries of a run, `{"result": …, "citations": …}` in input order, from its results_dir alone.

        invoices = [entry["result"] for entry in load_results_from_disk("out/", Invoice)]

    Results are instances of `response_model`, equal to those of the run where it is the run's own; without
    one they are dicts or strings, as the run's model writes them. Answers that call tools
    are dicts, `{"text", "tool_calls"}`, where they hold no value for the model. Both a results_dir and
    its `processed` directory may be given.

    Raises InvalidInputError when there are no results, when a file is no list of entries, when a result does
    not fit the model or has a secret that an older version wrote as asterisks, or when the folder holds what
    two runs wrote over each other.
    """
    model = check_response_model(response_model)
    entries: list[dict[str, Any]] = []
    given = check_path("results_dir", results_dir, "the path of a directory")
    folder = Path(os.path.abspath(given))  # noqa: PTH100 - "a/../b" is b also where there is no a
    _check_one_run(folder)
    for path in _job_files(folder):
        entries.extend(
            _load_entry(path, number, entry, model) for number, entry in enumerate(_load_list(path))
        )
    return entries


def _check_one_run(folder: Path) -> None:
    """Refuse a folder where older versions let two runs write; the lines in `raw` show it."""
    folder = folder.parent if folder.name == "processed" else folder
    owner = owner_in(str(folder))
    runs = tags_in(str(folder / "raw")) | (set() if owner is None else {owner.tag})
    if len(runs) > 1:
        raise InvalidInputError(
            f"{folder} holds files of {len(runs)} runs, with ids from {', '.join(sorted(runs))}: it is "
            "unknown which result belongs to which run. `python -m batchata.replay export LOG DIR` writes "
            "those of each run anew, from its log"
        )


def _job_files(folder: Path) -> list[Path]:
    """Return the files in numeric order: job_10 comes after job_9."""
    processed = folder / "processed"
    folder = processed if os.path.isdir(processed) else folder  # noqa: PTH112 - Path's raises for a long name
    names = os.listdir(folder) if os.path.isdir(folder) else []  # noqa: PTH112, PTH208
    found = [(int(m[1]), folder / name) for name in names if (m := _NAME.fullmatch(name))]
    if not found:
        raise InvalidInputError(f"no job_<n>_results.json in {str(folder)!r}; give the results_dir of a run")
    return [path for _, path in sorted(found)]


def _load_list(path: Path) -> list[Any]:
    try:
        value = json.loads(path.read_bytes())
    except ValueError as exc:
        raise InvalidInputError(f"{path} is not JSON: {exc}") from exc
    except OSError as exc:
        raise InvalidInputError(f"{path} cannot be read: {exc.strerror or exc}") from exc
    if not isinstance(value, list) or not all(isinstance(e, dict) and "result" in e for e in value):
        raise InvalidInputError(f"{path} is not a list of {{'result': …, 'citations': …}}")
    return value


def _load_entry(
    path: Path, number: int, entry: dict[str, Any], model: type[pydantic.BaseModel] | None
) -> dict[str, Any]:
    result, citations = entry["result"], _load_citations(entry.get("citations"))
    is_value = not is_with_calls(result) or (model is not None and "tool_calls" in model.model_fields)
    if model is not None and result is not None and is_value:
        result = _from_answer(entry.get("answer"), model)
        if result is None:
            result = _from_result(f"{path}, entry {number}", entry["result"], model)
    return {"result": result, "citations": citations}


def _from_answer(text: Any, model: type[pydantic.BaseModel]) -> Any:
    """Read the answer beside a result; None where there is none, or it is one for another model."""
    if not isinstance(text, str):
        return None
    return Reader(model, enable_citations=False).read_taken([Block("text", text)]).result


def _from_result(place: str, written: Any, model: type[pydantic.BaseModel]) -> Any:
    try:
        result = read_back(model, json.dumps(written))
    except pydantic.ValidationError as exc:
        why = "" if reads_what_it_writes(model) else f"; {_ANEW.format(model=model.__name__)}"
        raise InvalidInputError(f"{place}: {explain(exc)}{why}") from exc
    if has_mask(result):
        raise InvalidInputError(
            f"{place}: a secret was written as asterisks; {_ANEW.format(model=model.__name__)}"
        )
    return result


def _load_citations(value: Any) -> dict[str, list[Citation]] | list[Citation] | None:
    if isinstance(value, dict):
        return {path: [from_dict(c) for c in found] for path, found in value.items()}
    return None if value is None else [from_dict(c) for c in value]
