"""`v_costs` counts web searches, which are charged beside the tokens."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BEFORE = "json_extract(data, '$.cache_read_tokens') AS cache_read_tokens,"
# An event says nothing of what it had none of.
AFTER = f"""{BEFORE}
        coalesce(json_extract(data, '$.web_search_requests'), 0) AS web_search_requests,"""


def upgrade() -> None:
    bind = op.get_bind()
    (view,) = bind.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = 'v_costs'").one()
    if BEFORE not in view:
        raise RuntimeError(f"the view v_costs is not that of revision 0002: it lacks {BEFORE!r}")
    bind.exec_driver_sql("DROP VIEW v_costs")
    # Past Alembic's own parsing, which would take the colons in times for parameters.
    bind.exec_driver_sql(view.replace(BEFORE, AFTER))
