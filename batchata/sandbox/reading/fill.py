"""Fill a JSON schema from the pages of a request, and keep for each value where it stands."""

from __future__ import annotations

import re
from typing import Any

from batchata.sandbox.reading.find import Finder, Found
from batchata.sandbox.reading.labels import Concept, concept_of, words_of
from batchata.sandbox.reading.pages import Place, rows_of
from batchata.sandbox.reading.typed import find_dates, number_of
from batchata.sandbox.values import resolve

__all__ = ["Filler", "Node"]

type Node = Found | dict[str, Node] | list[Node]

_DEPTH = 8
_YES = re.compile(r"(?:yes|true|ja|oui|si|sí|tak|y|x|✓|1)\b", re.IGNORECASE)
_NO = re.compile(r"(?:no|false|nein|nee|non|nie|n|0)\b", re.IGNORECASE)
_AUXILIARY = re.compile(r"^(?:is|are|was|were|has|have|had|contains|mentions)\s+")
_NEGATION = re.compile(r"\b(?:not|un|non|no|never|nicht|kein\w*|isn't|wasn't)[\s-]*$", re.IGNORECASE)
_EMPTY: dict[str, Any] = {"string": "", "number": 0, "integer": 0, "boolean": False, "null": None}


class Filler:
    """One schema and the pages it is filled from."""

    def __init__(self, root: dict[str, Any], finder: Finder) -> None:
        self.root = root
        self.finder = finder

    def fill(self) -> Node:
        return self._fill(self.root, [], 0) or self._nothing(self.root)

    def _fill(self, schema: dict[str, Any], names: list[str], depth: int) -> Node | None:
        """Return the value of a schema, or None when the text has none."""
        schema = resolve(schema, self.root)
        if "const" in schema:
            return Found(schema["const"])
        if "enum" in schema:
            return self._choice(schema["enum"], names)
        options = [o for o in schema.get("anyOf") or schema.get("oneOf") or [] if o.get("type") != "null"]
        if options:
            filled = (self._fill({**option, **_naming(schema)}, names, depth) for option in options)
            return next((node for node in filled if node is not None), None)
        kind = _type_of(schema)
        if kind == "object":
            return self._object(schema, names, depth)
        if kind == "array":
            return self._array(schema, names)
        return self._scalar(kind, schema, names)

    def _object(self, schema: dict[str, Any], names: list[str], depth: int) -> Node | None:
        if depth > _DEPTH:
            return None
        required = schema.get("required") or []
        filled: dict[str, Node] = {}
        found_any = depth == 0
        for name, child in (schema.get("properties") or {}).items():
            node = self._fill(child, [*_names(name, child), *_joined(names, name)], depth + 1)
            found_any = found_any or node is not None
            if node is not None or name in required or self._nullable(child):
                filled[name] = self._nothing(child) if node is None else node
        return filled if found_any else None

    def _array(self, schema: dict[str, Any], names: list[str]) -> Node | None:
        item = resolve(schema.get("items") or {}, self.root)
        if _type_of(item) == "object":
            return self._rows(item)
        concept = concept_of(names)
        found = self.finder.find(concept, "text") if concept else None
        if found is None or found.place is None:
            return None
        return [
            self._part(item, part, found.place) for part in re.split(r"\s*[,/]\s*", str(found.value)) if part
        ]

    def _part(self, item: dict[str, Any], part: str, place: Place) -> Node:
        value: Any = part
        if _type_of(item) in ("number", "integer"):
            value = number_of(part) or 0
        return Found(value, place)

    def _rows(self, item: dict[str, Any]) -> Node | None:
        properties = item.get("properties") or {}
        rows = rows_of(self.finder.pages, list(properties))
        filled = [self._row(row, properties, item.get("required") or []) for row in rows]
        return [row for row in filled if row is not None] or None

    def _row(self, row: dict[str, Place], properties: dict[str, Any], required: list[str]) -> Node | None:
        """Return one record of a table row, or None when a cell does not have the type of its column."""
        record: dict[str, Node] = {}
        for name, child in properties.items():
            place = row.get(name)
            node = None if place is None else self._cell(child, place)
            if node is None and name in required and not self._nullable(child):
                return None
            if node is not None or name in required or self._nullable(child):
                record[name] = self._nothing(child) if node is None else node
        return record

    def _cell(self, schema: dict[str, Any], place: Place) -> Found | None:
        text = place.page.lines[place.line][place.start : place.end]
        kinds = self._kinds(schema)
        if "number" in kinds or "integer" in kinds:
            value = (
                number_of(text, comma_decimal=self.finder.comma_decimal) if re.match(r"\W*\d", text) else None
            )
            whole = value is not None and "number" not in kinds
            return None if value is None else Found(int(value) if whole else value, place)
        if resolve(schema, self.root).get("format") == "date":
            return next((Found(iso, place) for _, _, iso in find_dates(text)), None)
        return Found(text, place) if any(letter.isalpha() for letter in text) else None

    def _scalar(self, kind: str, schema: dict[str, Any], names: list[str]) -> Node | None:
        if kind == "boolean":
            return self._boolean(names)
        concept = concept_of(names)
        if concept is None:
            return None
        match kind:
            case "number" | "integer":
                return self._number(concept, kind)
            case "string":
                return self._string(concept, schema.get("format"))
        return None

    def _boolean(self, names: list[str]) -> Found | None:
        """Read yes or no beside the label, else whether the text states it: "paid", but not "not paid"."""
        stated = [_AUXILIARY.sub("", words_of(name)) for name in names]
        concept = concept_of(stated)
        labelled = self.finder.find(concept, "text") if concept else None
        for pattern, value in ((_YES, True), (_NO, False)):
            if labelled is not None and pattern.match(str(labelled.value)):
                return Found(value, labelled.place)
        at = _stands_at(stated[0], self.finder.text) if stated and stated[0] else None
        return None if at is None else Found(not _NEGATION.search(self.finder.text[:at]))

    def _number(self, concept: Concept, kind: str) -> Found | None:
        found = self.finder.find(concept, concept.kind if concept.kind.startswith("money") else "number")
        if found is None or kind == "number":
            return found
        return Found(round(found.value), found.place)

    def _string(self, concept: Concept, form: str | None) -> Found | None:
        if form in ("date", "date-time"):
            found = self.finder.find(concept, "date")
            return (
                found if found is None or form == "date" else Found(f"{found.value}T00:00:00Z", found.place)
            )
        kind = "email" if form == "email" else concept.kind
        return self.finder.find(concept, "text" if kind.startswith("money") else kind)

    def _choice(self, choices: list[Any], names: list[str]) -> Found | None:
        """Return the choice beside the label, else the first that stands in the text as whole words."""
        texts = [choice for choice in choices if isinstance(choice, str)]
        concept = concept_of(names)
        labelled = self.finder.find(concept, "text") if concept and texts else None
        for choice in texts if labelled is not None else []:
            if labelled is not None and str(labelled.value).lower().startswith(_spoken(choice)):
                return Found(choice, labelled.place)
        if concept and concept.kind == "currency":
            found = self.finder.find(concept)
            return found if found is not None and found.value in texts else None
        places = [(_stands_at(_spoken(choice), self.finder.text), choice) for choice in texts]
        standing = [(at, choice) for at, choice in places if at is not None]
        return Found(min(standing)[1]) if standing else None

    def _nullable(self, schema: dict[str, Any]) -> bool:
        return "null" in self._kinds(schema)

    def _kinds(self, schema: dict[str, Any]) -> list[str]:
        schema = resolve(schema, self.root)
        options = schema.get("anyOf") or schema.get("oneOf") or []
        kinds = schema.get("type")
        own = kinds if isinstance(kinds, list) else [kinds] if kinds else []
        return [*own, *(kind for option in options for kind in self._kinds(option))]

    def _nothing(self, schema: dict[str, Any]) -> Node:
        """Return the value for one not found: null where allowed, else empty."""
        schema = resolve(schema, self.root)
        if self._nullable(schema) or not (kinds := self._kinds(schema)):
            return Found(schema["enum"][0] if "enum" in schema and None not in schema["enum"] else None)
        if "enum" in schema:
            return Found(schema["enum"][0])
        if kinds[0] == "array":
            return []
        if kinds[0] == "object" and "properties" in schema:
            required = schema.get("required") or []
            return {n: self._nothing(s) for n, s in schema["properties"].items() if n in required}
        return {} if kinds[0] == "object" else Found(_EMPTY.get(kinds[0]))


def _type_of(schema: dict[str, Any]) -> str:
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return next((str(kind) for kind in kinds if kind != "null"), "null")
    return str(kinds or ("object" if "properties" in schema else "string"))


def _naming(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: schema[key] for key in ("title", "description") if key in schema}


def _names(name: str, schema: dict[str, Any]) -> list[str]:
    """Return what a property may be called: its name, its title, a short description."""
    description = str(schema.get("description") or "")
    names = [name, str(schema.get("title") or "")]
    names += [str(alias) for alias in schema.get("aliases") or []]
    if 0 < len(description.split()) <= 4:
        names.append(description.rstrip("."))
    return list(dict.fromkeys(n for n in names if n))


def _joined(parents: list[str], name: str) -> list[str]:
    """Join names within an object: `vendor` + `name` also goes by "vendor name" and, for a name, "vendor"."""
    joined = [f"{parent} {name}" for parent in parents[:1]]
    return [*joined, *parents[:1]] if name.lower() == "name" else joined


def _spoken(choice: str) -> str:
    """Write an enum value as a document would."""
    return choice.lower().replace("_", " ")


def _stands_at(words: str, text: str) -> int | None:
    found = re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text, re.IGNORECASE)
    return None if found is None else found.start()
