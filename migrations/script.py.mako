"""${message}.

Never use batch mode (`op.batch_alter_table`) on the log's tables: it copies the table and drops its triggers.
"""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
