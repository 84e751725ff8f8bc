-- The tables of the event log, what keeps them append-only, and views for people and other tools.
--
-- A run is a stream: its rows in `events` count 1, 2, 3, … . An append writes rows of `events` and `segments`
-- and one row of `commits`, in one transaction, with a hash that ties it to the append before. `claims` says
-- who drives a run; each claim counts `epoch` up, which shuts out the one before. The tables are those of the
-- log in a file. Money in views is for reading: NULL where a price is unknown; v_costs has the exact amounts.

CREATE TABLE alembic_version (
    version_num varchar(32) PRIMARY KEY
);
CREATE TABLE events (
    stream text NOT NULL,
    version bigint NOT NULL,
    type text NOT NULL,
    schema_version bigint NOT NULL,
    at bigint NOT NULL, -- microseconds since 1970 UTC
    job bigint,
    item bigint,
    data text NOT NULL, -- text, not json: a hash is made of it
    PRIMARY KEY (stream, version)
);
COMMENT ON TABLE events IS 'Batchata event log';
CREATE TABLE segments (
    stream text NOT NULL,
    first bigint NOT NULL,
    count bigint NOT NULL,
    codec bigint NOT NULL,
    sha256 bytea NOT NULL,
    data bytea, -- NULL once purged
    PRIMARY KEY (stream, first)
);
ALTER TABLE segments ALTER COLUMN data SET STORAGE EXTERNAL; -- it is compressed
CREATE TABLE commits (
    stream text NOT NULL,
    number bigint NOT NULL,
    first_version bigint NOT NULL,
    last_version bigint NOT NULL,
    next_body bigint NOT NULL,
    epoch bigint NOT NULL,
    at bigint NOT NULL,
    hash bytea NOT NULL,
    place bigint NOT NULL GENERATED ALWAYS AS IDENTITY, -- orders the streams; it may have gaps
    PRIMARY KEY (stream, number)
);
CREATE INDEX commits_first ON commits (place) WHERE number = 1;
CREATE TABLE claims (
    stream text PRIMARY KEY,
    epoch bigint NOT NULL,
    pid bigint NOT NULL,
    host text NOT NULL,
    since bigint NOT NULL
);

