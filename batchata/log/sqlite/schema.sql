CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE events (
        stream TEXT NOT NULL,
        version INTEGER NOT NULL,
        type TEXT NOT NULL,
        schema_version INTEGER NOT NULL,
        at INTEGER NOT NULL,
        job INTEGER,
        item INTEGER,
        data TEXT NOT NULL,
        PRIMARY KEY (stream, version)
    );
CREATE TABLE segments (
        stream TEXT NOT NULL,
        first INTEGER NOT NULL,
        count INTEGER NOT NULL,
        codec INTEGER NOT NULL,
        sha256 BLOB NOT NULL,
        data BLOB,
        PRIMARY KEY (stream, first)
    );
CREATE TABLE commits (
        stream TEXT NOT NULL,
        number INTEGER NOT NULL,
        first_version INTEGER NOT NULL,
        last_version INTEGER NOT NULL,
        next_body INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        at INTEGER NOT NULL,
        hash BLOB NOT NULL,
        PRIMARY KEY (stream, number)
    );
CREATE INDEX commits_first ON commits (stream) WHERE number = 1;
CREATE TABLE claims (
        stream TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        pid INTEGER NOT NULL,
        host TEXT NOT NULL,
        since INTEGER NOT NULL,
        PRIMARY KEY (stream)
    );
CREATE TRIGGER events_no_update BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'events is append-only: no UPDATE'); END;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'events is append-only: no DELETE'); END;
CREATE TRIGGER commits_no_update BEFORE UPDATE ON commits
    BEGIN SELECT RAISE(ABORT, 'commits is append-only: no UPDATE'); END;
CREATE TRIGGER commits_no_delete BEFORE DELETE ON commits
    BEGIN SELECT RAISE(ABORT, 'commits is append-only: no DELETE'); END;
CREATE TRIGGER segments_no_delete BEFORE DELETE ON segments
    BEGIN SELECT RAISE(ABORT, 'segments is append-only: no DELETE'); END;
CREATE TRIGGER segments_only_purge BEFORE UPDATE ON segments
    WHEN NEW.data IS NOT NULL OR NEW.stream IS NOT OLD.stream OR NEW.first IS NOT OLD.first
        OR NEW.count IS NOT OLD.count OR NEW.codec IS NOT OLD.codec OR NEW.sha256 IS NOT OLD.sha256
    BEGIN SELECT RAISE(ABORT, 'segments is append-only: data can only become NULL'); END;
CREATE TRIGGER segments_no_replace BEFORE INSERT ON segments
    WHEN EXISTS (SELECT 1 FROM segments WHERE stream = NEW.stream AND first = NEW.first)
    BEGIN SELECT RAISE(ROLLBACK, 'segments is append-only: the first is taken'); END;
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
                WHEN 'job_abandoned' THEN 'abandoned'
            END AS status
        FROM events
        WHERE type IN ('submission_started', 'submission_unknown', 'batch_submitted', 'submission_failed',
            'submission_settled', 'batch_polled', 'job_completed', 'job_abandoned')
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
        SELECT run_id, job, CASE WHEN count(*) = count(amount) THEN sum(CAST(round(CAST(amount AS REAL) * 1e12) AS INTEGER)) / 1e12 END AS cost FROM v_costs GROUP BY run_id, job
    )
    SELECT
        l.stream AS run_id, l.job AS job, json_extract(s.data, '$.request_count') AS request_count,
        b.batch_id AS batch_id, l.status AS status,
        strftime('%Y-%m-%dT%H:%M:%S', b.created_at / 1000000, 'unixepoch') || printf('.%06dZ', b.created_at % 1000000) AS submitted_at,
        CASE WHEN l.status IN ('completed', 'failed', 'abandoned') THEN strftime('%Y-%m-%dT%H:%M:%S', l.at / 1000000, 'unixepoch') || printf('.%06dZ', l.at % 1000000) END AS completed_at,
        CASE WHEN c.run_id IS NULL THEN 0.0 ELSE c.cost END AS cost
    FROM latest l
    JOIN steps s ON s.stream = l.stream AND s.job = l.job AND s.type = 'submission_started'
    LEFT JOIN batches b ON b.stream = l.stream AND b.job = l.job
    LEFT JOIN charges c ON c.run_id = l.stream AND c.job = l.job
    ORDER BY l.stream, l.job;
CREATE TRIGGER events_no_replace BEFORE INSERT ON events
    WHEN NEW.version < (
            SELECT version + iif(type = 'page_of_answers', 2 * json_array_length(data, '$.index'), 1) FROM events
            WHERE stream = NEW.stream AND version <= NEW.version ORDER BY version DESC LIMIT 1)
        OR NEW.version + iif(NEW.type = 'page_of_answers', 2 * json_array_length(NEW.data, '$.index'), 1) > (
            SELECT min(version) FROM events WHERE stream = NEW.stream AND version >= NEW.version)
    BEGIN SELECT RAISE(ROLLBACK, 'events is append-only: the version is taken'); END;
