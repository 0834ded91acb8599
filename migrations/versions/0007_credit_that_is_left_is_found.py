"""Credit that is left of a membership is found along an index, by the desk and by whoever looks at it again."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SOME = sa.text("credit_minor > 0")


def upgrade() -> None:
    op.create_index("ix_memberships_credit", "memberships", ["id"], sqlite_where=SOME, postgresql_where=SOME)


def downgrade() -> None:
    op.drop_index("ix_memberships_credit", "memberships")
