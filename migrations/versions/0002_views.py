"""Views for people who open a log with any SQLite tool.

They follow the rules by which the library computes a run's state. Money in them is for reading: a sum is a
floating point number, NULL where a price was unknown; v_costs has the exact amounts. Times are text in UTC.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _time(column: str) -> str:
    whole = f"strftime('%Y-%m-%dT%H:%M:%S', {column} / 1000000, 'unixepoch')"
    return f"{whole} || printf('.%06dZ', {column} % 1000000)"


def _total(amount: str) -> str:
    """Write the sum of amounts, each in a row of its own; NULL when one of the charges has none."""
    # Added as whole picodollars: a sum of many floating point numbers would drift.
    pico = f"CAST(round(CAST({amount} AS REAL) * 1e12) AS INTEGER)"
    return f"CASE WHEN count(*) = count({amount}) THEN sum({pico}) / 1e12 END"


EVENTS = f"""
    CREATE VIEW v_events AS
    SELECT stream AS run_id, version, type, schema_version, {_time("at")} AS at, job, item, data
    FROM events
"""

COSTS = f"""
    CREATE VIEW v_costs AS
    SELECT
        stream AS run_id, version, {_time("at")} AS at, job, item,
        json_extract(data, '$.amount') AS amount,
        json_extract(data, '$.input_tokens') AS input_tokens,
        json_extract(data, '$.output_tokens') AS output_tokens,
        json_extract(data, '$.cache_write_5m_tokens') AS cache_write_5m_tokens,
        json_extract(data, '$.cache_write_1h_tokens') AS cache_write_1h_tokens,
        json_extract(data, '$.cache_read_tokens') AS cache_read_tokens,
        json_extract(data, '$.unit_prices') AS unit_prices,
        json_extract(data, '$.price_source') AS price_source
    FROM events
    WHERE type = 'cost_charged'
"""

# A job's last event of these types says how far it is (bare columns beside max() come from its row).
JOBS = f"""
    CREATE VIEW v_jobs AS
    WITH steps AS (
        SELECT stream, job, version, at, data, type,
            CASE type
                WHEN 'submission_started' THEN 'started'
                WHEN 'submission_unknown' THEN 'unknown'
                WHEN 'batch_submitted' THEN 'submitted'
                WHEN 'submission_failed' THEN 'failed'
                WHEN 'submission_settled'
                    THEN iif(json_extract(data, '$.verdict') = 'adopted', 'submitted', 'failed')
                WHEN 'batch_polled' THEN iif(json_extract(data, '$.status') = 'ended', 'ended', NULL)
                WHEN 'job_completed' THEN 'completed'
            END AS status
        FROM events
        WHERE type IN ('submission_started', 'submission_unknown', 'batch_submitted', 'submission_failed',
            'submission_settled', 'batch_polled', 'job_completed')
    ),
    latest AS (
        SELECT stream, job, max(version) AS version, status, at FROM steps WHERE status IS NOT NULL
        GROUP BY stream, job
    ),
    batches AS (
        SELECT stream, job, max(version), json_extract(data, '$.batch_id') AS batch_id,
            json_extract(data, '$.created_at') AS created_at
        FROM steps WHERE status = 'submitted' GROUP BY stream, job
    ),
    charges AS (
        SELECT run_id, job, {_total("amount")} AS cost FROM v_costs GROUP BY run_id, job
    )
    SELECT
        l.stream AS run_id, l.job AS job, json_extract(s.data, '$.request_count') AS request_count,
        b.batch_id AS batch_id, l.status AS status,
        {_time("b.created_at")} AS submitted_at,
        CASE WHEN l.status IN ('completed', 'failed') THEN {_time("l.at")} END AS completed_at,
        CASE WHEN c.run_id IS NULL THEN 0.0 ELSE c.cost END AS cost
    FROM latest l
    JOIN steps s ON s.stream = l.stream AND s.job = l.job AND s.type = 'submission_started'
    LEFT JOIN batches b ON b.stream = l.stream AND b.job = l.job
    LEFT JOIN charges c ON c.run_id = l.stream AND c.job = l.job
    ORDER BY l.stream, l.job
