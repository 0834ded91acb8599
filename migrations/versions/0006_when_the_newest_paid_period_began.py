"""A membership knows when the newest period that was paid began: the one after it counts, even where it ends sooner."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

memberships = sa.table("memberships", *(sa.column(name) for name in ("id", "paid_from", "paid_until")))
payments = sa.table(
    "payments", *(sa.column(name) for name in ("membership_id", "status", "apart", "paid_at"))
)


def upgrade() -> None:
    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.add_column(sa.Column("paid_from", sa.DateTime(timezone=True), nullable=True))
    # a period begins a little before it is paid, and the next one after that: so much is enough to tell them apart
    last_paid = sa.select(sa.func.max(payments.c.paid_at)).where(
        payments.c.membership_id == memberships.c.id,
        payments.c.status == "succeeded",
        payments.c.apart.is_(None),
    )
    told = memberships.update().where(memberships.c.paid_until.is_not(None))
    op.get_bind().execute(told.values(paid_from=last_paid.scalar_subquery()))


def downgrade() -> None:
    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.drop_column("paid_from")