-- JSON as PostgreSQL reads it: its text has no character 0.
CREATE FUNCTION batchata_json(data text) RETURNS json LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN strpos(data, '\u0000') = 0 THEN data
        ELSE regexp_replace(data, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g') END::json
$$;
CREATE FUNCTION batchata_time(at bigint) RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
    SELECT to_char(to_timestamp(at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
        || '.' || lpad((at % 1000000)::text, 6, '0') || 'Z'
$$;
-- How many events a row holds.
CREATE FUNCTION batchata_length(type text, data text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN type = 'page_of_answers' THEN 2 * json_array_length(data::json -> 'index') ELSE 1 END
$$;

CREATE FUNCTION batchata_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: no %', TG_TABLE_NAME, TG_OP USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE FUNCTION batchata_only_purge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'segments is append-only: data can only become NULL'
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE FUNCTION batchata_dense() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM commits WHERE stream = NEW.stream)
        OR NEW.first_version <> coalesce(
            (SELECT last_version FROM commits WHERE stream = NEW.stream ORDER BY number DESC LIMIT 1), 0) + 1
        -- Each row begins where the one before it ends, and the last ends with the commit.
        OR NEW.last_version + 1 IS DISTINCT FROM (
            SELECT CASE
                WHEN count(*) = 0 THEN NEW.first_version
                WHEN min(version) = NEW.first_version AND bool_and(version = begins) THEN max(ends)
            END
            FROM (
                SELECT version, ends, coalesce(lag(ends) OVER (ORDER BY version), version) AS begins
                FROM (
                    SELECT version, version + batchata_length(type, data) AS ends
                    FROM events WHERE stream = NEW.stream AND version >= NEW.first_version
                ) AS its_rows
            ) AS in_order)
        OR NEW.next_body <> coalesce(
            (SELECT first + count FROM segments WHERE stream = NEW.stream ORDER BY first DESC LIMIT 1), 0)
    THEN
        RAISE EXCEPTION 'commits: versions and bodies must follow on without gaps'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION batchata_append_only();
CREATE TRIGGER commits_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON commits
    FOR EACH STATEMENT EXECUTE FUNCTION batchata_append_only();
CREATE TRIGGER commits_dense BEFORE INSERT ON commits
    FOR EACH ROW EXECUTE FUNCTION batchata_dense();
CREATE TRIGGER segments_append_only BEFORE DELETE OR TRUNCATE ON segments
    FOR EACH STATEMENT EXECUTE FUNCTION batchata_append_only();
CREATE TRIGGER segments_only_purge BEFORE UPDATE ON segments
    FOR EACH ROW WHEN (NEW.data IS NOT NULL OR NEW.stream <> OLD.stream OR NEW.first <> OLD.first
        OR NEW.count <> OLD.count OR NEW.codec <> OLD.codec OR NEW.sha256 <> OLD.sha256)
    EXECUTE FUNCTION batchata_only_purge();

-- Pages taken apart: what stands at one place in their columns belongs to one answer.
CREATE VIEW v_answers AS
    SELECT p.stream AS run_id, p.version + 2 * (v.place - 1) AS version, p.at, p.job,
        v.item::bigint AS item, (p.page ->> 'first_body')::bigint + v.place - 1 AS body,
        p.page ->> 'stop_reason' AS stop_reason,
        trim_scale(v.amount::numeric * 0.000000000001)::text AS amount,
        coalesce(v.input_tokens::bigint, 0) AS input_tokens,
        coalesce(v.output_tokens::bigint, 0) AS output_tokens,
        coalesce(v.cache_write_5m_tokens::bigint, 0) AS cache_write_5m_tokens,
        coalesce(v.cache_write_1h_tokens::bigint, 0) AS cache_write_1h_tokens,
        coalesce(v.cache_read_tokens::bigint, 0) AS cache_read_tokens,
        coalesce(v.web_search_requests::bigint, 0) AS web_search_requests,
        (p.page -> 'unit_prices')::text AS unit_prices, p.page ->> 'price_source' AS price_source
    FROM (
        SELECT stream, version, at, job, batchata_json(data) AS page
        FROM events WHERE type = 'page_of_answers'
        OFFSET 0 -- a page is parsed once, not for each answer in it
    ) AS p,
    ROWS FROM (
        json_array_elements_text(p.page -> 'index'), json_array_elements_text(p.page -> 'amount'),
        json_array_elements_text(coalesce(p.page -> 'input_tokens', '[]')),
        json_array_elements_text(coalesce(p.page -> 'output_tokens', '[]')),
        json_array_elements_text(coalesce(p.page -> 'cache_write_5m_tokens', '[]')),
        json_array_elements_text(coalesce(p.page -> 'cache_write_1h_tokens', '[]')),
        json_array_elements_text(coalesce(p.page -> 'cache_read_tokens', '[]')),
        json_array_elements_text(coalesce(p.page -> 'web_search_requests', '[]'))
    ) WITH ORDINALITY AS v (item, amount, input_tokens, output_tokens, cache_write_5m_tokens,
        cache_write_1h_tokens, cache_read_tokens, web_search_requests, place);

CREATE VIEW v_events AS
    SELECT stream AS run_id, version, type, schema_version, batchata_time(at) AS at, job, item, data
    FROM events WHERE type <> 'page_of_answers'
    UNION ALL
    SELECT run_id, version, 'outcome_recorded', 1, batchata_time(at), job, item,
        format('{"job":%s,"index":%s,"kind":"succeeded","stop_reason":%s,"error":null,"usage":%s,"body":%s}',
            job, item, coalesce(to_json(stop_reason)::text, 'null'),
            json_strip_nulls(json_build_object(
                'input_tokens', nullif(input_tokens, 0), 'output_tokens', nullif(output_tokens, 0),
                'cache_write_5m_tokens', nullif(cache_write_5m_tokens, 0),
                'cache_write_1h_tokens', nullif(cache_write_1h_tokens, 0),
                'cache_read_tokens', nullif(cache_read_tokens, 0),
                'web_search_requests', nullif(web_search_requests, 0)))::text,
            body)
    FROM v_answers
    UNION ALL
    SELECT run_id, version + 1, 'cost_charged', 1, batchata_time(at), job, item,
        json_strip_nulls(json_build_object('job', job, 'index', item, 'amount', amount,
            'input_tokens', input_tokens, 'output_tokens', output_tokens,
            'cache_write_5m_tokens', cache_write_5m_tokens, 'cache_write_1h_tokens', cache_write_1h_tokens,
            'cache_read_tokens', cache_read_tokens, 'unit_prices', unit_prices::json,
            'price_source', price_source, 'web_search_requests', nullif(web_search_requests, 0)))::text
    FROM v_answers
    ORDER BY run_id, version;

CREATE VIEW v_costs AS
    SELECT stream AS run_id, version, batchata_time(at) AS at, job, item,
        d ->> 'amount' AS amount,
        (d ->> 'input_tokens')::bigint AS input_tokens,
        (d ->> 'output_tokens')::bigint AS output_tokens,
        (d ->> 'cache_write_5m_tokens')::bigint AS cache_write_5m_tokens,
        (d ->> 'cache_write_1h_tokens')::bigint AS cache_write_1h_tokens,
        (d ->> 'cache_read_tokens')::bigint AS cache_read_tokens,
        coalesce((d ->> 'web_search_requests')::bigint, 0) AS web_search_requests,
        (d -> 'unit_prices')::text AS unit_prices, d ->> 'price_source' AS price_source
    FROM events, LATERAL (SELECT batchata_json(data) AS d) AS its
    WHERE type = 'cost_charged'
    UNION ALL
    SELECT run_id, version + 1, batchata_time(at), job, item, amount, input_tokens, output_tokens,
        cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens, web_search_requests,
        unit_prices, price_source
    FROM v_answers
    ORDER BY run_id, version;

CREATE VIEW v_items AS
    WITH
    added AS (
        SELECT stream, generate_series(first, first + count - 1) AS item
        FROM (
            SELECT stream, (batchata_json(data) ->> 'first')::bigint AS first,
                (batchata_json(data) ->> 'count')::bigint AS count
            FROM events WHERE type = 'items_added'
        ) AS additions
    ),
    carried AS (
        SELECT stream, job, type, version,
            generate_series((r.value ->> 0)::bigint, (r.value ->> 1)::bigint) AS item
        FROM events, json_array_elements(batchata_json(data) -> 'items') AS r
        WHERE type IN ('submission_started', 'retry_scheduled')
    ),
    links AS (
        SELECT stream, (r.value ->> 0)::bigint AS item, (r.value ->> 1)::bigint AS original, version
        FROM events, json_array_elements(coalesce(batchata_json(data) -> 'same_as', '[]')) AS r
        WHERE type = 'items_added'
        UNION ALL
        SELECT stream, item, (batchata_json(data) ->> 'same_as')::bigint, version
        FROM events WHERE type = 'item_mended' AND batchata_json(data) ->> 'same_as' IS NOT NULL
    ),
    mendings AS (
        SELECT stream, item, max(version) AS version FROM events WHERE type = 'item_mended'
        GROUP BY stream, item
    ),
    shared AS (
        SELECT l.stream, l.item, l.original FROM links l
        WHERE NOT EXISTS (
            SELECT 1 FROM mendings m
            WHERE m.stream = l.stream AND m.item IN (l.item, l.original) AND m.version > l.version
        )
    ),
    failed_jobs AS (
        SELECT stream, job FROM events
        WHERE type = 'submission_failed'
            OR (type = 'submission_settled' AND batchata_json(data) ->> 'verdict' <> 'adopted')
    ),
    sends AS (
        SELECT stream, item, count(*) AS attempts FROM carried c
        WHERE type = 'submission_started'
            AND NOT EXISTS (SELECT 1 FROM failed_jobs f WHERE f.stream = c.stream AND f.job = c.job)
        GROUP BY stream, item
    ),
    retries AS (
        SELECT stream, item, max(version) AS version FROM carried WHERE type = 'retry_scheduled'
        GROUP BY stream, item
    ),
    completed_jobs AS (
        SELECT DISTINCT stream, job FROM events WHERE type = 'job_completed'
    ),
    outcomes AS (
        SELECT DISTINCT ON (stream, item) stream, item, job, version, kind, stop_reason, error_kind, error_message
        FROM (
            SELECT stream, item, job, version, coalesce(d ->> 'kind', 'refused') AS kind,
                d ->> 'stop_reason' AS stop_reason, d -> 'error' ->> 'kind' AS error_kind,
                d -> 'error' ->> 'message' AS error_message
            FROM events, LATERAL (SELECT batchata_json(data) AS d) AS its
            WHERE type IN ('outcome_recorded', 'item_refused')
            UNION ALL
            SELECT run_id, item, job, version, 'succeeded', stop_reason, NULL, NULL FROM v_answers
            UNION ALL
            SELECT e.stream, e.item, e.job, e.version, 'succeeded', batchata_json(o.data) ->> 'stop_reason',
                NULL, NULL
            FROM events e JOIN events o
                ON o.stream = e.stream AND o.version = (batchata_json(e.data) ->> 'outcome')::bigint
            WHERE e.type = 'answer_accepted'
        ) AS told
        ORDER BY stream, item, version DESC
    ),
    charges AS (
        SELECT run_id, item,
            CASE WHEN count(*) = count(amount) THEN sum(round(amount::numeric, 12))::float8 END AS cost
        FROM v_costs GROUP BY run_id, item
    )
    SELECT a.stream AS run_id, a.item AS item,
        CASE
            WHEN o.version IS NULL OR r.version > o.version THEN 'pending'
            WHEN o.kind = 'succeeded' AND o.error_kind IS NULL THEN 'completed'
            WHEN o.kind = 'refused' THEN 'failed'
            WHEN j.job IS NOT NULL THEN 'failed'
            ELSE 'pending'
        END AS status,
        coalesce(s.attempts, 0) AS attempts,
        o.kind, o.error_kind, o.error_message, o.stop_reason,
        CASE WHEN c.run_id IS NULL THEN 0.0 ELSE c.cost END AS cost
    FROM added a
    LEFT JOIN shared h ON h.stream = a.stream AND h.item = a.item
    LEFT JOIN outcomes o ON o.stream = a.stream AND o.item = coalesce(h.original, a.item)
    LEFT JOIN completed_jobs j ON j.stream = o.stream AND j.job = o.job
    LEFT JOIN retries r ON r.stream = a.stream AND r.item = coalesce(h.original, a.item)
    LEFT JOIN sends s ON s.stream = a.stream AND s.item = coalesce(h.original, a.item)
    LEFT JOIN charges c ON c.run_id = a.stream AND c.item = a.item
    ORDER BY a.stream, a.item;

CREATE VIEW v_jobs AS
    WITH
    steps AS (
        SELECT stream, job, version, at, d, type,
            CASE type
                WHEN 'submission_started' THEN 'started'
                WHEN 'submission_unknown' THEN 'unknown'
                WHEN 'batch_submitted' THEN 'submitted'
                WHEN 'submission_failed' THEN 'failed'
                WHEN 'submission_settled' THEN CASE d ->> 'verdict' WHEN 'adopted' THEN 'submitted' ELSE 'failed' END
                WHEN 'batch_polled' THEN CASE d ->> 'status' WHEN 'ended' THEN 'ended' END
                WHEN 'job_completed' THEN 'completed'
                WHEN 'job_abandoned' THEN 'abandoned'
            END AS status
        FROM events, LATERAL (SELECT batchata_json(data) AS d) AS its
        WHERE type IN ('submission_started', 'submission_unknown', 'batch_submitted', 'submission_failed',
            'submission_settled', 'batch_polled', 'job_completed', 'job_abandoned')
    ),
    latest AS (
        SELECT DISTINCT ON (stream, job) stream, job, version, status, at FROM steps WHERE status IS NOT NULL
        ORDER BY stream, job, version DESC
    ),
    batches AS (
        SELECT DISTINCT ON (stream, job) stream, job, d ->> 'batch_id' AS batch_id,
            (d ->> 'created_at')::bigint AS created_at
        FROM steps WHERE status = 'submitted' ORDER BY stream, job, version DESC
    ),
    charges AS (
        SELECT run_id, job,
            CASE WHEN count(*) = count(amount) THEN sum(round(amount::numeric, 12))::float8 END AS cost
        FROM v_costs GROUP BY run_id, job
    )
    SELECT l.stream AS run_id, l.job AS job, (s.d ->> 'request_count')::bigint AS request_count,
        b.batch_id, l.status, batchata_time(b.created_at) AS submitted_at,
        CASE WHEN l.status IN ('completed', 'failed', 'abandoned') THEN batchata_time(l.at) END AS completed_at,
        CASE WHEN c.run_id IS NULL THEN 0.0 ELSE c.cost END AS cost
    FROM latest l
    JOIN steps s ON s.stream = l.stream AND s.job = l.job AND s.type = 'submission_started'
    LEFT JOIN batches b ON b.stream = l.stream AND b.job = l.job
    LEFT JOIN charges c ON c.run_id = l.stream AND c.job = l.job
    ORDER BY l.stream, l.job;

CREATE VIEW v_runs AS
    WITH
    turns AS (
        SELECT DISTINCT ON (stream) stream, version, type FROM events
        WHERE type IN ('run_started', 'items_added', 'run_interrupted', 'run_completed')
        ORDER BY stream, version DESC
    ),
    revivals AS (
        SELECT stream, max(version) FILTER (WHERE type = 'run_resumed') AS resumed,
            max(version) FILTER (WHERE type <> 'run_resumed') AS retried
        FROM events WHERE type IN ('run_resumed', 'retry_scheduled', 'answer_accepted') GROUP BY stream
    ),
    counts AS (
        SELECT run_id, count(*) AS total, count(*) FILTER (WHERE status = 'completed') AS completed,
            count(*) FILTER (WHERE status = 'failed') AS failed,
            count(*) FILTER (WHERE status = 'pending') AS pending
        FROM v_items GROUP BY run_id
    ),
    charges AS (
        SELECT run_id,
            CASE WHEN count(*) = count(amount) THEN sum(round(amount::numeric, 12))::float8 END AS cost
        FROM v_costs GROUP BY run_id
    )
    SELECT e.stream AS run_id, batchata_json(e.data) ->> 'model' AS model, batchata_time(e.at) AS started_at,
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
    JOIN commits f ON f.stream = e.stream AND f.number = 1
    LEFT JOIN revivals v ON v.stream = e.stream
    LEFT JOIN counts n ON n.run_id = e.stream
    LEFT JOIN charges c ON c.run_id = e.stream
    WHERE e.type = 'run_started'
    ORDER BY f.place;
