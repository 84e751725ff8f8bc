"""`v_items` knows items that share the request of an earlier one: what happened to that happened to them."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SHARED = """shared AS (
        SELECT e.stream AS stream, json_extract(r.value, '$[0]') AS item,
            json_extract(r.value, '$[1]') AS original
        FROM events e, json_each(e.data, '$.same_as') r WHERE e.type = 'items_added'
    ),
    """
# What changes in the view's own text. Costs stay with the item that was sent.
CHANGES = (
    ("failed_jobs AS (", f"{SHARED}failed_jobs AS ("),
    (
        "FROM added a\n",
        "FROM added a\n    LEFT JOIN shared h ON h.stream = a.stream AND h.item = a.item\n",
    ),
    *(
        (f"{table}.item = a.item", f"{table}.item = coalesce(h.original, a.item)")
        for table in ("o", "r", "s")
    ),
)


def upgrade() -> None:
    bind = op.get_bind()
    (view,) = bind.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = 'v_items'").one()
    for before, after in CHANGES:
        if before not in view:
            raise RuntimeError(f"the view v_items is not that of revision 0002: it lacks {before!r}")
        view = view.replace(before, after)
    bind.exec_driver_sql("DROP VIEW v_items")
    # Past Alembic's own parsing, which would take the colons in times for parameters.
    bind.exec_driver_sql(view)
