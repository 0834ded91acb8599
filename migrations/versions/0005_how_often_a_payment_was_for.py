"""A payment keeps how often what it bought was paid for; its member may have another rhythm by now."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

payments = sa.table(
    "payments",
    *(sa.column(name) for name in ("membership_id", "plan_id", "interval", "amount_minor", "currency")),
)
memberships = sa.table(
    "memberships", *(sa.column(name) for name in ("id", "plan_id", "interval", "amount_minor", "currency"))
)
prices = sa.table(
    "prices", *(sa.column(name) for name in ("plan_id", "interval", "amount_minor", "currency"))
)


def upgrade() -> None:
    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.add_column(sa.Column("interval", sa.String(), nullable=True))
    unchanged = sa.select(memberships.c.interval).where(
        memberships.c.id == payments.c.membership_id,
        memberships.c.amount_minor == payments.c.amount_minor,
        memberships.c.currency == payments.c.currency,
        sa.or_(payments.c.plan_id.is_(None), payments.c.plan_id == memberships.c.plan_id),
    )
    only_one = sa.select(sa.case((sa.func.count() == 1, sa.func.min(prices.c.interval)))).where(
        prices.c.plan_id == payments.c.plan_id,
        prices.c.amount_minor == payments.c.amount_minor,
        prices.c.currency == payments.c.currency,
    )
    of_members = payments.c.membership_id.is_not(None) & payments.c.interval.is_(None)
    for known in (unchanged, only_one):  # what neither tells stays unknown, and receipts are silent about it
        told = payments.update().where(of_members).values(interval=known.scalar_subquery())
        op.get_bind().execute(told)


def downgrade() -> None:
    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.drop_column("interval")
