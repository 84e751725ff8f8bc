"""Pages: one row of `events` may hold a run of like events in columns, which the views take apart.

Such a row is of the type `page_of_answers`: accepted answers of one job, each with what it cost. Its events
have the versions from `version` on, two for each answer: its outcome, then its charge.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


# How many events a row holds.
def _length(row: str = "") -> str:
    return f"iif({row}type = 'page_of_answers', 2 * json_array_length({row}data, '$.index'), 1)"


# As in revision 0001, but for pages. The row before the new one, and the row after it, say what is taken.
NO_REPLACE = f"""
    CREATE TRIGGER events_no_replace BEFORE INSERT ON events
    WHEN NEW.version < (
            SELECT version + {_length()} FROM events
            WHERE stream = NEW.stream AND version <= NEW.version ORDER BY version DESC LIMIT 1)
        OR NEW.version + {_length("NEW.")} > (
            SELECT min(version) FROM events WHERE stream = NEW.stream AND version >= NEW.version)
    BEGIN SELECT RAISE(ROLLBACK, 'events is append-only: the version is taken'); END
"""
DENSE = f"""
    CREATE TRIGGER commits_dense BEFORE INSERT ON commits
    WHEN NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM commits WHERE stream = NEW.stream)
        OR NEW.first_version <> coalesce(
            (SELECT last_version FROM commits WHERE stream = NEW.stream ORDER BY number DESC LIMIT 1), 0) + 1
        OR NEW.last_version - NEW.first_version + 1 <> (
            SELECT coalesce(sum({_length()}), 0) FROM events
            WHERE stream = NEW.stream AND version BETWEEN NEW.first_version AND NEW.last_version)
        OR NEW.last_version < coalesce((
            SELECT version + {_length()} - 1 FROM events
            WHERE stream = NEW.stream ORDER BY version DESC LIMIT 1), 0)
        OR NEW.next_body <> coalesce(
            (SELECT first + count FROM segments WHERE stream = NEW.stream ORDER BY first DESC LIMIT 1), 0)
    BEGIN SELECT RAISE(ABORT, 'commits: versions and bodies must follow on without gaps'); END
"""

KINDS = (
    "input_tokens",
    "output_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
    "web_search_requests",
)
_PICO = "max(iif(c.key = 'amount', v.value, NULL))"
_USD = f"printf('%d.%012d', {_PICO} / 1000000000000, {_PICO} % 1000000000000)"
# The arrays of a page are its columns; what stands at one place in them belongs to one answer. MATERIALIZED:
# else SQLite would carry the whole page along with each number in it.
ANSWERS = f"""
    CREATE VIEW v_answers AS
    WITH pages AS MATERIALIZED (
        SELECT stream, version, at, job, data, json_extract(data, '$.first_body') AS first_body,
            json_extract(data, '$.stop_reason') AS stop_reason,
            json_extract(data, '$.unit_prices') AS unit_prices,
            json_extract(data, '$.price_source') AS price_source
        FROM events WHERE type = 'page_of_answers'
    )
    SELECT
        p.stream AS run_id, p.version + 2 * v.key AS version, p.at AS at, p.job AS job,
        max(iif(c.key = 'index', v.value, NULL)) AS item, p.first_body + v.key AS body,
        p.stop_reason AS stop_reason, rtrim(rtrim({_USD}, '0'), '.') AS amount,
        {", ".join(f"coalesce(max(iif(c.key = '{kind}', v.value, NULL)), 0) AS {kind}" for kind in KINDS)},
        p.unit_prices AS unit_prices, p.price_source AS price_source
    FROM pages p, json_each(p.data) c, json_each(c.value) v
    WHERE c.type = 'array'
    GROUP BY p.stream, p.version, v.key
