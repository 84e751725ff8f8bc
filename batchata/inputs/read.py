"""Turn `messages`, `files` and `prompt` into checked inputs."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from batchata.errors import BadFile, FileInputError, InvalidInputError
from batchata.inputs.files import FileInput, bad_file, read_file, unusable_file
from batchata.inputs.items import Checks, Inputs, Measured
from batchata.inputs.json_values import check_text
from batchata.inputs.rows import ask_rows
from batchata.text import all_of, number_of, type_of

_MOST_LISTED = 20  # bad files in a message
_LONGEST_KEY = 1_000  # characters

type Checked = tuple[FileInput, Measured] | InvalidInputError
type CheckFiles = Callable[[Iterable[Any]], Iterator[tuple[Any, Checked]]]


def check_file(checks: Checks, item: Any, index: int) -> Checked:
    """Read and check the file that the caller gave as `files[index]`; return why it cannot be sent, if so."""
    try:
        return checks.file(read_file(item, index, checks.most_bytes))
    except InvalidInputError as exc:
        return exc


def _checked_here(checks: Checks, items: Iterable[Any]) -> Iterator[tuple[Any, Checked]]:
    """Yield each item with the result of `check_file`."""
    return ((item, check_file(checks, item, index)) for index, item in enumerate(items))


def read_inputs(
    *,
    messages: Iterable[Any] | None = None,
    files: Iterable[Any] | None = None,
    rows: Any = None,
    prompt: str | None = None,
    keys: Any = None,
    checks: Checks,
    on_bad_file: str = "raise",
    check_files: CheckFiles | None = None,
) -> Inputs:
    """Check all inputs of a run; nothing is written or sent.

    `messages` are conversations, each a list of messages, or texts, each one turn of the user. `files` are
    paths, bytes or files opened for reading, each sent with the prompt. `rows` are put into the prompt, which
    names their columns. Exactly one of the three is given. `keys` are the user's own ids, one for each item.
    `check_files` has files read elsewhere; None reads them here.

    Raises InvalidInputError or UnsupportedModelError for the first conversation that cannot be sent, and one
    FileInputError for all files; with `on_bad_file="fail"` those are `Inputs.refused` instead.
    """
    _check_one_given(messages, files, rows)
    checks.check_kind("messages" if files is None else "files")
    if files is not None:
        inputs, bad = _read_files(files, prompt, check_files or partial(_checked_here, checks))
        if bad and on_bad_file == "raise":
            raise refused_files(bad, inputs)
    elif rows is not None:
        asked = ask_rows(rows, prompt, keys)
        if not asked.rows:
            raise nothing_to_send("rows")
        inputs, keys = _read_messages(asked.texts, checks), asked.keys
        inputs.rows = asked.rows
    elif prompt is not None:
        raise InvalidInputError("prompt is for files and rows; in messages, add it as a message")
    else:
        inputs = _read_messages(messages, checks)
    if keys is not None:
        inputs.keys = _keys(keys, inputs.count)
    return inputs


def nothing_to_send(given: str) -> InvalidInputError:
    """Return the error for an argument without any item."""
    return InvalidInputError(
        f"{given} is empty, so there is nothing to send; look at the folder, the pattern or the query "
        "that it was made from"
    )


def _check_one_given(messages: Any, files: Any, rows: Any) -> None:
    given = {"messages": messages, "files": files, "rows": rows}
    named = [name for name, value in given.items() if value is not None]
    if len(named) == 1:
        return
    if rows is not None:
        raise InvalidInputError(f"give one of messages, files and rows; {all_of(named)} were given")
    raise InvalidInputError(
        f"give either messages or files (with a prompt); {'both' if named else 'neither'} were given "
        "(rows with a prompt that names their columns are the third way)"
    )


def _read_messages(messages: Any, checks: Checks) -> Inputs:
    given = _given(messages, "messages", "[[{'role': 'user', 'content': '...'}], ...]")
    inputs = Inputs("messages")
    for index, item in enumerate(_conversations(given)):
        conversation = [{"role": "user", "content": item}] if isinstance(item, str) else item
        checked = checks.conversation(conversation, f"messages[{index}]")
        if checked.prefilled and inputs.first_prefilled is None:
            inputs.first_prefilled = index
        inputs.caches = inputs.caches or checked.caches
        inputs.add(conversation, checked.digest, checked.request_size, checked.token_bound, checked.tokens)
    return inputs


def _conversations(given: Iterable[Any]) -> Iterator[Any]:
    """Yield the conversations; raises InvalidInputError where they are the turns of a single one."""
    conversations = iter(given)
    for first in conversations:
        if not isinstance(first, dict):
            yield first
            break
        turns = [first, *conversations]
        if all(isinstance(turn, dict) for turn in turns):
            raise InvalidInputError(
                "messages is a single conversation; it must be a list of conversations: "
                "messages=[[...], [...]]"
            )
        yield from turns
    yield from conversations


def _read_files(files: Any, prompt: str | None, check_files: CheckFiles) -> tuple[Inputs, list[BadFile]]:
    _check_prompt(prompt)
    inputs = Inputs("files")
    bad: list[BadFile] = []
    given = _given(files, "files", "['a.pdf', 'b.pdf']")
    for index, (item, checked) in enumerate(check_files(given)):
        if isinstance(checked, InvalidInputError):
            bad.append(bad_file(item, index, checked))
            inputs.refuse(unusable_file(item, index), str(checked))
            continue
        file, measured = checked
        inputs.add(file, measured.digest, measured.request_size, measured.token_bound, measured.tokens)
    return inputs, bad


def read_again(inputs: Inputs, indexes: Iterable[int], checks: Checks, on_bad_file: str) -> None:
    """Read the files of these items that came as paths again, in case they were corrected.

    Raises FileInputError as `read_inputs` does.
    """
    bad = []
    for index in indexes:
        source = inputs.source(index)
        if not isinstance(source, FileInput) or source.path is None:
            continue
        checked = check_file(checks, source.path, index)
        if isinstance(checked, InvalidInputError):
            bad.append(bad_file(source.path, index, checked))
            inputs.replace(index, unusable_file(source.path, index), (0, 0, 0), str(checked))
            continue
        file, measured = checked
        inputs.replace(index, file, (measured.request_size, measured.token_bound, measured.tokens), None)
    if bad and on_bad_file == "raise":
        raise refused_files(bad, inputs)


def refused_files(bad: list[BadFile], inputs: Inputs) -> FileInputError:
    """Return one error for all files that cannot be used."""
    reasons = [inputs.refused[file.index] for file in bad]
    if len(bad) == 1:
        return FileInputError(reasons[0], bad)
    listed = "".join(f"\n  {reason}" for reason in reasons[:_MOST_LISTED])
    more = len(reasons) - _MOST_LISTED
    rest = f"\n  and {more:,} more, all in the error's bad_files" if more > 0 else ""
    return FileInputError(
        f"{len(bad):,} of {inputs.count:,} files cannot be sent:{listed}{rest}\n"
        "Fix them or leave them out; with on_bad_file='fail' they fail, and the others are sent.",
        bad,
    )


def _check_prompt(prompt: Any) -> None:
    if not isinstance(prompt, str) or not prompt.strip():
        raise InvalidInputError("files need a prompt: prompt='what to do with each file'")
    check_text(prompt, "prompt")


def _given(value: Any, name: str, example: str) -> Iterable[Any]:
    single = isinstance(value, str | bytes | bytearray | memoryview | os.PathLike | Mapping)
    if single or callable(getattr(value, "read", None)) or not isinstance(value, Iterable):
        raise InvalidInputError(f"{name} is {type_of(value)}; it must be a list: {name}={example}")
    return value


def _keys(keys: Any, count: int) -> list[str]:
    """Return the keys of `count` items as texts.

    Raises InvalidInputError unless there is one for each item, a text or a whole number, and no two alike.
    """
    if isinstance(keys, str | bytes | Mapping) or not isinstance(keys, Iterable):
        raise InvalidInputError(
            f"keys is {type_of(keys)}; it must be a list with one for each item: keys=['A-17', …] "
            "(with rows also the name of a column)"
        )
    found = [_key(key, index) for index, key in enumerate(keys)]
    if len(found) != count:
        verb = "is" if len(found) == 1 else "are"
        raise InvalidInputError(
            f"there {verb} {number_of(len(found), 'key')} for {number_of(count, 'item')}; give one for each"
        )
    first: dict[str, int] = {}
    for index, key in enumerate(found):
        if (other := first.setdefault(key, index)) != index:
            raise InvalidInputError(
                f"keys[{index}] and keys[{other}] are both {key!r}; each item needs a key of its own"
            )
    return found


def _key(key: Any, index: int) -> str:
    if isinstance(key, str):
        if not key.strip():
            raise InvalidInputError(f"keys[{index}] is blank; give each item a key, or leave keys out")
        if len(key) > _LONGEST_KEY:
            raise InvalidInputError(
                f"keys[{index}] has {len(key):,} characters; {_LONGEST_KEY:,} are the most"
            )
        check_text(key, f"keys[{index}]")
        return str(key)
    try:
        return str(operator.index(key))
    except TypeError as exc:
        raise InvalidInputError(
            f"keys[{index}] is {key!r}; a key is a text or a whole number, such as 'A-17'"
        ) from exc
