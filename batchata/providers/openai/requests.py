"""How an item becomes a line of the file that OpenAI's Batch API reads: POST /v1/responses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import IO, Any, ClassVar, Final

from batchata.answers.schema import NotNative, Route
from batchata.core.values import CachePlan
from batchata.errors import InvalidInputError
from batchata.inputs.files import FileInput
from batchata.inputs.items import Inputs, Source
from batchata.inputs.json_values import encode
from batchata.providers.port import Envelope, SharedBeginning

RESPONSES: Final = "/v1/responses"
_URL: Final = re.compile(rb'"url":"(/v1/[a-z/]{1,40})"')
_HEAD_BYTES: Final = 1_000
HIDDEN_TOKENS: Final = 300  # what the service adds for tools and output formats; a guess
_CHARACTERS_A_TOKEN: Final = 4
_ROLES: Final = {"user": "user", "assistant": "assistant", "system": "system"}
_NOTE_BYTES: Final = 48  # a message around a note
_UNSUPPORTED: Final = ("patternProperties", "prefixItems", "allOf", "oneOf", "not", "if")


@dataclass(frozen=True)
class LineTemplate:
    """What all lines of a run have in common; `params` are those of the Responses API without the input."""

    params: Mapping[str, Any]
    suffix: str | None = None

    envelope: ClassVar[Envelope] = Envelope(b"", b"\n", b"\n")
    cache: ClassVar[CachePlan | None] = None
    # The service caches by itself, and not every table has a price for what it writes.
    caches: ClassVar[bool] = True

    def encode(self, custom_id: str, source: Source, note: str | None = None) -> bytes:
        """See the port: `{"custom_id": ..., "method": "POST", "url": ..., "body": {...}}`."""
        if isinstance(source, FileInput):
            raise InvalidInputError(f"file {source.name!r} cannot be sent to OpenAI yet")
        turns = [{"role": _ROLES[turn["role"]], "content": turn["content"]} for turn in source]
        if note is not None:
            turns.append({"role": "user", "content": note})
        head = b'{"custom_id":' + encode(custom_id) + b',"method":"POST","url":"' + RESPONSES.encode()
        return head + b'","body":{' + self._common + b',"input":' + encode(turns) + b"}}"

    @property
    def size(self) -> int:
        """See the port."""
        return len(self._common)

    @property
    def token_bound(self) -> int:
        """See the port."""
        return self.size + HIDDEN_TOKENS

    @property
    def expected_tokens(self) -> int:
        """See the port."""
        return self.size // _CHARACTERS_A_TOKEN

    @property
    def unbounded(self) -> str | None:
        """See the port: any tool but a function is run by the service."""
        kinds = (str(tool.get("type")) for tool in self.params.get("tools") or ())
        return next((kind for kind in kinds if kind != "function"), None)

    def note_size(self, note: str) -> int:
        """See the port."""
        return len(encode(note)) + _NOTE_BYTES

    def limited_to(self, max_tokens: int) -> LineTemplate:
        """See the port."""
        return replace(self, params={**self.params, "max_output_tokens": max_tokens})

    def caching(self, plan: CachePlan) -> LineTemplate:
        """See the port: nothing can be marked."""
        return self

    def shared_beginning(self, inputs: Inputs) -> SharedBeginning:
        """See the port: nothing can be marked."""
        return SharedBeginning(None, 0, "", 0)

    @cached_property
    def _common(self) -> bytes:
        texts = [text for text in (self.params.get("instructions"), self.suffix) if text]
        rest = {name: value for name, value in self.params.items() if name != "instructions"}
        shared = {**rest, **({"instructions": "\n\n".join(texts)} if texts else {}), "store": False}
        return encode(shared)[1:-1]


def endpoint_of(body: bytes | IO[bytes]) -> str:
    """Return the endpoint that the requests of a file are for: that of its first line."""
    head = body[:_HEAD_BYTES] if isinstance(body, bytes) else body.read(_HEAD_BYTES)
    if not isinstance(body, bytes):
        body.seek(0)
    found = _URL.search(head)
    return RESPONSES if found is None else found[1].decode()


def template_of(model: str, params: Mapping[str, Any], route: Route) -> LineTemplate:
    """Return the template of a run; our `max_tokens` is called `max_output_tokens`."""
    whole = {"model": model, **params}
    if (most := whole.pop("max_tokens", None)) is not None:
        whole["max_output_tokens"] = most
    if route.output_format is not None:
        whole["text"] = {**whole.get("text", {}), "format": route.output_format}
    return LineTemplate(whole, route.instructions)


def strict_format(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema as a strict `text.format`: every field required, no other allowed.

    Raises NotNative where that would change what answers mean.
    """
    name = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in schema.get("title", ""))
    return {"type": "json_schema", "name": name[:64] or "answer", "schema": _strict(schema), "strict": True}


def _strict(part: Any) -> Any:
    if isinstance(part, list):
        return [_strict(entry) for entry in part]
    if not isinstance(part, dict):
        return part
    if found := next((key for key in _UNSUPPORTED if key in part), None):
        raise NotNative(f"strict output has no {found}")
    kept = {key: value for key, value in part.items() if key not in ("default", "properties", "$defs")}
    for key in ("items", "anyOf"):
        if key in kept:
            kept[key] = _strict(kept[key])
    if "$defs" in part:
        kept["$defs"] = {name: _strict(value) for name, value in part["$defs"].items()}
    return {**kept, **_object(part)} if part.get("type") == "object" else kept


def _object(part: dict[str, Any]) -> dict[str, Any]:
    if part.get("additionalProperties") not in (None, False) or "properties" not in part:
        raise NotNative("strict output has no open dicts")
    fields = part["properties"]
    for name, field in fields.items():
        if name not in part.get("required", ()) and {"type": "null"} not in field.get("anyOf", ()):
            raise NotNative(f"{name} may be left out, and strict output leaves no field out")
    return {
        "properties": {name: _strict(field) for name, field in fields.items()},
        "required": list(fields),
        "additionalProperties": False,
    }