"""


def _time(column: str) -> str:
    whole = f"strftime('%Y-%m-%dT%H:%M:%S', {column} / 1000000, 'unixepoch')"
    return f"{whole} || printf('.%06dZ', {column} % 1000000)"


# Without what a usage or a charge has none of, but for the tokens that a charge always speaks of.
_USED = ", ".join(f"'{kind}', nullif({kind}, 0)" for kind in KINDS)
_CHARGED = ", ".join(f"'{kind}', {kind}" for kind in KINDS[:-1])
_SEARCHES = "'web_search_requests', nullif(web_search_requests, 0)"
OUTCOME = f"""json_object('job', job, 'index', item, 'kind', 'succeeded', 'stop_reason', stop_reason,
            'error', NULL, 'usage', json_patch('{{}}', json_object({_USED})), 'body', body)"""
CHARGE = f"""json_patch(json_object('job', job, 'index', item, 'amount', amount, {_CHARGED},
            'unit_prices', json(unit_prices), 'price_source', price_source), json_object({_SEARCHES}))"""
EVENTS = f"""
    CREATE VIEW v_events AS
    SELECT stream AS run_id, version, type, schema_version, {_time("at")} AS at, job, item, data
    FROM events WHERE type <> 'page_of_answers'
    UNION ALL
    SELECT run_id, version, 'outcome_recorded', 1, {_time("at")}, job, item, {OUTCOME} FROM v_answers
    UNION ALL
    SELECT run_id, version + 1, 'cost_charged', 1, {_time("at")}, job, item, {CHARGE} FROM v_answers
    ORDER BY run_id, version
"""
# What changes in the views' own texts.
COSTS = (
    (
        "WHERE type = 'cost_charged'",
        f"""WHERE type = 'cost_charged'
    UNION ALL
    SELECT run_id, version + 1, {_time("at")}, job, item, amount, input_tokens, output_tokens,
        cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens, web_search_requests,
        unit_prices, price_source
    FROM v_answers
    ORDER BY run_id, version""",
    ),
)
ITEMS = (
    (
        """SELECT stream, item, job, max(version) AS version,
            coalesce(json_extract(data, '$.kind'), 'refused') AS kind,
            json_extract(data, '$.stop_reason') AS stop_reason,
            json_extract(data, '$.error.kind') AS error_kind,
            json_extract(data, '$.error.message') AS error_message
        FROM events WHERE type IN ('outcome_recorded', 'item_refused') GROUP BY stream, item""",
        """SELECT stream, item, job, max(version) AS version, kind, stop_reason, error_kind, error_message
        FROM (
            SELECT stream, item, job, version,
                coalesce(json_extract(data, '$.kind'), 'refused') AS kind,
                json_extract(data, '$.stop_reason') AS stop_reason,
                json_extract(data, '$.error.kind') AS error_kind,
                json_extract(data, '$.error.message') AS error_message
            FROM events WHERE type IN ('outcome_recorded', 'item_refused')
            UNION ALL
            SELECT e.stream, v.value, e.job, e.version + 2 * v.key, 'succeeded',
                json_extract(e.data, '$.stop_reason'), NULL, NULL
            FROM events e, json_each(e.data, '$.index') v WHERE e.type = 'page_of_answers'
        ) GROUP BY stream, item""",
    ),
)


def upgrade() -> None:
    bind = op.get_bind()
    for name, statement in (("events_no_replace", NO_REPLACE), ("commits_dense", DENSE)):
        bind.exec_driver_sql(f"DROP TRIGGER {name}")
        bind.exec_driver_sql(statement)
    bind.exec_driver_sql(ANSWERS)
    bind.exec_driver_sql("DROP VIEW v_events")
    # Past Alembic's own parsing, which would take the colons in times for parameters.
    bind.exec_driver_sql(EVENTS)
    for name, changes in (("v_costs", COSTS), ("v_items", ITEMS)):
        (view,) = bind.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).one()
        for before, after in changes:
            if before not in view:
                raise RuntimeError(f"the view {name} is not that of revision 0006: it lacks {before!r}")
            view = view.replace(before, after)
        bind.exec_driver_sql(f"DROP VIEW {name}")
        bind.exec_driver_sql(view)
