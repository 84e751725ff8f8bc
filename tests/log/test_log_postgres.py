"""The log in PostgreSQL beside what every log does: addresses, several hosts, and a server that goes away."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")

import log_process
import log_samples as s
import postgres_server
from log_process import Start
from lossy_line import lossy
from postgres_server import PASSWORD, Server, lose

from batchata.core import events as e
from batchata.core import values
from batchata.errors import (
    InvalidInputError,
    LogConflictError,
    LogError,
    LogVersionError,
    LogWriteError,
    NotALogError,
    RunClaimedError,
)
from batchata.log import is_begun, open_log, place_of, read_log
from batchata.log.format import follow
from batchata.log.postgres.claim import PostgresClaim
from batchata.log.postgres.log import PostgresLog
from batchata.log.sqlite import schema as of_files
from batchata.log.verify import verify


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that a test may end and start again."""
    server = postgres_server.create()
    yield server
    server.remove()


def asked(url: str, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """The rows of a query, by plain psycopg."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(query, parameters)
        rows: list[tuple[Any, ...]] = found.fetchall() if found.description else []
        return rows


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://ann:s3cret@db.example:5432/night", "postgresql://ann@db.example:5432/night"),
        ("postgres://ann:@db/night", "postgres://ann@db/night"),
        ("postgresql://db.example/night?password=s3cret&sslmode=require", "postgresql://db.example/night"),
        ("postgresql://a:s3cr%40t@one:1,two:2/n?options=-csearch_path%3Dx",
         "postgresql://a@one:1,two:2/n?options=-csearch_path%3Dx"),
        ("postgresql:///night?host=/run/postgresql", "postgresql:///night?host=/run/postgresql"),
        ("postgresql://ann:s3cret@[::1]:5432/night", "postgresql://ann@[::1]:5432/night"),
        ("night.db", "night.db"),
        ("host=db/user=ann/night.db", "host=db/user=ann/night.db"),
    ],
)  # fmt: skip
def test_a_database_is_named_without_its_password(url: str, place: str) -> None:
    """In messages the log is its path, or its URL with all but what could be secret."""
    assert place_of(url) == place


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:s3cret@more@db/night",  # @ in a password
        "postgresql://ann:s3cret/more@db/night",  # / in a password
        "postgresql://ann:s3cret?more@db/night",  # ? in a password
        "postgresql://ann:s3cret/night",  # no host
        "postgresql:/ann:s3cret@db/night",  # as a Path makes it
        "mysql://ann:s3cret@db/night",
        "sqlite:///s3cret.db",
        " postgresql://ann:s3cret@db/night",
        "postgresql://ann:s3cret@db/night\n",
        "postgresql://ann:s3cret@db/my night",
        "postgresql:ann:s3cret@db",
        "jdbc:postgresql://db/night?user=ann&password=s3cret",
        "host=db user=ann password=s3cret dbname=night",
    ],
)
def test_what_is_no_address_is_refused_without_being_repeated(url: str) -> None:
    """Where the password ends is not known then: the message shows how an address is written."""
    for use in (place_of, open_log, read_log, is_begun):
        with pytest.raises(InvalidInputError, match="postgresql://user@host") as refused:
            use(url)
        assert "s3cret" not in str(refused.value)


def test_a_wrong_password_is_an_error_without_the_password(postgres_of_all: Server) -> None:
    """It names the user and the server, and so does an unknown setting, a database or a port without one."""
    asked(
        postgres_of_all.url,
        f"CREATE ROLE guarded LOGIN PASSWORD '{PASSWORD}'; CREATE SCHEMA guarded AUTHORIZATION guarded",
    )
    there = f"127.0.0.1:{postgres_of_all.port}"
    for url, said in [
        (f"postgresql://guarded:wr0ng-w0rd@{there}/postgres", "password authentication failed"),
        (f"postgresql://guarded:{PASSWORD}@{there}/nowhere", "does not exist"),
        (f"postgresql://guarded:{PASSWORD}@127.0.0.1:1/postgres", "refused"),
        (f"postgresql://guarded:{PASSWORD}@{there}/postgres?nonsense=1", "does not know"),
        (f"postgresql://guarded:{PASSWORD}%zz@{there}/postgres", "% itself is %25"),
        (f"postgresql://guarded:{PASSWORD}@{there}/postgres?connect_timeout=s3cret", "connect_timeout"),
    ]:
        with pytest.raises((LogError, InvalidInputError), match=said) as refused:
            open_log(url)
        told = f"{refused.value}{refused.value.__cause__}"
        assert "wr0ng-w0rd" not in told
        assert PASSWORD not in told
    assert PostgresLog(f"postgresql://guarded:{PASSWORD}@{there}/postgres").streams() == []
    asked(postgres_of_all.url, "DROP OWNED BY guarded; DROP ROLE guarded")


def test_a_log_is_begun_once_it_has_tables(postgres: str) -> None:
    """Reading makes none and says what is missing; two that begin at once make them once."""
    assert not is_begun(postgres)
    with pytest.raises(NotALogError, match="holds no Batchata log"):
        read_log(postgres)
    begin = threading.Barrier(3)
    failed: list[BaseException] = []

    def make() -> None:
        begin.wait()
        try:
            open_log(postgres).close()
        except LogError as exc:
            failed.append(exc)

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert is_begun(postgres)
    assert read_log(postgres).streams() == []


@pytest.mark.parametrize(
    "theirs",
    [
        "CREATE TABLE events (id int)",
        "CREATE TABLE alembic_version (version_num text)",
        "CREATE VIEW claims AS SELECT 1 AS stream",
    ],
)
def test_another_programs_tables_are_left_alone(postgres: str, theirs: str) -> None:
    """A schema that holds them is refused, and how to give the log its own is said."""
    asked(postgres, theirs)
    for opened in (open_log, read_log, is_begun):
        with pytest.raises(NotALogError, match="search_path"):
            opened(postgres)


def test_a_log_of_a_newer_version_is_not_touched(postgres: str) -> None:
    """Nor is one whose tables were replaced; both say so."""
    open_log(postgres).close()
    asked(postgres, "UPDATE alembic_version SET version_num = '9999'")
    for opened in (open_log, read_log, is_begun):
        with pytest.raises(
            LogVersionError, match=r"newer version of Batchata; upgrade batchata \(log revision 9999"
        ):
            opened(postgres)
    asked(postgres, "DROP TABLE claims; CREATE VIEW claims AS SELECT 1 AS stream")
    with pytest.raises(NotALogError, match="'claims' is not a table of a log"):
        open_log(postgres)


def test_both_databases_have_tables_of_one_form() -> None:
    """A migration of the file's tables has a twin here: this fails until it has."""
    from batchata.log.postgres import schema

    assert schema.HEAD == of_files.HEAD


def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(postgres: str, start: Start) -> None:
    """Kill -9 in the middle of appending, and the next process takes over: all is there, without gaps."""
    for round_ in range(4):
        writer = start(postgres, log_process.append_for_ever)
        said = [writer.says()]
        time.sleep(0.01 * round_)
        said += writer.kill()
        log = open_log(postgres)
        claim = log.claim("run", s.OWNER)
        versions = [recorded.version for recorded in log.events("run")]
        assert len(versions) >= said[-1]
        assert versions == list(range(1, len(versions) + 1))
        assert claim.version == versions[-1]
        claim.release()
        assert verify(log, "run") == []
        log.close()


def test_hosts_share_a_log_and_each_run_has_one_owner(postgres: str, start: Start) -> None:
    """Another process is told who drives a run, may read it meanwhile, and may drive another run."""
    writer = start(postgres, log_process.append_for_ever)
    writer.says()
    log = open_log(postgres)
    with pytest.raises(
        RunClaimedError, match=rf"'run' .* process {writer.pid} on there since 20\d\d-.*Z; wait"
    ):
        log.claim("run", s.OWNER)
    assert next(log.events("run")).version == 1
    assert verify(read_log(postgres), "run") == []
    log.claim("another", s.OWNER).append(s.AT, [s.submitted(1)])
    # The same database by another name is the same database.
    for other_name in (f"{postgres}&application_name=other", postgres.replace("127.0.0.1", "localhost")):
        with pytest.raises(RunClaimedError):
            PostgresLog(other_name).claim("run", s.OWNER)


def test_the_claim_of_a_dead_process_is_taken_over(postgres: str, start: Start) -> None:
    """A kill frees the run, even when the dead process had forked children that live on."""
    writer = start(postgres, log_process.append_and_fork)
    child = int(str(writer.says()))
    try:
        writer.kill()
        os.kill(child, 0)  # the child is alive
        claim = open_log(postgres).claim("run", s.OWNER)
        claim.append(s.AT, [s.submitted(2)])
        assert claim.version == 2
    finally:
        os.kill(child, signal.SIGKILL)


def test_processes_drive_different_runs_in_one_log_at_once(postgres: str, start: Start) -> None:
    """Also from the first moment, when all of them create the tables: each run is whole."""
    runs = ["a", "b", "c"]
    writers = [start(postgres, log_process.append_some, run) for run in runs]
    assert [writer.says() for writer in writers] == [300] * 3
    log = read_log(postgres)
    assert sorted(log.streams()) == runs
    assert [verify(log, run) for run in runs] == [[], [], []]


def test_a_forked_child_reads_but_does_not_write_for_its_parent(postgres: str) -> None:
    """In a child, the inherited claim refuses, releasing does nothing to the parent, and reading works."""
    log = PostgresLog(postgres)
    claim = log.claim("run", s.OWNER)
    claim.append(s.AT, [s.submitted(1)])
    assert log.streams() == ["run"]
    child = os.fork()
    if child == 0:
        os._exit(_in_child(log, claim))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with pytest.raises(RunClaimedError):
        PostgresLog(postgres).claim("run", s.OWNER)
    claim.append(s.AT, [s.submitted(2)])
    assert verify(log, "run") == []


def _in_child(log: PostgresLog, claim: Any) -> int:
    """0 when everything is as it should be."""
    with pytest.raises(LogConflictError):
        claim.append(s.AT, [s.submitted(2)])
    claim.release()
    with pytest.raises(LogWriteError, match="forked"):
        log.claim("other", s.OWNER)
    read = [recorded.version for recorded in log.events("run")] == [1]
    log.close()
    return 0 if read else 3


def test_a_lost_connection_is_made_again_and_the_append_is_there_once(postgres: str) -> None:
    """The claim is taken again, unless another has it; reading goes on, too."""
    log = PostgresLog(postgres)
    claim = log.claim("run", s.OWNER)
    claim.append(s.AT, [s.submitted(1)], [b"one"])
    assert log.streams() == ["run"]  # on a connection of its own
    lose(postgres)
    claim.append(s.AT, [s.submitted(2)], [b"two"])
    lose(postgres)
    assert [r.version for r in log.events("run")] == [1, 2]
    claim.append(s.AT, [s.submitted(3)])
    with pytest.raises(RunClaimedError):
        PostgresLog(postgres).claim("run", s.OWNER)
    assert verify(log, "run") == []


@pytest.mark.parametrize("acts", [False, True], ids=["the message", "the answer"])
def test_a_connection_that_is_lost_at_any_message_and_again_changes_nothing(
    postgres: str, acts: bool
) -> None:
    """Each message of an append, a read and a release is cut off, and a few of the next attempt as well."""
    with lossy(postgres) as line:
        log = open_log(line.url)
        claim = log.claim("run", s.OWNER)
        assert log.streams() == []
        losses = [(message, ()) for message in range(1, 7)]
        # The fourth message of a new connection takes the lock again.
        for count, (message, again) in enumerate([*losses, (2, (4,))], 1):
            line.lose(message, again, acts=acts)
            claim.append(s.AT, [s.submitted(count)])
        line.lose(1, (), acts=acts)
        assert log.streams() == ["run"]
        line.lose(1, (), acts=acts)
        claim.release()
        assert line.lost == 10
        log.claim("run", s.OWNER).release()
        assert verify(log, "run") == []
        log.close()


def test_a_connection_that_is_lost_while_a_log_is_verified_is_no_finding(postgres: str) -> None:
    """Nothing was changed in the log: that it could not be read to its end is an error."""
    log = PostgresLog(postgres)
    log.claim("run", s.OWNER).append(s.AT, [s.submitted(1)], [b"one"])

    def lost_meanwhile() -> None:
        with log.snapshot() as seen:
            lose(postgres)
            assert verify(seen, "run") != []

    with pytest.raises(LogError, match="the connection was lost while the log was read"):
        lost_meanwhile()
    assert verify(log, "run") == []


def test_an_append_that_was_committed_unheard_is_not_written_twice(postgres: str) -> None:
    """The connection breaks after the commit: the second attempt finds what the first wrote."""
    log = PostgresLog(postgres)
    claim = cast("PostgresClaim", log.claim("run", s.OWNER))
    claim.append(s.AT, [s.submitted(1)])
    twice: list[int] = []

    def work(connection: Any) -> None:
        claim._write(connection, new)
        if not twice:
            twice.append(1)
            connection.execute("COMMIT")
            lose(postgres)

    new = follow(claim._last, claim._epoch, s.AT, [s.submitted(2)], [b"body"])
    log._writer.transaction(work)
    assert twice
    assert [r.version for r in log.events("run")] == [1, 2]
    assert verify(log, "run") == []


def test_a_second_writer_gets_a_conflict_that_repeats_no_data(postgres: str) -> None:
    """The append is refused whole; what the server says of the row, a person's text, is in no traceback."""
    log = PostgresLog(postgres)
    claim = log.claim("run", s.OWNER)
    asked(postgres, "INSERT INTO events VALUES ('run', 1, 'x', 1, 1, NULL, NULL, '{}')")
    with pytest.raises(LogConflictError, match="another process appended") as refused:
        claim.append(s.AT, [s.started()], [b"body"])
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
    assert claim.version == 0
    assert asked(postgres, "SELECT count(*) FROM segments") == [(0,)]


def test_another_owner_who_came_meanwhile_shuts_the_first_one_out(postgres: str) -> None:
    """Its connection was lost, another process took the run over and ended: the epoch says so."""
    first = PostgresLog(postgres)
    claim = first.claim("run", s.OWNER)
    claim.append(s.AT, [s.submitted(1)])
    lose(postgres)
    second = open_log(postgres)
    taken = second.claim("run", s.OWNER)
    taken.append(s.AT, [s.submitted(2)])
    taken.release()
    with pytest.raises(LogConflictError, match="took over 'run'"):
        claim.secure()  # before a call is made whose intent the other may have settled
    with pytest.raises(LogConflictError, match="took over 'run'"):
        claim.append(s.AT, [s.submitted(3)])
    assert [r.version for r in second.events("run")] == [1, 2]


def test_an_owner_who_is_there_meanwhile_keeps_the_run(postgres: str) -> None:
    """Its connection was lost, and another process has the lock by now: nothing more is written."""
    first = PostgresLog(f"{postgres}{'&' if '?' in postgres else '?'}connect_timeout=1")
    claim = first.claim("run", s.OWNER)
    claim.append(s.AT, [s.submitted(1)])
    lose(postgres)
    second = open_log(postgres)
    taken = second.claim("run", s.OWNER)
    with pytest.raises(LogConflictError, match="another process has the run since then; this append was not"):
        claim.append(s.AT, [s.submitted(2)])
    taken.append(s.AT, [s.submitted(3)])
    assert [r.version for r in second.events("run")] == [1, 2]
    assert (first.size() > 0, second.size() > 0) == (True, True)


def test_a_server_that_stays_away_ends_the_append_and_nothing_is_half_written(own_server: Server) -> None:
    """It crashes in the middle of an append and does not come back in time; when it is back, all is whole."""
    log = PostgresLog(f"{own_server.url}?connect_timeout=1")
    claim = cast("PostgresClaim", log.claim("run", s.OWNER))
    claim.append(s.AT, [s.submitted(1)])

    def work(connection: Any) -> None:
        claim._write(connection, new)
        own_server.stop()

    new = follow(claim._last, claim._epoch, s.AT, [s.submitted(n) for n in range(500)], [b"body"])
    with pytest.raises(LogWriteError, match=r"cannot be written: the server went away .* within 1 s"):
        log._writer.transaction(work)
    with pytest.raises(LogWriteError):
        claim.append(s.AT, [s.submitted(2)])
    claim.release()
    log.close()
    own_server.start()
    again = open_log(own_server.url)
    assert verify(again, "run") == again.faults() == []
    assert again.claim("run", s.OWNER).version == 1


_EVENT = "INSERT INTO events SELECT 'run', v, 'x', 1, 1, NULL, NULL, '{}' FROM (VALUES"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET data = '{}' WHERE version = 2",
        "DELETE FROM events WHERE version = 3",
        "TRUNCATE events",
        "INSERT INTO events VALUES ('run', 2, 'x', 1, 1, NULL, NULL, '{}')",
        "INSERT INTO events SELECT * FROM events ON CONFLICT (stream, version) DO UPDATE SET data = 'x'",
        "MERGE INTO events e USING (SELECT 1) s ON e.version = 1 WHEN MATCHED THEN DELETE",
        "UPDATE commits SET hash = ''",
        "DELETE FROM commits WHERE number = 3",
        "TRUNCATE commits",
        "INSERT INTO commits VALUES ('run', 5, 604, 604, 250, 1, 1, '')",
        "INSERT INTO commits VALUES ('run', 4, 605, 604, 250, 1, 1, '')",
        "INSERT INTO commits VALUES ('run', 4, 604, 604, 250, 1, 1, '')",
        "INSERT INTO commits VALUES ('run', 4, 604, 603, 251, 1, 1, '')",
        "INSERT INTO commits VALUES ('new', 1, 1, 1, 0, 1, 1, '')",
        f"{_EVENT} (604), (606)) AS n (v); INSERT INTO commits VALUES ('run', 4, 604, 606, 250, 1, 1, '')",
        f"{_EVENT} (604), (606)) AS n (v); INSERT INTO commits VALUES ('run', 4, 604, 605, 250, 1, 1, '')",
        "DELETE FROM segments",
        "TRUNCATE segments",
        "UPDATE segments SET data = ''",
        "UPDATE segments SET count = 1, data = NULL",
        "UPDATE segments SET sha256 = '', data = NULL",
    ],
)
def test_history_cannot_be_changed(written: str, statement: str) -> None:
    """Every way to change, remove or replace what is written, or to leave a gap, is refused."""
    with pytest.raises(psycopg.errors.IntegrityError):
        asked(written, statement)


