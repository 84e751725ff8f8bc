"""Answers that were refused and are accepted later: `answer_accepted` completes a failed item."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# What changes in the views' own texts.
ITEMS = (
    (
        "FROM events e, json_each(e.data, '$.index') v WHERE e.type = 'page_of_answers'\n        )",
        """FROM events e, json_each(e.data, '$.index') v WHERE e.type = 'page_of_answers'
            UNION ALL
            SELECT e.stream, e.item, e.job, e.version, 'succeeded', json_extract(o.data, '$.stop_reason'),
                NULL, NULL
            FROM events e JOIN events o
                ON o.stream = e.stream AND o.version = json_extract(e.data, '$.outcome')
            WHERE e.type = 'answer_accepted'
        )""",
    ),
)
RUNS = (
    ("iif(type = 'retry_scheduled', version, 0)", "iif(type <> 'run_resumed', version, 0)"),
    (
        "type IN ('run_resumed', 'retry_scheduled')",
        "type IN ('run_resumed', 'retry_scheduled', 'answer_accepted')",
    ),
)


def upgrade() -> None:
    bind = op.get_bind()
    for name, changes in (("v_items", ITEMS), ("v_runs", RUNS)):
        (view,) = bind.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).one()
        for before, after in changes:
            if before not in view:
                raise RuntimeError(f"the view {name} is not that of revision 0007: it lacks {before!r}")
            view = view.replace(before, after)
        bind.exec_driver_sql(f"DROP VIEW {name}")
        # Past Alembic's own parsing, which would take the colons in times for parameters.
        bind.exec_driver_sql(view)
