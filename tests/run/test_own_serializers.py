"""Models that write themselves otherwise than they are read: in files and tables."""

from __future__ import annotations

import dataclasses
import io
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import (
    BaseModel,
    Field,
    Json,
    RootModel,
    SecretBytes,
    SecretStr,
    computed_field,
    field_serializer,
    field_validator,
    model_serializer,
)
from resume_support import fresh
from typer.testing import CliRunner

from batchata import InvalidInputError, load_results_from_disk
from batchata.answers.answer import Block
from batchata.answers.reader import Reader
from batchata.answers.written_results import reads_what_it_writes
from batchata.replay.cli import app
from batchata.sandbox import Answer
from batchata.views.results_dir import write_entries


class AsText(BaseModel):
    """Is written as one text."""

    day: date
    total: float

    @model_serializer
    def _written(self):  # type: ignore[no-untyped-def]  # noqa: ANN202 - as most are
        return f"{self.day:%d.%m.%Y}: {self.total}"


class Renamed(BaseModel):
    """Is written under other names."""

    day: date
    total: float

    @model_serializer
    def _written(self):  # type: ignore[no-untyped-def]  # noqa: ANN202 - as most are
        return {"when": self.day.isoformat(), "sum": self.total}


class OfParts(BaseModel):
    """Holds such models."""

    first: AsText
    others: list[Renamed]


class OfJson(BaseModel):
    """Takes a text that holds JSON, and writes what it holds."""

    values: Json[list[int]]


class OtherKinds(BaseModel):
    """Writes texts where it takes days and numbers."""

    day: date
    total: float

    @field_serializer("day")
    def _day(self, day: date):  # type: ignore[no-untyped-def]  # noqa: ANN202
        return f"{day:%d.%m.%Y}"

    @field_serializer("total")
    def _total(self, total: float):  # type: ignore[no-untyped-def]  # noqa: ANN202
        return f"{total} EUR"


class Secrets(BaseModel):
    """Writes asterisks."""

    key: SecretStr
    raw: SecretBytes


@dataclasses.dataclass
class Login:
    """Holds a secret."""

    user: str
    password: SecretStr


class DeepSecrets(BaseModel, extra="allow"):
    """Writes asterisks further inside, and for keys."""

    __pydantic_extra__: dict[str, SecretStr]
    by_key: dict[SecretStr, int] = {}
    logins: list[Login] = []
    root: RootModel[SecretStr] | None = None


class LeavesOut(BaseModel):
    """Does not write one of its fields."""

    day: date
    note: str = Field("none", exclude=True)


class Computes(BaseModel, extra="forbid"):
    """Writes a key that it does not take."""

    total: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def twice(self) -> int:
        return 2 * self.total


class InCents(BaseModel):
    """Takes what it wrote for something else."""

    total: float

    @field_validator("total")
    @classmethod
    def _cents(cls, total: float) -> float:
        return 100 * total


class Either(BaseModel):
    """Writes a number as the text that it takes, too."""

    total: Decimal | str


class ByAlias(BaseModel, serialize_by_alias=True):
    """Writes a name that it does not take."""

    total: int = Field(validation_alias="sum", serialization_alias="TOTAL")


OWN: dict[type[BaseModel], str] = {
    AsText: '{"day": "2026-01-02", "total": 1.5}',
    Renamed: '{"day": "2026-01-02", "total": 1.5}',
    OfParts: '{"first": {"day": "2026-01-02", "total": 1.5}, "others": [{"day": "2026-01-03", "total": 2}]}',
    OfJson: '{"values": "[1, 2]"}',
    OtherKinds: '{"day": "2026-01-02", "total": 1.5}',
    Secrets: '{"key": "open", "raw": "sesame"}',
    DeepSecrets: '{"by_key": {"open": 1}, "logins": [{"user": "a", "password": "b"}], "root": "c", "d": "e"}',
    LeavesOut: '{"day": "2026-01-02", "note": "paid"}',
    Computes: '{"total": 2}',
    InCents: '{"total": 1.5}',
    Either: '{"total": 1.50}',
    ByAlias: '{"sum": 3}',
}


class Plain(BaseModel):
    """Reads what it writes."""

    day: date
    total: Decimal | None = None
    parts: list[str] = Field(default_factory=list, description="in any order")
    by_name: dict[str, list[float]] = {}


def written(model: type[BaseModel], answer: str, folder: Path) -> tuple[Any, str]:
    """The result of an answer, and the file that has it."""
    reading = Reader(model, enable_citations=False).read([Block("text", answer)], "end_turn")
    assert reading.result is not None, reading.error
    file = io.BytesIO()
    write_entries(file, [reading])
    (folder / "job_0_results.json").write_bytes(file.getvalue())
    return reading.result, file.getvalue().decode()


