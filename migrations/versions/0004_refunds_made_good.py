"""A refund that failed is made good by another one, or by a transfer; what waits for staff is found along an index."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WAITING = (
    ("ix_refunds_proposed", "status = 'proposed'"),
    ("ix_refunds_failed", "(status = 'failed' OR status = 'canceled' AND stripe_refund_id IS NOT NULL)"),
)


def upgrade() -> None:
    with op.batch_alter_table("refunds", schema=None) as batch_op:
        batch_op.add_column(sa.Column("instead_of_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("bank_reference", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("bank_minor", sa.BigInteger(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_refunds_instead_of_id_refunds"), "refunds", ["instead_of_id"], ["id"]
        )
        for name, which in WAITING:
            batch_op.create_index(
                name,
                ["id"],
                unique=False,
                sqlite_where=sa.text(which),
                postgresql_where=sa.text(which),
            )


def downgrade() -> None:
    with op.batch_alter_table("refunds", schema=None) as batch_op:
        for name, which in reversed(WAITING):
            batch_op.drop_index(name, sqlite_where=sa.text(which), postgresql_where=sa.text(which))
        batch_op.drop_constraint(batch_op.f("fk_refunds_instead_of_id_refunds"), type_="foreignkey")
        batch_op.drop_column("bank_minor")
        batch_op.drop_column("bank_reference")
        batch_op.drop_column("instead_of_id")