@pytest.fixture(scope="module")
def written(postgres_of_all: Server) -> Iterator[str]:
    """A log with three commits, 603 events and 250 bodies, which refuses what these tests do."""
    with postgres_of_all.schema() as url:
        log = PostgresLog(url)
        claim = log.claim("run", s.OWNER)
        claim.append(s.AT, [s.submitted(1), s.submitted(2)])
        claim.append(s.AT, [s.submitted(3)], [b"%d" % n for n in range(250)])
        claim.append(s.AT, [s.submitted(n) for n in range(600)])
        log.close()
        yield url


def test_a_trigger_that_is_gone_is_a_fault(postgres: str) -> None:
    """What keeps the log append-only belongs to what is verified."""
    log = PostgresLog(postgres)
    assert log.faults() == []
    asked(
        postgres,
        "ALTER TABLE events DISABLE TRIGGER events_append_only; DROP TRIGGER commits_dense ON commits",
    )
    assert log.faults() == [
        "PostgreSQL: the trigger events_append_only is gone or disabled",
        "PostgreSQL: the trigger commits_dense is gone or disabled",
    ]


def test_a_change_behind_the_triggers_breaks_the_chain(postgres: str) -> None:
    """Who may disable them changes an event, and `verify` names it."""
    log = PostgresLog(postgres)
    log.claim("run", s.OWNER).append(s.AT, [s.submitted(1), s.submitted(2)])
    asked(postgres, "SET session_replication_role = replica; "
          "UPDATE events SET data = replace(data, 'msgbatch_2', 'msgbatch_3')")  # fmt: skip
    (problem,) = verify(log, "run")
    assert problem.version == 1
    assert "not as it was written" in problem.text


def test_a_text_with_a_null_character_is_read_by_the_views(postgres: str) -> None:
    """JSON may have one, PostgreSQL's texts may not: it is shown as U+FFFD, and the log keeps it."""
    error = values.RequestError(kind="invalid_request_error", message="a\0b \\u0000 \\\0c")
    log = PostgresLog(postgres)
    events: list[e.Event] = [s.started(), s.added(0, 1), s.sending(1, (0, 0)), s.submitted(1)]
    events.append(s.outcome(1, 0, 1, error, "errored"))
    log.claim("run", s.OWNER).append(s.AT, events)
    assert [r.event for r in log.events("run")] == events
    assert asked(postgres, "SELECT error_message FROM v_items") == [("a\ufffdb \\u0000 \\\ufffdc",)]