@pytest.mark.parametrize("model", OWN, ids=lambda model: model.__name__)
def test_a_file_gives_back_the_same_result(model: type[BaseModel], tmp_path: Path) -> None:
    """Whatever the model makes of itself in writing; that stands in the file as it is."""
    result, text = written(model, OWN[model], tmp_path)
    (entry,) = load_results_from_disk(tmp_path, model)
    assert entry == {"result": result, "citations": None}
    assert repr(entry["result"]) == repr(result)
    (entry,) = json.loads(text)
    assert entry["result"] == result.model_dump(mode="json")


def test_the_answer_stands_only_where_it_is_needed(tmp_path: Path) -> None:
    """Most models read what they write, and their files are what they were."""
    result, text = written(Plain, '{"day": "2026-01-02", "total": 1.10, "parts": ["a"]}', tmp_path)
    assert text == '[\n{"result":' + result.model_dump_json() + ',"citations":null}\n]\n'
    assert reads_what_it_writes(Plain)
    text = written(Either, '{"total": "some"}', tmp_path)[1]
    assert text == '[\n{"result":{"total":"some"},"citations":null}\n]\n'
    assert not any(map(reads_what_it_writes, OWN))


def test_a_file_of_an_older_version_is_never_read_as_something_else(tmp_path: Path) -> None:
    """What it does not hold is told, with the way to get it from the log."""
    for model, old in (
        (Secrets, '{"key": "**********", "raw": "**********"}'),
        (AsText, '"02.01.2026: 1.5"'),
        (DeepSecrets, '{"by_key": {"**********": 1}}'),
        (DeepSecrets, '{"logins": [{"user": "a", "password": "**********"}]}'),
        (DeepSecrets, '{"root": "**********"}'),
        (DeepSecrets, '{"d": "**********"}'),
    ):
        (tmp_path / "job_0_results.json").write_text(f'[{{"result": {old}, "citations": null}}]')
        with pytest.raises(InvalidInputError, match=r"replay export LOG DIR --model MODULE:"):
            load_results_from_disk(tmp_path, model)


def test_asterisks_that_are_the_secret_are_given_back(tmp_path: Path) -> None:
    """They are not what stands for one."""
    result, _ = written(Secrets, '{"key": "**********", "raw": ""}', tmp_path)
    assert load_results_from_disk(tmp_path, Secrets) == [{"result": result, "citations": None}]


@pytest.mark.parametrize("model", [AsText, OfParts, OtherKinds, Secrets], ids=lambda model: model.__name__)
def test_a_run_has_the_fields_in_files_and_tables(tmp_path: Path, model: type[BaseModel]) -> None:
    """Files of the run and of exports are the same, and every kind of table can be written."""
    with fresh(tmp_path / "run", answers=lambda _: Answer(OWN[model])) as runs:
        made = runs.manager(2, response_model=model, results_dir=runs.out)
        assert made.run()["completed_items"] == 2
        results = [entry["result"] for entry in made.results()]
        assert [entry["result"] for entry in load_results_from_disk(runs.out, model)] == results
        for format in ("json", "csv", "parquet", "xlsx"):
            made.export(tmp_path / format, format=format)
        named = ["--model", f"{__name__}:{model.__name__}"]
        again = CliRunner().invoke(app, ["export", str(runs.log), str(tmp_path / "again"), *named])
        assert again.exit_code == 0, again.output
    (of_run, *exported) = [
        (folder / "processed" / "job_0_results.json").read_bytes()
        for folder in (runs.out, tmp_path / "json", tmp_path / "again")
    ]
    assert exported == [of_run, of_run]


def test_columns_have_the_fields(tmp_path: Path) -> None:
    """Where the model writes none of them; nothing is None that has a value."""
    from pyarrow import parquet  # takes long to import

    with fresh(tmp_path / "run", answers=lambda _: Answer(OWN[OfParts])) as runs:
        made = runs.manager(1, response_model=OfParts)
        made.run()
        (row,) = made.rows()
        made.export(tmp_path, format="parquet")
    assert (row["first.day"], row["first.total"]) == (date(2026, 1, 2), 1.5)
    (found,) = parquet.read_table(tmp_path / "results.parquet").to_pylist()
    assert (found["result.first.day"], found["result.first.total"]) == (date(2026, 1, 2), 1.5)
    assert found["result.others"] == [{"day": date(2026, 1, 3), "total": 2.0}]