"""

# An item's latest outcome decides, once its job is completed; a retry after that makes it pending again.
# `attempts` counts the jobs that carried it, without those that never became a batch.
ITEMS = f"""
    CREATE VIEW v_items AS
    WITH RECURSIVE
    added(stream, item, last) AS (
        SELECT stream, json_extract(data, '$.first'),
            json_extract(data, '$.first') + json_extract(data, '$.count') - 1
        FROM events WHERE type = 'items_added' AND json_extract(data, '$.count') > 0
        UNION ALL
        SELECT stream, item + 1, last FROM added WHERE item < last
    ),
    carried(stream, job, type, version, item, last) AS (
        SELECT e.stream, e.job, e.type, e.version,
            json_extract(r.value, '$[0]'), json_extract(r.value, '$[1]')
        FROM events e, json_each(e.data, '$.items') r
        WHERE e.type IN ('submission_started', 'retry_scheduled')
        UNION ALL
        SELECT stream, job, type, version, item + 1, last FROM carried WHERE item < last
    ),
    failed_jobs AS (
        SELECT stream, job FROM events
        WHERE type = 'submission_failed'
            OR (type = 'submission_settled' AND json_extract(data, '$.verdict') <> 'adopted')
    ),
    sends AS (
        SELECT stream, item, count(*) AS attempts FROM carried
        WHERE type = 'submission_started' AND (stream, job) NOT IN (SELECT stream, job FROM failed_jobs)
        GROUP BY stream, item
    ),
    retries AS (
        SELECT stream, item, max(version) AS version FROM carried WHERE type = 'retry_scheduled'
        GROUP BY stream, item
    ),
    completed_jobs AS (
        SELECT stream, job FROM events WHERE type = 'job_completed'
    ),
    outcomes AS (
        SELECT stream, item, job, max(version) AS version,
            json_extract(data, '$.kind') AS kind, json_extract(data, '$.stop_reason') AS stop_reason,
            json_extract(data, '$.error.kind') AS error_kind,
            json_extract(data, '$.error.message') AS error_message
        FROM events WHERE type = 'outcome_recorded' GROUP BY stream, item
    ),
    charges AS (
        SELECT run_id, item, {_total("amount")} AS cost FROM v_costs GROUP BY run_id, item
    )
    SELECT
        a.stream AS run_id, a.item AS item,
        CASE
            WHEN o.version IS NULL OR r.version > o.version THEN 'pending'
            WHEN o.kind = 'succeeded' AND o.error_kind IS NULL THEN 'completed'
            WHEN (o.stream, o.job) IN (SELECT stream, job FROM completed_jobs) THEN 'failed'
            ELSE 'pending'
        END AS status,
        coalesce(s.attempts, 0) AS attempts,
        o.kind AS kind, o.error_kind AS error_kind, o.error_message AS error_message,
        o.stop_reason AS stop_reason,
        CASE WHEN c.run_id IS NULL THEN 0.0 ELSE c.cost END AS cost
    FROM added a
    LEFT JOIN outcomes o ON o.stream = a.stream AND o.item = a.item
    LEFT JOIN retries r ON r.stream = a.stream AND r.item = a.item
    LEFT JOIN sends s ON s.stream = a.stream AND s.item = a.item
    LEFT JOIN charges c ON c.run_id = a.stream AND c.item = a.item
    ORDER BY a.stream, a.item
"""

RUNS = f"""
    CREATE VIEW v_runs AS
    WITH
    turns AS (
        SELECT stream, max(version) AS version, type FROM events
        WHERE type IN ('run_started', 'items_added', 'run_interrupted', 'run_completed') GROUP BY stream
    ),
    revivals AS (
        SELECT stream, max(iif(type = 'run_resumed', version, 0)) AS resumed,
            max(iif(type = 'retry_scheduled', version, 0)) AS retried
        FROM events WHERE type IN ('run_resumed', 'retry_scheduled') GROUP BY stream
    ),
    counts AS (
        SELECT run_id, count(*) AS total, sum(status = 'completed') AS completed,
            sum(status = 'failed') AS failed, sum(status = 'pending') AS pending
        FROM v_items GROUP BY run_id
    ),
    charges AS (
        SELECT run_id, {_total("amount")} AS cost FROM v_costs GROUP BY run_id
    )
    SELECT
        e.stream AS run_id, json_extract(e.data, '$.model') AS model, {_time("e.at")} AS started_at,
        coalesce(n.total, 0) AS total_items, coalesce(n.completed, 0) AS completed_items,
        coalesce(n.failed, 0) AS failed_items, coalesce(n.pending, 0) AS pending_items,
        CASE WHEN c.run_id IS NULL THEN 0.0 ELSE c.cost END AS total_cost,
        CASE
            WHEN t.type = 'run_completed' AND coalesce(v.retried, 0) < t.version THEN 'completed'
            WHEN t.type = 'run_interrupted' AND coalesce(v.resumed, 0) < t.version THEN 'interrupted'
            ELSE 'running'
        END AS status
    FROM events e
    JOIN turns t ON t.stream = e.stream
    LEFT JOIN revivals v ON v.stream = e.stream
    LEFT JOIN counts n ON n.run_id = e.stream
    LEFT JOIN charges c ON c.run_id = e.stream
    WHERE e.type = 'run_started'
    ORDER BY e.rowid
"""


def upgrade() -> None:
    for statement in (EVENTS, COSTS, JOBS, ITEMS, RUNS):
        # Past Alembic's own parsing, which would take the colons in times for parameters.
        op.get_bind().exec_driver_sql(statement)