CREATE TRIGGER commits_dense BEFORE INSERT ON commits
    WHEN NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM commits WHERE stream = NEW.stream)
        OR NEW.first_version <> coalesce(
            (SELECT last_version FROM commits WHERE stream = NEW.stream ORDER BY number DESC LIMIT 1), 0) + 1
        OR NEW.last_version - NEW.first_version + 1 <> (
            SELECT coalesce(sum(iif(type = 'page_of_answers', 2 * json_array_length(data, '$.index'), 1)), 0) FROM events
            WHERE stream = NEW.stream AND version BETWEEN NEW.first_version AND NEW.last_version)
        OR NEW.last_version < coalesce((
            SELECT version + iif(type = 'page_of_answers', 2 * json_array_length(data, '$.index'), 1) - 1 FROM events
            WHERE stream = NEW.stream ORDER BY version DESC LIMIT 1), 0)
        OR NEW.next_body <> coalesce(
            (SELECT first + count FROM segments WHERE stream = NEW.stream ORDER BY first DESC LIMIT 1), 0)
    BEGIN SELECT RAISE(ABORT, 'commits: versions and bodies must follow on without gaps'); END;
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
        p.stop_reason AS stop_reason, rtrim(rtrim(printf('%d.%012d', max(iif(c.key = 'amount', v.value, NULL)) / 1000000000000, max(iif(c.key = 'amount', v.value, NULL)) % 1000000000000), '0'), '.') AS amount,
        coalesce(max(iif(c.key = 'input_tokens', v.value, NULL)), 0) AS input_tokens, coalesce(max(iif(c.key = 'output_tokens', v.value, NULL)), 0) AS output_tokens, coalesce(max(iif(c.key = 'cache_write_5m_tokens', v.value, NULL)), 0) AS cache_write_5m_tokens, coalesce(max(iif(c.key = 'cache_write_1h_tokens', v.value, NULL)), 0) AS cache_write_1h_tokens, coalesce(max(iif(c.key = 'cache_read_tokens', v.value, NULL)), 0) AS cache_read_tokens, coalesce(max(iif(c.key = 'web_search_requests', v.value, NULL)), 0) AS web_search_requests,
        p.unit_prices AS unit_prices, p.price_source AS price_source
    FROM pages p, json_each(p.data) c, json_each(c.value) v
    WHERE c.type = 'array'
    GROUP BY p.stream, p.version, v.key;
CREATE VIEW v_events AS
    SELECT stream AS run_id, version, type, schema_version, strftime('%Y-%m-%dT%H:%M:%S', at / 1000000, 'unixepoch') || printf('.%06dZ', at % 1000000) AS at, job, item, data
    FROM events WHERE type <> 'page_of_answers'
    UNION ALL
    SELECT run_id, version, 'outcome_recorded', 1, strftime('%Y-%m-%dT%H:%M:%S', at / 1000000, 'unixepoch') || printf('.%06dZ', at % 1000000), job, item, json_object('job', job, 'index', item, 'kind', 'succeeded', 'stop_reason', stop_reason,
            'error', NULL, 'usage', json_patch('{}', json_object('input_tokens', nullif(input_tokens, 0), 'output_tokens', nullif(output_tokens, 0), 'cache_write_5m_tokens', nullif(cache_write_5m_tokens, 0), 'cache_write_1h_tokens', nullif(cache_write_1h_tokens, 0), 'cache_read_tokens', nullif(cache_read_tokens, 0), 'web_search_requests', nullif(web_search_requests, 0))), 'body', body) FROM v_answers
    UNION ALL
    SELECT run_id, version + 1, 'cost_charged', 1, strftime('%Y-%m-%dT%H:%M:%S', at / 1000000, 'unixepoch') || printf('.%06dZ', at % 1000000), job, item, json_patch(json_object('job', job, 'index', item, 'amount', amount, 'input_tokens', input_tokens, 'output_tokens', output_tokens, 'cache_write_5m_tokens', cache_write_5m_tokens, 'cache_write_1h_tokens', cache_write_1h_tokens, 'cache_read_tokens', cache_read_tokens,
            'unit_prices', json(unit_prices), 'price_source', price_source), json_object('web_search_requests', nullif(web_search_requests, 0))) FROM v_answers
    ORDER BY run_id, version;
