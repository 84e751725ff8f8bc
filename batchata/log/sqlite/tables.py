"""The tables of a log file, as SQLModel models; what creates them is in `migrations/`."""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

# SQLModel's `int` is 32 bits wide on most databases: too small for microseconds. SQLite's INTEGER has 64.
Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


class LogTable(SQLModel):
    """The base of the log's tables; its own metadata keeps them out of a user's SQLModel models."""

    metadata = sa.MetaData()


class EventRow(LogTable, table=True):
    """One event. The primary key is the concurrency control: a (stream, version) exists once."""

    __tablename__ = "events"
    stream: str = Field(primary_key=True, sa_type=sa.Text)
    version: int = Field(primary_key=True, sa_type=Big)  # 1, 2, 3, … in each stream
    type: str = Field(sa_type=sa.Text)
    schema_version: int = Field(sa_type=Big)
    at: int = Field(sa_type=Big)  # microseconds since 1970 UTC
    job: int | None = Field(default=None, sa_type=Big)
    item: int | None = Field(default=None, sa_type=Big)
    data: str = Field(sa_type=sa.Text)  # the event as a JSON object


class SegmentRow(LogTable, table=True):
    """About 100 bodies in one piece. `data` is None once they were purged; their hash stays."""

    __tablename__ = "segments"
    stream: str = Field(primary_key=True, sa_type=sa.Text)
    first: int = Field(primary_key=True, sa_type=Big)  # number of the first body in here
    count: int = Field(sa_type=Big)
    codec: int = Field(sa_type=Big)  # see batchata/log/format.py
    sha256: bytes = Field(sa_type=sa.LargeBinary)  # of `data`
    data: bytes | None = Field(default=None, sa_type=sa.LargeBinary)


class CommitRow(LogTable, table=True):
    """What one append added, and the hash that chains it to the append before."""

    __tablename__ = "commits"
    __table_args__ = (sa.Index("commits_first", "stream", sqlite_where=sa.text("number = 1")),)
    stream: str = Field(primary_key=True, sa_type=sa.Text)
    number: int = Field(primary_key=True, sa_type=Big)  # 1, 2, 3, … in each stream
    first_version: int = Field(sa_type=Big)
    last_version: int = Field(sa_type=Big)
    next_body: int = Field(sa_type=Big)  # bodies below this number are in this commit or before it
    epoch: int = Field(sa_type=Big)  # of the claim that wrote it
    at: int = Field(sa_type=Big)
    hash: bytes = Field(sa_type=sa.LargeBinary)


class ClaimRow(LogTable, table=True):
    """Who drives, or last drove, a stream. Each claim counts the epoch up, which shuts out the one before."""

    __tablename__ = "claims"
    stream: str = Field(primary_key=True, sa_type=sa.Text)
    epoch: int = Field(sa_type=Big)
    pid: int = Field(sa_type=Big)
    host: str = Field(sa_type=sa.Text)
    since: int = Field(sa_type=Big)
