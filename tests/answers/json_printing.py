"""Any JSON value, printed in any way that JSON allows, for tests that must not depend on one printer."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

texts = st.text(max_size=12)
scalars = st.one_of(
    texts,
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
    st.sampled_from(['"', "\\", "\\u0041", "}{][,:", "\u2028", "😀", "1", "true", ""]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)


@st.composite
def printed(draw: st.DrawFn, value: Any) -> str:
    """The value as JSON with any white space and any escapes."""
    gap = st.text(st.sampled_from(" \t\r\n"), max_size=3)
    if isinstance(value, dict):
        members = [
            f"{draw(gap)}{draw(printed(k))}{draw(gap)}:{draw(gap)}{draw(printed(v))}{draw(gap)}"
            for k, v in value.items()
        ]
        return "{" + (",".join(members) or draw(gap)) + "}"
    if isinstance(value, list):
        return "[" + (",".join(f"{draw(gap)}{draw(printed(v))}{draw(gap)}" for v in value) or draw(gap)) + "]"
    if isinstance(value, str):
        return draw(_printed_text(value))
    return json.dumps(value)


@st.composite
def _printed_text(draw: st.DrawFn, text: str) -> str:
    ways = draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)))
    inside = "".join(
        json.dumps(sign, ensure_ascii=escaped)[1:-1] if not escaped or ord(sign) > 0xFFFF else _code(sign)
        for sign, escaped in zip(text, ways, strict=True)
    )
    return f'"{inside}"'


def _code(sign: str) -> str:
    return f"\\u{ord(sign):04X}"


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """The scalars of a value by path, as citations name them; keys that are no names are in brackets."""
    if isinstance(value, dict):
        found: dict[str, Any] = {}
        for key, inner in value.items():
            plain = bool(key) and not any(sign in '.[]"\\()' or sign < " " for sign in key)
            step = (f".{key}" if path else key) if plain else f"[{json.dumps(key, ensure_ascii=False)}]"
            found |= leaves(inner, path + step)
        return found
    if isinstance(value, list):
        return {p: leaf for n, inner in enumerate(value) for p, leaf in leaves(inner, f"{path}[{n}]").items()}
    return {path: value}
