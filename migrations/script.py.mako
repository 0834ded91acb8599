"""${message}

Before you commit this:
- Read it. Autogenerate guesses renames as a drop and an add, and sees neither triggers nor data.
- SQLite's batch_alter_table copies a table and drops its triggers: make them again (membership/triggers.py).
- PostgreSQL locks the table while it changes: add columns that may be null, fill them in a second step, tighten in a third.
- The code of the version before must live with the new tables until the last process has restarted.
- tests/house/test_migrations.py goes up, down and up again on both databases.

Revision ${up_revision}${', after ' + down_revision if down_revision else ''}
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
