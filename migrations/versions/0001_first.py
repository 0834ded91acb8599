"""All tables of the first release, and the triggers that keep the books append-only."""

import sqlalchemy as sa
from alembic import op

from membership.triggers import KEYS, append_only, drop_append_only

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:  # noqa: PLR0915 - one statement a table and index
    op.create_table(
        "audit_records",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tag", sa.String(length=60), nullable=False),
        sa.Column("subject_type", sa.String(length=40), nullable=False),
        sa.Column("subject_id", sa.String(length=100), nullable=False),
        sa.Column("by_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_records")),
    )
    with op.batch_alter_table("audit_records", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_records_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_records_by_id"), ["by_id"], unique=False)
        batch_op.create_index("ix_audit_records_subject", ["subject_type", "subject_id", "id"], unique=False)

    op.create_table(
        "balance_transactions",
        sa.Column("stripe_id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("source_id", sa.String(), nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("fee_minor", sa.BigInteger(), nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("exchange_rate", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("available_on", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payout_id", sa.String(), nullable=True),
        sa.CheckConstraint("net_minor = amount_minor - fee_minor", name=op.f("ck_balance_transactions_net")),
        sa.PrimaryKeyConstraint("stripe_id", name=op.f("pk_balance_transactions")),
    )
    with op.batch_alter_table("balance_transactions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_balance_transactions_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_balance_transactions_payout_id"), ["payout_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_balance_transactions_source_id"), ["source_id"], unique=False)

    op.create_table(
        "fundraisers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "draft",
                "open",
                "closed",
                name="fundraiserstatus",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("opens_on", sa.Date(), nullable=False),
        sa.Column("closes_on", sa.Date(), nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("goal_minor", sa.BigInteger(), nullable=False),
        sa.Column("texts", sa.JSON(), nullable=False),
        sa.Column("suggestions", sa.JSON(), nullable=False),
        sa.Column("risk_notices", sa.JSON(), nullable=False),
        sa.Column("refused_countries", sa.JSON(), nullable=False),
        sa.Column("ends_running", sa.Boolean(), nullable=False),
        sa.Column("raised_minor", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fundraisers")),
        sa.UniqueConstraint("slug", name=op.f("uq_fundraisers_slug")),
    )
    op.create_table(
        "ledger_accounts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=200), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "asset",
                "liability",
                "income",
                "expense",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_accounts")),
        sa.UniqueConstraint("code", name=op.f("uq_ledger_accounts_code")),
    )
    op.create_table(
        "ledger_entries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=True),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("memo", sa.String(length=400), nullable=False),
        sa.Column("reverses_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(
            ["reverses_id"], ["ledger_entries.id"], name=op.f("fk_ledger_entries_reverses_id_ledger_entries")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entries")),
        sa.UniqueConstraint("source", name=op.f("uq_ledger_entries_source")),
    )
    with op.batch_alter_table("ledger_entries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ledger_entries_posted_at"), ["posted_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_ledger_entries_reverses_id"), ["reverses_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_ledger_entries_subject"), ["subject"], unique=False)

    op.create_table(
        "limit_counts",
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key_hash", "window_start", name=op.f("pk_limit_counts")),
    )
    with op.batch_alter_table("limit_counts", schema=None) as batch_op:
        batch_op.create_index("ix_limit_counts_window_start", ["window_start"], unique=False)

    op.create_table(
        "newsroom",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("donee", sa.String(), nullable=False),
        sa.Column("bank_account", sa.JSON(), nullable=False),
        sa.Column("pages", sa.JSON(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_newsroom_only_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_newsroom")),
    )
    op.create_table(
        "outbox_emails",
        sa.Column("dedupe_key", sa.String(length=200), nullable=False),
        sa.Column("template", sa.String(length=80), nullable=False),
        sa.Column("locale", sa.String(length=20), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_token", sa.String(length=64), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dead", sa.Boolean(), nullable=False),
        sa.Column("last_error", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("dedupe_key", name=op.f("pk_outbox_emails")),
    )
    with op.batch_alter_table("outbox_emails", schema=None) as batch_op:
        batch_op.create_index(
            "ix_outbox_emails_waiting",
            ["not_before"],
            unique=False,
            sqlite_where=sa.text("sent_at IS NULL AND dead = 0"),
            postgresql_where=sa.text("sent_at IS NULL AND NOT dead"),
        )

    op.create_table(
        "outlets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("latin_name", sa.String(), nullable=False),
        sa.Column("lang", sa.String(), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("languages", sa.JSON(), nullable=False),
        sa.Column("link", sa.String(), nullable=False),
        sa.Column("about", sa.JSON(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "invited",
                "active",
                "suspended",
                "left",
                name="outletstatus",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "appears",
            sa.Enum(
                "nothing",
                "banded",
                "exact",
                name="appears",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("payments_paused", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outlets")),
        sa.UniqueConstraint("slug", name=op.f("uq_outlets_slug")),
    )
    op.create_table(
        "people",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("email_key", sa.String(), nullable=True),
        sa.Column("sealed_identity", sa.LargeBinary(), nullable=True),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
        sa.UniqueConstraint("email_key", name=op.f("uq_people_email_key")),
        sa.UniqueConstraint("reference", name=op.f("uq_people_reference")),
    )
    op.create_table(
        "stripe_calls",
        sa.Column("idem_key", sa.String(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("locked_params", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "pending",
                "ok",
                "failed",
                "unknown",
                "stale",
                name="callstate",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("result_id", sa.String(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("idem_key", name=op.f("pk_stripe_calls")),
    )
    with op.batch_alter_table("stripe_calls", schema=None) as batch_op:
        batch_op.create_index(
            "ix_stripe_calls_open",
            ["tried_at"],
            unique=False,
            sqlite_where=sa.text("state IN ('pending', 'unknown')"),
            postgresql_where=sa.text("state IN ('pending', 'unknown')"),
        )
        batch_op.create_index("ix_stripe_calls_result", ["result_id", "operation"], unique=False)

    op.create_table(
        "stripe_cursors",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("seconds", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_stripe_cursors")),
    )
    op.create_table(
        "stripe_events",
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("object_type", sa.String(), nullable=False),
        sa.Column("object_id", sa.String(), nullable=True),
        sa.Column("api_version", sa.String(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("sealed_payload", sa.LargeBinary(), nullable=True),
        sa.Column("deliveries", sa.Integer(), nullable=False),
        sa.CheckConstraint("source IN ('webhook', 'poll', 'manual')", name=op.f("ck_stripe_events_source")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_stripe_events")),
    )
    with op.batch_alter_table("stripe_events", schema=None) as batch_op:
        batch_op.create_index(
            "ix_stripe_events_kept",
            ["received_at"],
            unique=False,
            sqlite_where=sa.text("sealed_payload IS NOT NULL"),
            postgresql_where=sa.text("sealed_payload IS NOT NULL"),
        )

    op.create_table(
        "stripe_objects",
        sa.Column("object_type", sa.String(), nullable=False),
        sa.Column("object_id", sa.String(), nullable=False),
        sa.Column("dirty_seq", sa.BigInteger(), nullable=False),
        sa.Column("clean_seq", sa.BigInteger(), nullable=False),
        sa.Column("lease_token", sa.String(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("dead", sa.Boolean(), nullable=False),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("object_type", "object_id", name=op.f("pk_stripe_objects")),
    )
    with op.batch_alter_table("stripe_objects", schema=None) as batch_op:
        batch_op.create_index(
            "ix_stripe_objects_todo",
            ["not_before"],
            unique=False,
            sqlite_where=sa.text("dirty_seq > clean_seq AND dead = 0"),
            postgresql_where=sa.text("dirty_seq > clean_seq AND NOT dead"),
        )

    op.create_table(
        "allocation_rules",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fundraiser_id", sa.Integer(), nullable=False),
        sa.Column("fundraiser_slug", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("host_share_bp", sa.Integer(), nullable=False),
        sa.Column(
            "fee_bearer",
            sa.Enum("shares", "host", name="feebearer", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("agreed_on", sa.Date(), nullable=True),
        sa.Column("in_force_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("host_share_bp BETWEEN 0 AND 10000", name=op.f("ck_allocation_rules_host_share")),
        sa.ForeignKeyConstraint(
            ["fundraiser_id"], ["fundraisers.id"], name=op.f("fk_allocation_rules_fundraiser_id_fundraisers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_allocation_rules")),
        sa.UniqueConstraint(
            "fundraiser_id", "version", name=op.f("uq_allocation_rules_fundraiser_id_version")
        ),
    )
    op.create_table(
        "donations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("attempt", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("leave_token", sa.String(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("fundraiser_id", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("charged_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column(
            "interval",
            sa.Enum(
                "once", "month", "year", name="interval", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("covers_fee", sa.Boolean(), nullable=False),
        sa.Column("shown", sa.Boolean(), nullable=False),
        sa.Column("sealed_message", sa.LargeBinary(), nullable=True),
        sa.Column("keepsake", sa.LargeBinary(), nullable=True),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("card_country", sa.String(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "pledged",
                "processing",
                "settled",
                "failed",
                "expired",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "schedule",
            sa.Enum(
                "none",
                "running",
                "past_due",
                "paused",
                "ended",
                name="schedule",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "review",
            sa.Enum(
                "none",
                "held",
                "accepted",
                "refused",
                name="review",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("opened", sa.Boolean(), nullable=False),
        sa.Column("pledged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_on", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resumes_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.Column("sealed_reason", sa.LargeBinary(), nullable=True),
        sa.Column("announced_for", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stripe_customer_id", sa.String(), nullable=True),
        sa.Column("stripe_subscription_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["fundraiser_id"], ["fundraisers.id"], name=op.f("fk_donations_fundraiser_id_fundraisers")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_donations_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_donations")),
        sa.UniqueConstraint("attempt", name=op.f("uq_donations_attempt")),
        sa.UniqueConstraint("leave_token", name=op.f("uq_donations_leave_token")),
        sa.UniqueConstraint("reference", name=op.f("uq_donations_reference")),
        sa.UniqueConstraint("stripe_subscription_id", name=op.f("uq_donations_stripe_subscription_id")),
    )
    with op.batch_alter_table("donations", schema=None) as batch_op:
        batch_op.create_index("ix_donations_country", ["country", "schedule"], unique=False)
        batch_op.create_index(batch_op.f("ix_donations_fundraiser_id"), ["fundraiser_id"], unique=False)
        batch_op.create_index(
            "ix_donations_held",
            ["id"],
            unique=False,
            sqlite_where=sa.text("review = 'held'"),
            postgresql_where=sa.text("review = 'held'"),
        )
        batch_op.create_index(
            "ix_donations_next",
            ["interval", "next_on"],
            unique=False,
            sqlite_where=sa.text("schedule = 'running'"),
            postgresql_where=sa.text("schedule = 'running'"),
        )
        batch_op.create_index("ix_donations_person", ["person_id", "id"], unique=False)
        batch_op.create_index(
            "ix_donations_status",
            ["status", "pledged_at"],
            unique=False,
            sqlite_where=sa.text("person_id IS NOT NULL"),
            postgresql_where=sa.text("person_id IS NOT NULL"),
        )
        batch_op.create_index(
            batch_op.f("ix_donations_stripe_customer_id"), ["stripe_customer_id"], unique=False
        )

    op.create_table(
        "fundraiser_causes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fundraiser_id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("titles", sa.JSON(), nullable=False),
        sa.Column("planned_minor", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["fundraiser_id"], ["fundraisers.id"], name=op.f("fk_fundraiser_causes_fundraiser_id_fundraisers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fundraiser_causes")),
        sa.UniqueConstraint("fundraiser_id", "slug", name=op.f("uq_fundraiser_causes_fundraiser_id_slug")),
    )
    op.create_table(
        "fundraiser_publications",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fundraiser_id", sa.Integer(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("raised_minor", sa.BigInteger(), nullable=False),
        sa.Column("gifts", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["fundraiser_id"],
            ["fundraisers.id"],
            name=op.f("fk_fundraiser_publications_fundraiser_id_fundraisers"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fundraiser_publications")),
    )
    with op.batch_alter_table("fundraiser_publications", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_fundraiser_publications_fundraiser_id"), ["fundraiser_id"], unique=False
        )

    op.create_table(
        "ledger_postings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.CheckConstraint("amount_minor <> 0", name=op.f("ck_ledger_postings_not_zero")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["ledger_accounts.id"], name=op.f("fk_ledger_postings_account_id_ledger_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["ledger_entries.id"], name=op.f("fk_ledger_postings_entry_id_ledger_entries")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_postings")),
        sa.UniqueConstraint("entry_id", "account_id", name=op.f("uq_ledger_postings_entry_id_account_id")),
    )
    with op.batch_alter_table("ledger_postings", schema=None) as batch_op:
        batch_op.create_index("ix_ledger_postings_balance", ["account_id", "amount_minor"], unique=False)

    op.create_table(
        "transfers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("attempt", sa.String(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("fundraiser_id", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["fundraiser_id"], ["fundraisers.id"], name=op.f("fk_transfers_fundraiser_id_fundraisers")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_transfers_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfers")),
        sa.UniqueConstraint("attempt", name=op.f("uq_transfers_attempt")),
        sa.UniqueConstraint("reference", name=op.f("uq_transfers_reference")),
    )
    with op.batch_alter_table("transfers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_transfers_fundraiser_id"), ["fundraiser_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_transfers_person_id"), ["person_id"], unique=False)

    op.create_table(
        "allocation_shares",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rule_id", sa.Integer(), nullable=False),
        sa.Column("outlet_id", sa.Integer(), nullable=True),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("weight", sa.BigInteger(), nullable=False),
        sa.Column("given_minor", sa.BigInteger(), nullable=False),
        sa.Column("agreed_on", sa.Date(), nullable=True),
        sa.CheckConstraint("given_minor >= 0", name=op.f("ck_allocation_shares_given")),
        sa.CheckConstraint("weight >= 0", name=op.f("ck_allocation_shares_weight")),
        sa.ForeignKeyConstraint(
            ["outlet_id"], ["outlets.id"], name=op.f("fk_allocation_shares_outlet_id_outlets")
        ),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["allocation_rules.id"], name=op.f("fk_allocation_shares_rule_id_allocation_rules")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_allocation_shares")),
        sa.UniqueConstraint("rule_id", "account", name=op.f("uq_allocation_shares_rule_id_account")),
    )
    with op.batch_alter_table("allocation_shares", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_allocation_shares_outlet_id"), ["outlet_id"], unique=False)

    op.create_table(
        "checkouts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("donation_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "asked",
                "open",
                "complete",
                "expired",
                "refused",
                name="checkoutstate",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("stripe_session_id", sa.String(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["donation_id"], ["donations.id"], name=op.f("fk_checkouts_donation_id_donations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkouts")),
        sa.UniqueConstraint("donation_id", "number", name=op.f("uq_checkouts_donation_id_number")),
        sa.UniqueConstraint("key", name=op.f("uq_checkouts_key")),
        sa.UniqueConstraint("stripe_session_id", name=op.f("uq_checkouts_stripe_session_id")),
    )
    with op.batch_alter_table("checkouts", schema=None) as batch_op:
        batch_op.create_index("ix_checkouts_open", ["state", "expires_at"], unique=False)

    op.create_table(
        "fundraiser_movements",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fundraiser_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("is_gift", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("publication_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["fundraiser_id"],
            ["fundraisers.id"],
            name=op.f("fk_fundraiser_movements_fundraiser_id_fundraisers"),
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_fundraiser_movements_person_id_people")
        ),
        sa.ForeignKeyConstraint(
            ["publication_id"],
            ["fundraiser_publications.id"],
            name=op.f("fk_fundraiser_movements_publication_id_fundraiser_publications"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fundraiser_movements")),
        sa.UniqueConstraint("source", name=op.f("uq_fundraiser_movements_source")),
    )
    with op.batch_alter_table("fundraiser_movements", schema=None) as batch_op:
        batch_op.create_index(
            "ix_fundraiser_movements_unpublished",
            ["fundraiser_id", "at"],
            unique=False,
            sqlite_where=sa.text("publication_id IS NULL"),
            postgresql_where=sa.text("publication_id IS NULL"),
        )

    op.create_table(
        "payments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("donation_id", sa.Integer(), nullable=True),
        sa.Column("stripe_charge_id", sa.String(), nullable=False),
        sa.Column("stripe_payment_intent_id", sa.String(), nullable=True),
        sa.Column("stripe_invoice_id", sa.String(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "succeeded",
                "failed",
                name="paymentstatus",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("card_country", sa.String(), nullable=True),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("apart", sa.String(), nullable=True),
        sa.Column("settled_currency", sa.String(), nullable=True),
        sa.Column("settled_minor", sa.BigInteger(), nullable=True),
        sa.Column("fee_minor", sa.BigInteger(), nullable=True),
        sa.Column("net_minor", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["donation_id"], ["donations.id"], name=op.f("fk_payments_donation_id_donations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("stripe_charge_id", name=op.f("uq_payments_stripe_charge_id")),
    )
    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.create_index(
            "ix_payments_apart",
            ["id"],
            unique=False,
            sqlite_where=sa.text("apart IS NOT NULL"),
            postgresql_where=sa.text("apart IS NOT NULL"),
        )
        batch_op.create_index(batch_op.f("ix_payments_donation_id"), ["donation_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_payments_stripe_invoice_id"), ["stripe_invoice_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_payments_stripe_payment_intent_id"), ["stripe_payment_intent_id"], unique=False
        )
        batch_op.create_index(
            "ix_payments_unbooked",
            ["paid_at"],
            unique=False,
            sqlite_where=sa.text("net_minor IS NULL"),
            postgresql_where=sa.text("net_minor IS NULL"),
        )

    op.create_table(
        "refunds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("payment_id", sa.Integer(), nullable=False),
        sa.Column("stripe_refund_id", sa.String(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "asked",
                "pending",
                "requires_action",
                "succeeded",
                "failed",
                "canceled",
                name="refundstatus",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("booked_as", sa.String(), nullable=True),
        sa.Column("undone_as", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_refunds_payment_id_payments")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("reference", name=op.f("uq_refunds_reference")),
        sa.UniqueConstraint("stripe_refund_id", name=op.f("uq_refunds_stripe_refund_id")),
    )
    with op.batch_alter_table("refunds", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_refunds_payment_id"), ["payment_id"], unique=False)

    for table in KEYS:
        for statement in append_only(table, op.get_bind().dialect.name):
            op.execute(statement)


def downgrade() -> None:  # noqa: PLR0915 - one statement a table and index
    for table in reversed(KEYS):
        for statement in drop_append_only(table, op.get_bind().dialect.name):
            op.execute(statement)
    with op.batch_alter_table("refunds", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_refunds_payment_id"))

    op.drop_table("refunds")
    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_payments_unbooked",
            sqlite_where=sa.text("net_minor IS NULL"),
            postgresql_where=sa.text("net_minor IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_payments_stripe_payment_intent_id"))
        batch_op.drop_index(batch_op.f("ix_payments_stripe_invoice_id"))
        batch_op.drop_index(batch_op.f("ix_payments_donation_id"))
        batch_op.drop_index(
            "ix_payments_apart",
            sqlite_where=sa.text("apart IS NOT NULL"),
            postgresql_where=sa.text("apart IS NOT NULL"),
        )

    op.drop_table("payments")
    with op.batch_alter_table("fundraiser_movements", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_fundraiser_movements_unpublished",
            sqlite_where=sa.text("publication_id IS NULL"),
            postgresql_where=sa.text("publication_id IS NULL"),
        )

    op.drop_table("fundraiser_movements")
    with op.batch_alter_table("checkouts", schema=None) as batch_op:
        batch_op.drop_index("ix_checkouts_open")

    op.drop_table("checkouts")
    with op.batch_alter_table("allocation_shares", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_allocation_shares_outlet_id"))

    op.drop_table("allocation_shares")
    with op.batch_alter_table("transfers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_transfers_person_id"))
        batch_op.drop_index(batch_op.f("ix_transfers_fundraiser_id"))

    op.drop_table("transfers")
    with op.batch_alter_table("ledger_postings", schema=None) as batch_op:
        batch_op.drop_index("ix_ledger_postings_balance")

    op.drop_table("ledger_postings")
    with op.batch_alter_table("fundraiser_publications", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_fundraiser_publications_fundraiser_id"))

    op.drop_table("fundraiser_publications")
    op.drop_table("fundraiser_causes")
    with op.batch_alter_table("donations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_donations_stripe_customer_id"))
        batch_op.drop_index(
            "ix_donations_status",
            sqlite_where=sa.text("person_id IS NOT NULL"),
            postgresql_where=sa.text("person_id IS NOT NULL"),
        )
        batch_op.drop_index("ix_donations_person")
        batch_op.drop_index(
            "ix_donations_next",
            sqlite_where=sa.text("schedule = 'running'"),
            postgresql_where=sa.text("schedule = 'running'"),
        )
        batch_op.drop_index(
            "ix_donations_held",
            sqlite_where=sa.text("review = 'held'"),
            postgresql_where=sa.text("review = 'held'"),
        )
        batch_op.drop_index(batch_op.f("ix_donations_fundraiser_id"))
        batch_op.drop_index("ix_donations_country")

    op.drop_table("donations")
    op.drop_table("allocation_rules")
    with op.batch_alter_table("stripe_objects", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_stripe_objects_todo",
            sqlite_where=sa.text("dirty_seq > clean_seq AND dead = 0"),
            postgresql_where=sa.text("dirty_seq > clean_seq AND NOT dead"),
        )

    op.drop_table("stripe_objects")
    with op.batch_alter_table("stripe_events", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_stripe_events_kept",
            sqlite_where=sa.text("sealed_payload IS NOT NULL"),
            postgresql_where=sa.text("sealed_payload IS NOT NULL"),
        )

    op.drop_table("stripe_events")
    op.drop_table("stripe_cursors")
    with op.batch_alter_table("stripe_calls", schema=None) as batch_op:
        batch_op.drop_index("ix_stripe_calls_result")
        batch_op.drop_index(
            "ix_stripe_calls_open",
            sqlite_where=sa.text("state IN ('pending', 'unknown')"),
            postgresql_where=sa.text("state IN ('pending', 'unknown')"),
        )

    op.drop_table("stripe_calls")
    op.drop_table("people")
    op.drop_table("outlets")
    with op.batch_alter_table("outbox_emails", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_outbox_emails_waiting",
            sqlite_where=sa.text("sent_at IS NULL AND dead = 0"),
            postgresql_where=sa.text("sent_at IS NULL AND NOT dead"),
        )

    op.drop_table("outbox_emails")
    op.drop_table("newsroom")
    with op.batch_alter_table("limit_counts", schema=None) as batch_op:
        batch_op.drop_index("ix_limit_counts_window_start")

    op.drop_table("limit_counts")
    with op.batch_alter_table("ledger_entries", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_ledger_entries_subject"))
        batch_op.drop_index(batch_op.f("ix_ledger_entries_reverses_id"))
        batch_op.drop_index(batch_op.f("ix_ledger_entries_posted_at"))

    op.drop_table("ledger_entries")
    op.drop_table("ledger_accounts")
    op.drop_table("fundraisers")
    with op.batch_alter_table("balance_transactions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_balance_transactions_source_id"))
        batch_op.drop_index(batch_op.f("ix_balance_transactions_payout_id"))
        batch_op.drop_index(batch_op.f("ix_balance_transactions_created_at"))

    op.drop_table("balance_transactions")
    with op.batch_alter_table("audit_records", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_records_subject")
        batch_op.drop_index(batch_op.f("ix_audit_records_by_id"))
        batch_op.drop_index(batch_op.f("ix_audit_records_at"))

    op.drop_table("audit_records")
