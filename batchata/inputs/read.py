"""Turn `messages`, `files` and `prompt` into checked inputs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from batchata.errors import BadFile, FileInputError, InvalidInputError
from batchata.inputs.files import FileInput, bad_file, read_file, unusable_file
from batchata.inputs.items import Checks, Inputs
from batchata.inputs.json_values import check_text

_MOST_LISTED = 20  # bad files in a message


def read_inputs(
    *,
    messages: Iterable[Any] | None = None,
    files: Iterable[Any] | None = None,
    prompt: str | None = None,
    checks: Checks,
    on_bad_file: str = "raise",
) -> Inputs:
    """Check all inputs of a run; nothing is written or sent.

    `messages` are conversations, each a list of messages. `files` are paths, bytes or files opened for
    reading, each sent with the prompt. Exactly one of the two is given, as anything that can be iterated.

    Raises InvalidInputError or UnsupportedModelError for the first conversation that cannot be sent, and one
    FileInputError for all files; with `on_bad_file="fail"` those are `Inputs.refused` instead.
    """
    if (messages is None) == (files is None):
        given = "both" if messages is not None else "neither"
        raise InvalidInputError(f"give either messages or files (with a prompt); {given} were given")
    checks.check_kind("files" if messages is None else "messages")
    if files is not None:
        inputs, bad = _read_files(files, prompt, checks)
        if bad and on_bad_file == "raise":
            raise _all_of(bad, inputs)
        return inputs
    if prompt is not None:
        raise InvalidInputError("prompt is for files; in messages, add it as a message")
    return _read_messages(messages, checks)


def _read_messages(messages: Any, checks: Checks) -> Inputs:
    conversations = _listed(messages, "messages", "[[{'role': 'user', 'content': '...'}], ...]")
    if conversations and all(isinstance(item, dict) for item in conversations):
        raise InvalidInputError(
            "messages is a single conversation; it must be a list of conversations: messages=[[...], [...]]"
        )
    inputs = Inputs("messages")
    for index, conversation in enumerate(conversations):
        checked = checks.conversation(conversation, f"messages[{index}]")
        if checked.prefilled and inputs.first_prefilled is None:
            inputs.first_prefilled = index
        inputs.caches = inputs.caches or checked.caches
        inputs.add(conversation, checked.digest, checked.request_size, checked.token_bound, checked.tokens)
    return inputs


def _read_files(files: Any, prompt: str | None, checks: Checks) -> tuple[Inputs, list[BadFile]]:
    _check_prompt(prompt)
    inputs = Inputs("files")
    bad: list[BadFile] = []
    for index, item in enumerate(_listed(files, "files", "['a.pdf', 'b.pdf']")):
        try:
            file, measured = checks.file(read_file(item, index, checks.most_bytes))
        except InvalidInputError as exc:
            bad.append(bad_file(item, index, exc))
            inputs.refuse(unusable_file(item, index), str(exc))
        else:
            inputs.add(file, measured.digest, measured.request_size, measured.token_bound, measured.tokens)
    return inputs, bad


def read_again(inputs: Inputs, indexes: Iterable[int], checks: Checks, on_bad_file: str) -> None:
    """Read the files of these items again, those that came as paths, in case they were mended.

    Raises FileInputError as `read_inputs` does.
    """
    bad = []
    for index in indexes:
        source = inputs.source(index)
        if not isinstance(source, FileInput) or source.path is None:
            continue
        try:
            file, measured = checks.file(read_file(source.path, index, checks.most_bytes))
        except InvalidInputError as exc:
            bad.append(bad_file(source.path, index, exc))
            inputs.replace(index, unusable_file(source.path, index), (0, 0, 0), str(exc))
        else:
            sizes = measured.request_size, measured.token_bound, measured.tokens
            inputs.replace(index, file, sizes, None)
    if bad and on_bad_file == "raise":
        raise _all_of(bad, inputs)


def _all_of(bad: list[BadFile], inputs: Inputs) -> FileInputError:
    """Combine all files that cannot be used into one error."""
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


def _listed(value: Any, name: str, example: str) -> list[Any]:
    single = isinstance(value, str | bytes | bytearray | memoryview | os.PathLike | Mapping)
    if single or callable(getattr(value, "read", None)) or not isinstance(value, Iterable):
        raise InvalidInputError(f"{name} is a {type(value).__name__}; it must be a list: {name}={example}")
    return list(value)
