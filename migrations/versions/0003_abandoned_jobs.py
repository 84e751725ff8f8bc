"""`v_jobs` knows the jobs that were given up, as the library's state does."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# What changes in the view's own text.
CHANGES = (
    (
        "WHEN 'job_completed' THEN 'completed'",
        "WHEN 'job_completed' THEN 'completed'\n                WHEN 'job_abandoned' THEN 'abandoned'",
    ),
    ("'batch_polled', 'job_completed')", "'batch_polled', 'job_completed', 'job_abandoned')"),
    ("l.status IN ('completed', 'failed')", "l.status IN ('completed', 'failed', 'abandoned')"),
)


def upgrade() -> None:
    bind = op.get_bind()
    (view,) = bind.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = 'v_jobs'").one()
    for before, after in CHANGES:
        if before not in view:
            raise RuntimeError(f"the view v_jobs is not that of revision 0002: it lacks {before!r}")
        view = view.replace(before, after)
    bind.exec_driver_sql("DROP VIEW v_jobs")
    # Past Alembic's own parsing, which would take the colons in times for parameters.
    bind.exec_driver_sql(view)
