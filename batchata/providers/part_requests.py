"""Share what models and requests of services without cache marks and citations have in common.

Their inputs are sent as parts of messages, and what they cite is looked up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import IO, Any, ClassVar, Final, NamedTuple, Self

import msgspec

from batchata.core.values import CachePlan
from batchata.errors import InvalidInputError
from batchata.inputs.files import FileInput
from batchata.inputs.items import Inputs, Source
from batchata.inputs.json_values import check_json, encode
from batchata.providers.exchange import SharedBeginning
from batchata.providers.message_parts import Part, parts_of_file, turns_of
from batchata.providers.own_arguments import OWN_ARGUMENTS
from batchata.text import did_you_mean

__all__ = ["PartModel", "PartTemplate", "Words", "checked_params", "head_of", "turns_with"]

_HEAD_BYTES: Final = 1_000
_HIDDEN_TOKENS: Final = 300  # what a service adds for tools and output formats; a guess
_CHARACTERS_A_TOKEN: Final = 4


class PartModel:
    """What holds for all of these models; see the port."""

    text_factor: ClassVar[float] = 1.0
    locates: ClassVar[bool] = True
    cache_mark: ClassVar[str] = ""
    least_output: ClassVar[int] = 1  # tokens; less is refused

    def check_max_tokens(self, value: object) -> None:
        """See the port."""
        if type(value) is not int or value < self.least_output:
            raise InvalidInputError(
                f"max_tokens is {value!r}; it must be an integer of {self.least_output} or more"
            )

    def place(self, params: Mapping[str, Any]) -> str | None:  # noqa: ARG002 - no parameter says so
        """See the port."""
        return None

    def caches(self, params: Mapping[str, Any]) -> bool:  # noqa: ARG002 - parameters do not ask for it
        """See the port."""
        return False


class PartTemplate:
    """What holds for all of their requests, where nothing can be marked for a cache; see the port."""

    cache: ClassVar[CachePlan | None] = None
    # The service does so by itself, and not every table has a price for what it writes.
    caches: ClassVar[bool] = True

    @property
    def size(self) -> int:
        """See the port."""
        raise NotImplementedError

    @property
    def token_bound(self) -> int:
        """See the port."""
        return self.size + _HIDDEN_TOKENS

    @property
    def expected_tokens(self) -> int:
        """See the port."""
        return self.size // _CHARACTERS_A_TOKEN

    def caching(self, plan: CachePlan) -> Self:  # noqa: ARG002 - nothing can be marked
        """See the port."""
        return self

    def shared_beginning(self, inputs: Inputs) -> SharedBeginning:  # noqa: ARG002 - nothing can be marked
        """See the port."""
        return SharedBeginning(None, 0, "", 0)


def turns_with(prompt: str | None, source: Source) -> Iterator[tuple[str, list[Part]]]:
    """Yield the turns of a conversation, or the one turn that puts the prompt to a file."""
    if not isinstance(source, FileInput):
        yield from turns_of(source)
        return
    asked = [Part("text", prompt)] if prompt else []
    yield "user", [*parts_of_file(source), *asked]


def head_of(body: bytes | IO[bytes]) -> bytes:
    """Return the beginning of encoded requests, where the first one names its model; a file is rewound."""
    if isinstance(body, bytes):
        return body[:_HEAD_BYTES]
    head = body.read(_HEAD_BYTES)
    body.seek(0)
    return head


class Words(NamedTuple):
    """A provider's parameters: `same` are other names for some, `instead` what to give for others."""

    known: Collection[str]
    same: Mapping[str, str]
    instead: Mapping[str, str]


def checked_params(params: Mapping[str, Any], words: Words, model: str) -> dict[str, Any]:
    """Return a copy of the parameters as plain JSON values under the provider's names; None is left out.

    Raises InvalidInputError for one that it lacks, or that is given under two names.
    """
    found: dict[str, Any] = {}
    for given, value in params.items():
        if value is None:
            continue
        name = words.same.get(given, given)
        if name not in words.known:
            hint = f": {words.instead[given]}" if given in words.instead else ""
            meant = "" if hint else did_you_mean(given, [*OWN_ARGUMENTS, *words.known], most=3, cutoff=0.7)
            raise InvalidInputError(
                f"{given} cannot be given for {model}{hint}; "
                + (meant or f"known are {', '.join(sorted(words.known))}")
            )
        if name in found:
            raise InvalidInputError(f"{name} is given twice: {given} is the same for {model}")
        check_json(value, given)
        found[name] = value
    copy: dict[str, Any] = msgspec.json.decode(encode(found))
    return copy