CREATE VIEW v_costs AS
    SELECT
        stream AS run_id, version, strftime('%Y-%m-%dT%H:%M:%S', at / 1000000, 'unixepoch') || printf('.%06dZ', at % 1000000) AS at, job, item,
        json_extract(data, '$.amount') AS amount,
        json_extract(data, '$.input_tokens') AS input_tokens,
        json_extract(data, '$.output_tokens') AS output_tokens,
        json_extract(data, '$.cache_write_5m_tokens') AS cache_write_5m_tokens,
        json_extract(data, '$.cache_write_1h_tokens') AS cache_write_1h_tokens,
        json_extract(data, '$.cache_read_tokens') AS cache_read_tokens,
        coalesce(json_extract(data, '$.web_search_requests'), 0) AS web_search_requests,
        json_extract(data, '$.unit_prices') AS unit_prices,
        json_extract(data, '$.price_source') AS price_source
    FROM events
    WHERE type = 'cost_charged'
    UNION ALL
    SELECT run_id, version + 1, strftime('%Y-%m-%dT%H:%M:%S', at / 1000000, 'unixepoch') || printf('.%06dZ', at % 1000000), job, item, amount, input_tokens, output_tokens,
        cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens, web_search_requests,
        unit_prices, price_source
    FROM v_answers
    ORDER BY run_id, version;
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
    links AS (
        SELECT e.stream AS stream, json_extract(r.value, '$[0]') AS item,
            json_extract(r.value, '$[1]') AS original, e.version AS version
        FROM events e, json_each(e.data, '$.same_as') r WHERE e.type = 'items_added'
        UNION ALL
        SELECT stream, item, json_extract(data, '$.same_as'), version
        FROM events WHERE type = 'item_mended' AND json_extract(data, '$.same_as') IS NOT NULL
    ),
    mendings AS (
        SELECT stream, item, max(version) AS version FROM events WHERE type = 'item_mended'
        GROUP BY stream, item
    ),
    shared AS (
        SELECT l.stream AS stream, l.item AS item, l.original AS original FROM links l
        WHERE NOT EXISTS (
            SELECT 1 FROM mendings m
            WHERE m.stream = l.stream AND m.item IN (l.item, l.original) AND m.version > l.version
        )
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
        SELECT stream, item, job, max(version) AS version, kind, stop_reason, error_kind, error_message
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
            UNION ALL
            SELECT e.stream, e.item, e.job, e.version, 'succeeded', json_extract(o.data, '$.stop_reason'),
                NULL, NULL
            FROM events e JOIN events o
                ON o.stream = e.stream AND o.version = json_extract(e.data, '$.outcome')
            WHERE e.type = 'answer_accepted'
        ) GROUP BY stream, item
    ),
    charges AS (
        SELECT run_id, item, CASE WHEN count(*) = count(amount) THEN sum(CAST(round(CAST(amount AS REAL) * 1e12) AS INTEGER)) / 1e12 END AS cost FROM v_costs GROUP BY run_id, item
    )
    SELECT
        a.stream AS run_id, a.item AS item,
        CASE
            WHEN o.version IS NULL OR r.version > o.version THEN 'pending'
            WHEN o.kind = 'succeeded' AND o.error_kind IS NULL THEN 'completed'
            WHEN o.kind = 'refused' THEN 'failed'
            WHEN (o.stream, o.job) IN (SELECT stream, job FROM completed_jobs) THEN 'failed'
            ELSE 'pending'
        END AS status,
        coalesce(s.attempts, 0) AS attempts,
        o.kind AS kind, o.error_kind AS error_kind, o.error_message AS error_message,
        o.stop_reason AS stop_reason,
        CASE WHEN c.run_id IS NULL THEN 0.0 ELSE c.cost END AS cost
    FROM added a
    LEFT JOIN shared h ON h.stream = a.stream AND h.item = a.item
    LEFT JOIN outcomes o ON o.stream = a.stream AND o.item = coalesce(h.original, a.item)
    LEFT JOIN retries r ON r.stream = a.stream AND r.item = coalesce(h.original, a.item)
    LEFT JOIN sends s ON s.stream = a.stream AND s.item = coalesce(h.original, a.item)
    LEFT JOIN charges c ON c.run_id = a.stream AND c.item = a.item
    ORDER BY a.stream, a.item;
CREATE VIEW v_runs AS
    WITH
    turns AS (
        SELECT stream, max(version) AS version, type FROM events
        WHERE type IN ('run_started', 'items_added', 'run_interrupted', 'run_completed') GROUP BY stream
    ),
    revivals AS (
        SELECT stream, max(iif(type = 'run_resumed', version, 0)) AS resumed,
            max(iif(type <> 'run_resumed', version, 0)) AS retried
        FROM events WHERE type IN ('run_resumed', 'retry_scheduled', 'answer_accepted') GROUP BY stream
    ),
    counts AS (
        SELECT run_id, count(*) AS total, sum(status = 'completed') AS completed,
            sum(status = 'failed') AS failed, sum(status = 'pending') AS pending
        FROM v_items GROUP BY run_id
    ),
    charges AS (
        SELECT run_id, CASE WHEN count(*) = count(amount) THEN sum(CAST(round(CAST(amount AS REAL) * 1e12) AS INTEGER)) / 1e12 END AS cost FROM v_costs GROUP BY run_id
    )
    SELECT
        e.stream AS run_id, json_extract(e.data, '$.model') AS model, strftime('%Y-%m-%dT%H:%M:%S', e.at / 1000000, 'unixepoch') || printf('.%06dZ', e.at % 1000000) AS started_at,
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
    ORDER BY e.rowid;
