"""`v_items` knows items whose files could not be used, and files that were mended since."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Who shares a request, until the file of one of the two is another one.
LINKS = """links AS (
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
    """
SHARED = """shared AS (
        SELECT e.stream AS stream, json_extract(r.value, '$[0]') AS item,
            json_extract(r.value, '$[1]') AS original
        FROM events e, json_each(e.data, '$.same_as') r WHERE e.type = 'items_added'
    ),
    """
# What changes in the view's own text. A refusal decides at once: no job is to be completed.
CHANGES = (
    (SHARED, LINKS),
    (
        "FROM events WHERE type = 'outcome_recorded' GROUP BY stream, item",
        "FROM events WHERE type IN ('outcome_recorded', 'item_refused') GROUP BY stream, item",
    ),
    (
        "json_extract(data, '$.kind') AS kind, json_extract(data, '$.stop_reason') AS stop_reason",
        (
            "coalesce(json_extract(data, '$.kind'), 'refused') AS kind,\n"
            "            json_extract(data, '$.stop_reason') AS stop_reason"
        ),
    ),
    (
        "WHEN o.kind = 'succeeded' AND o.error_kind IS NULL THEN 'completed'",
        (
            "WHEN o.kind = 'succeeded' AND o.error_kind IS NULL THEN 'completed'\n"
            "            WHEN o.kind = 'refused' THEN 'failed'"
        ),
    ),
)


def upgrade() -> None:
    bind = op.get_bind()
    (view,) = bind.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = 'v_items'").one()
    for before, after in CHANGES:
        if before not in view:
            raise RuntimeError(f"the view v_items is not that of revision 0005: it lacks {before!r}")
        view = view.replace(before, after)
    bind.exec_driver_sql("DROP VIEW v_items")
    # Past Alembic's own parsing, which would take the colons in times for parameters.
    bind.exec_driver_sql(view)
