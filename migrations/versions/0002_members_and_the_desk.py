"""Members, their plans and perks, sign-ins, the staff desk; what came before learns whom it belongs to."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:  # noqa: PLR0915 - one statement a table and index
    op.create_table(
        "bounces",
        sa.Column("email_key", sa.String(length=64), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("email_key", name=op.f("pk_bounces")),
    )
    op.create_table(
        "drives",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("goal", sa.Integer(), nullable=False),
        sa.Column("begins_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("texts", sa.JSON(), nullable=False),
        sa.Column("shown_members", sa.Integer(), nullable=True),
        sa.Column("shown_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drives")),
        sa.UniqueConstraint("slug", name=op.f("uq_drives_slug")),
    )
    op.create_table(
        "perks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "page",
                "file",
                "link",
                "code",
                name="perkkind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("texts", sa.JSON(), nullable=False),
        sa.Column("link", sa.String(), nullable=True),
        sa.Column("file_digest", sa.String(), nullable=True),
        sa.Column("file_name", sa.String(), nullable=True),
        sa.Column("file_type", sa.String(), nullable=True),
        sa.Column("file_size", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_perks")),
        sa.UniqueConstraint("slug", name=op.f("uq_perks_slug")),
    )
    op.create_table(
        "plans",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "open", "closed", name="planstatus", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("texts", sa.JSON(), nullable=False),
        sa.Column("described_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
        sa.UniqueConstraint("slug", name=op.f("uq_plans_slug")),
    )
    op.create_table(
        "plan_perks",
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("perk_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["perk_id"], ["perks.id"], name=op.f("fk_plan_perks_perk_id_perks")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_plan_perks_plan_id_plans")),
        sa.PrimaryKeyConstraint("plan_id", "perk_id", name=op.f("pk_plan_perks")),
    )
    with op.batch_alter_table("plan_perks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_plan_perks_perk_id"), ["perk_id"], unique=False)

    op.create_table(
        "prices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("interval", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_prices_plan_id_plans")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prices")),
        sa.UniqueConstraint(
            "plan_id", "interval", "currency", name=op.f("uq_prices_plan_id_interval_currency")
        ),
    )
    with op.batch_alter_table("prices", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_prices_plan_id"), ["plan_id"], unique=False)

    op.create_table(
        "corrections",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("new_email_key", sa.String(), nullable=False),
        sa.Column("locked_email", sa.LargeBinary(), nullable=True),
        sa.Column("cancel_hash", sa.String(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "proposed",
                "done",
                "cancelled",
                name="correctionstatus",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("proposed_by_id", sa.Integer(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ripe_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by_id", sa.Integer(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["decided_by_id"], ["people.id"], name=op.f("fk_corrections_decided_by_id_people")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_corrections_person_id_people")),
        sa.ForeignKeyConstraint(
            ["proposed_by_id"], ["people.id"], name=op.f("fk_corrections_proposed_by_id_people")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corrections")),
        sa.UniqueConstraint("cancel_hash", name=op.f("uq_corrections_cancel_hash")),
        sa.UniqueConstraint("reference", name=op.f("uq_corrections_reference")),
    )
    with op.batch_alter_table("corrections", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_corrections_person_id"), ["person_id"], unique=False)
        batch_op.create_index(
            "uq_corrections_open",
            ["person_id"],
            unique=True,
            sqlite_where=sa.text("status = 'proposed'"),
            postgresql_where=sa.text("status = 'proposed'"),
        )

    op.create_table(
        "labels",
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_labels_person_id_people")),
        sa.PrimaryKeyConstraint("person_id", "text", name=op.f("pk_labels")),
    )
    with op.batch_alter_table("labels", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_labels_text"), ["text"], unique=False)

    op.create_table(
        "memberships",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("attempt", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("leave_token", sa.String(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "paid",
                "complimentary",
                "gift",
                "offline",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "active",
                "past_due",
                "paused",
                "ended",
                name="membershipstatus",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "asked",
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
        sa.Column("opened", sa.Boolean(), nullable=False),
        sa.Column("interval", sa.String(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("keepsake", sa.LargeBinary(), nullable=True),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("extra_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resumes_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("credit_minor", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.Column("sealed_reason", sa.LargeBinary(), nullable=True),
        sa.Column("withdrawable_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("doubled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("announced_for", sa.DateTime(timezone=True), nullable=True),
        sa.Column("late_invoice_id", sa.String(), nullable=True),
        sa.Column("late_attempts", sa.Integer(), nullable=False),
        sa.Column("card_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stripe_method_id", sa.String(), nullable=True),
        sa.Column("stripe_customer_id", sa.String(), nullable=True),
        sa.Column("stripe_subscription_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_memberships_person_id_people")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_memberships_plan_id_plans")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_memberships")),
        sa.UniqueConstraint("attempt", name=op.f("uq_memberships_attempt")),
        sa.UniqueConstraint("leave_token", name=op.f("uq_memberships_leave_token")),
        sa.UniqueConstraint("reference", name=op.f("uq_memberships_reference")),
        sa.UniqueConstraint("stripe_subscription_id", name=op.f("uq_memberships_stripe_subscription_id")),
    )
    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.create_index(
            "ix_memberships_double",
            ["doubled_at"],
            unique=False,
            sqlite_where=sa.text("doubled_at IS NOT NULL"),
            postgresql_where=sa.text("doubled_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_memberships_ends_at",
            ["ends_at"],
            unique=False,
            sqlite_where=sa.text("status IN ('active', 'past_due', 'paused')"),
            postgresql_where=sa.text("status IN ('active', 'past_due', 'paused')"),
        )
        batch_op.create_index("ix_memberships_failed", ["ended_by", "ended_at"], unique=False)
        batch_op.create_index(
            "ix_memberships_live",
            ["person_id"],
            unique=False,
            sqlite_where=sa.text("status IN ('active', 'past_due', 'paused')"),
            postgresql_where=sa.text("status IN ('active', 'past_due', 'paused')"),
        )
        batch_op.create_index("ix_memberships_paid_until", ["status", "paid_until"], unique=False)
        batch_op.create_index("ix_memberships_person", ["person_id", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_memberships_plan_id"), ["plan_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_memberships_stripe_customer_id"), ["stripe_customer_id"], unique=False
        )
        batch_op.create_index(
            "ix_memberships_unpaid",
            ["asked", "joined_at"],
            unique=False,
            sqlite_where=sa.text("status = 'pending'"),
            postgresql_where=sa.text("status = 'pending'"),
        )

    op.create_table(
        "notes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed_text", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["by_id"], ["people.id"], name=op.f("fk_notes_by_id_people")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_notes_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notes")),
    )
    with op.batch_alter_table("notes", schema=None) as batch_op:
        batch_op.create_index("ix_notes_person", ["person_id", "id"], unique=False)

    op.create_table(
        "perk_codes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("perk_id", sa.Integer(), nullable=False),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("locked_code", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["perk_id"], ["perks.id"], name=op.f("fk_perk_codes_perk_id_perks")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_perk_codes_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_perk_codes")),
        sa.UniqueConstraint("perk_id", "code_hash", name=op.f("uq_perk_codes_perk_id_code_hash")),
        sa.UniqueConstraint("perk_id", "person_id", name=op.f("uq_perk_codes_perk_id_person_id")),
    )
    with op.batch_alter_table("perk_codes", schema=None) as batch_op:
        batch_op.create_index(
            "ix_perk_codes_free",
            ["perk_id", "id"],
            unique=False,
            sqlite_where=sa.text("person_id IS NULL"),
            postgresql_where=sa.text("person_id IS NULL"),
        )
        batch_op.create_index(batch_op.f("ix_perk_codes_person_id"), ["person_id"], unique=False)

    op.create_table(
        "sessions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "member", "staff", name="sessionkind", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stepped_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_sessions_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sessions_token_hash")),
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index("ix_sessions_expires_at", ["expires_at"], unique=False)
        batch_op.create_index("ix_sessions_person", ["person_id", "id"], unique=False)

    op.create_table(
        "sign_ins",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("nonce_hash", sa.String(), nullable=False),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("email_key", sa.String(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("locked", sa.LargeBinary(), nullable=True),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("next_path", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_sign_ins_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_ins")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sign_ins_token_hash")),
    )
    with op.batch_alter_table("sign_ins", schema=None) as batch_op:
        batch_op.create_index("ix_sign_ins_email_key", ["email_key", "asked_at"], unique=False)
        batch_op.create_index("ix_sign_ins_expires_at", ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_sign_ins_nonce_hash"), ["nonce_hash"], unique=False)
        batch_op.create_index(batch_op.f("ix_sign_ins_person_id"), ["person_id"], unique=False)
        batch_op.create_index(
            "ix_sign_ins_unsent",
            ["asked_at"],
            unique=False,
            sqlite_where=sa.text("sent_at IS NULL"),
            postgresql_where=sa.text("sent_at IS NULL"),
        )

    op.create_table(
        "staff_members",
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "viewer",
                "support",
                "treasurer",
                "admin",
                "auditor",
                name="role",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("granted_by_id", sa.Integer(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("locked_secret", sa.LargeBinary(), nullable=True),
        sa.Column("last_counter", sa.BigInteger(), nullable=True),
        sa.Column("recovery_hashes", sa.JSON(), nullable=False),
        sa.Column("enrolled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("enrol_hash", sa.String(), nullable=True),
        sa.Column("enrol_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["granted_by_id"], ["people.id"], name=op.f("fk_staff_members_granted_by_id_people")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_staff_members_person_id_people")),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_staff_members")),
        sa.UniqueConstraint("enrol_hash", name=op.f("uq_staff_members_enrol_hash")),
    )
    with op.batch_alter_table("audit_records", schema=None) as batch_op:
        batch_op.create_index("ix_audit_records_tag", ["tag", "id"], unique=False)

    with op.batch_alter_table("checkouts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("membership_id", sa.Integer(), nullable=True))
        batch_op.alter_column("donation_id", existing_type=sa.INTEGER(), nullable=True)
        batch_op.create_unique_constraint(
            batch_op.f("uq_checkouts_membership_id_number"), ["membership_id", "number"]
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_checkouts_membership_id_memberships"), "memberships", ["membership_id"], ["id"]
        )
    with op.batch_alter_table("checkouts", schema=None) as batch_op:
        batch_op.create_check_constraint(
            batch_op.f("ck_checkouts_one_subject"), "(donation_id IS NULL) <> (membership_id IS NULL)"
        )

    with op.batch_alter_table("newsroom", schema=None) as batch_op:
        batch_op.add_column(sa.Column("banner", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("colours", sa.JSON(), nullable=False, server_default="{}"))
    with op.batch_alter_table("newsroom", schema=None) as batch_op:
        batch_op.alter_column("banner", server_default=None)
        batch_op.alter_column("colours", server_default=None)

    with op.batch_alter_table("outbox_emails", schema=None) as batch_op:
        batch_op.add_column(sa.Column("recipient_key", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("message_hash", sa.String(length=40), nullable=True))
        batch_op.create_index(
            "ix_outbox_emails_dead",
            ["queued_at"],
            unique=False,
            sqlite_where=sa.text("dead"),
            postgresql_where=sa.text("dead"),
        )
        batch_op.create_index("ix_outbox_emails_recipient", ["recipient_key", "queued_at"], unique=False)
        batch_op.create_unique_constraint(batch_op.f("uq_outbox_emails_message_hash"), ["message_hash"])

    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reference", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("person_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("membership_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("plan_id", sa.Integer(), nullable=True))
        batch_op.create_index(
            "ix_payments_held",
            ["id"],
            unique=False,
            sqlite_where=sa.text("held = 1"),
            postgresql_where=sa.text("held"),
        )
        batch_op.create_index(batch_op.f("ix_payments_membership_id"), ["membership_id"], unique=False)
        batch_op.create_index("ix_payments_person", ["person_id", "id"], unique=False)
        batch_op.create_index(
            "ix_payments_unpaid",
            ["id"],
            unique=False,
            sqlite_where=sa.text("status != 'succeeded'"),
            postgresql_where=sa.text("status <> 'succeeded'"),
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_payments_person_id_people"), "people", ["person_id"], ["id"]
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_payments_membership_id_memberships"), "memberships", ["membership_id"], ["id"]
        )
        batch_op.create_foreign_key(batch_op.f("fk_payments_plan_id_plans"), "plans", ["plan_id"], ["id"])
    payments = sa.table(
        "payments", sa.column("id"), sa.column("reference"), sa.column("person_id"), sa.column("donation_id")
    )
    donations = sa.table("donations", sa.column("id"), sa.column("person_id"))
    for (payment_id,) in op.get_bind().execute(sa.select(payments.c.id)).all():
        op.get_bind().execute(
            payments.update().where(payments.c.id == payment_id).values(reference=secrets.token_urlsafe(16))
        )
    giver = sa.select(donations.c.person_id).where(donations.c.id == payments.c.donation_id).scalar_subquery()
    op.get_bind().execute(payments.update().values(person_id=giver))
    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.alter_column("reference", existing_type=sa.String(), nullable=False)
        batch_op.create_unique_constraint(batch_op.f("uq_payments_reference"), ["reference"])

    with op.batch_alter_table("people", schema=None) as batch_op:
        batch_op.add_column(sa.Column("locked_contact", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("stripe_customer_id", sa.String(), nullable=True))
        batch_op.add_column(
            sa.Column(
                "standing",
                sa.Enum(
                    "none",
                    "active",
                    "past_due",
                    "paused",
                    "ended",
                    name="standing",
                    native_enum=False,
                    create_constraint=True,
                    length=40,
                ),
                nullable=False,
                server_default="none",
            )
        )
        batch_op.add_column(sa.Column("plan_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("kind", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("member_since", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(
            sa.Column(
                "given",
                sa.Enum(
                    "nothing",
                    "once",
                    "running",
                    name="given",
                    native_enum=False,
                    create_constraint=True,
                    length=40,
                ),
                nullable=False,
                server_default="nothing",
            )
        )
        batch_op.add_column(sa.Column("bounced_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index(
            "ix_people_bounced",
            ["id"],
            unique=False,
            sqlite_where=sa.text("bounced_at IS NOT NULL"),
            postgresql_where=sa.text("bounced_at IS NOT NULL"),
        )
        batch_op.create_index("ix_people_given", ["given", "id"], unique=False)
        batch_op.create_index("ix_people_kind", ["kind", "id"], unique=False)
        batch_op.create_index("ix_people_locale", ["locale", "id"], unique=False)
        batch_op.create_index("ix_people_member_since", ["member_since", "id"], unique=False)
        batch_op.create_index("ix_people_plan", ["plan_id", "standing", "id"], unique=False)
        batch_op.create_index("ix_people_standing", ["standing", "id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_people_stripe_customer_id"), ["stripe_customer_id"], unique=False
        )
        batch_op.create_foreign_key(batch_op.f("fk_people_plan_id_plans"), "plans", ["plan_id"], ["id"])
    people = sa.table(
        "people", sa.column("id"), sa.column("given"), sa.column("stripe_customer_id"), sa.column("erased_at")
    )
    gifts = sa.table(
        "donations",
        sa.column("id"),
        sa.column("person_id"),
        sa.column("status"),
        sa.column("schedule"),
        sa.column("settled_at"),
        sa.column("stripe_customer_id"),
    )
    paid = sa.select(gifts.c.person_id).where(gifts.c.status == "settled", gifts.c.person_id.is_not(None))
    running = paid.where(gifts.c.schedule.in_(("running", "past_due", "paused")))
    op.get_bind().execute(people.update().where(people.c.id.in_(paid)).values(given="once"))
    op.get_bind().execute(people.update().where(people.c.id.in_(running)).values(given="running"))
    newest = (
        sa.select(gifts.c.stripe_customer_id)
        .where(
            gifts.c.person_id == people.c.id,
            gifts.c.status == "settled",
            gifts.c.stripe_customer_id.is_not(None),
        )
        .order_by(gifts.c.settled_at.desc(), gifts.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    known = people.update().where(people.c.id.in_(paid), people.c.erased_at.is_(None))
    op.get_bind().execute(known.values(stripe_customer_id=newest))
    with op.batch_alter_table("people", schema=None) as batch_op:
        batch_op.alter_column("standing", server_default=None)
        batch_op.alter_column("given", server_default=None)

    with op.batch_alter_table("refunds", schema=None) as batch_op:
        batch_op.add_column(sa.Column("asked_by_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("approved_by_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_refunds_approved_by_id_people"), "people", ["approved_by_id"], ["id"]
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_refunds_asked_by_id_people"), "people", ["asked_by_id"], ["id"]
        )
    with op.batch_alter_table("refunds", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_refunds_refundstatus"), type_="check")
        batch_op.create_check_constraint(
            batch_op.f("ck_refunds_refundstatus"),
            "status IN ('proposed', 'asked', 'pending', 'requires_action', 'succeeded', 'failed', 'canceled')",
        )
    with op.batch_alter_table("stripe_calls", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_stripe_calls_callstate"), type_="check")
        batch_op.create_check_constraint(
            batch_op.f("ck_stripe_calls_callstate"),
            "state IN ('pending', 'ok', 'failed', 'unknown', 'stale', 'superseded')",
        )

    with op.batch_alter_table("stripe_calls", schema=None) as batch_op:
        batch_op.create_index(
            "ix_stripe_calls_stale",
            ["tried_at"],
            unique=False,
            sqlite_where=sa.text("state = 'stale'"),
            postgresql_where=sa.text("state = 'stale'"),
        )

    with op.batch_alter_table("stripe_objects", schema=None) as batch_op:
        batch_op.create_index(
            "ix_stripe_objects_dead",
            ["not_before"],
            unique=False,
            sqlite_where=sa.text("dead = 1"),
            postgresql_where=sa.text("dead"),
        )


def downgrade() -> None:  # noqa: PLR0915 - one statement a table and index
    # there was no room for these before
    op.execute("DELETE FROM checkouts WHERE membership_id IS NOT NULL")
    op.execute("DELETE FROM refunds WHERE status = 'proposed'")
    op.execute("UPDATE stripe_calls SET state = 'stale' WHERE state = 'superseded'")
    with op.batch_alter_table("stripe_calls", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_stripe_calls_callstate"), type_="check")
        batch_op.create_check_constraint(
            batch_op.f("ck_stripe_calls_callstate"),
            "state IN ('pending', 'ok', 'failed', 'unknown', 'stale')",
        )
    with op.batch_alter_table("refunds", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_refunds_refundstatus"), type_="check")
        batch_op.create_check_constraint(
            batch_op.f("ck_refunds_refundstatus"),
            "status IN ('asked', 'pending', 'requires_action', 'succeeded', 'failed', 'canceled')",
        )
    with op.batch_alter_table("checkouts", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_checkouts_one_subject"), type_="check")
    with op.batch_alter_table("people", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_people_standing"), type_="check")
        batch_op.drop_constraint(batch_op.f("ck_people_given"), type_="check")

    with op.batch_alter_table("stripe_objects", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_stripe_objects_dead", sqlite_where=sa.text("dead = 1"), postgresql_where=sa.text("dead")
        )

    with op.batch_alter_table("stripe_calls", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_stripe_calls_stale",
            sqlite_where=sa.text("state = 'stale'"),
            postgresql_where=sa.text("state = 'stale'"),
        )

    with op.batch_alter_table("refunds", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_refunds_asked_by_id_people"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("fk_refunds_approved_by_id_people"), type_="foreignkey")
        batch_op.drop_column("approved_by_id")
        batch_op.drop_column("asked_by_id")

    with op.batch_alter_table("people", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_people_plan_id_plans"), type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_people_stripe_customer_id"))
        batch_op.drop_index("ix_people_standing")
        batch_op.drop_index("ix_people_plan")
        batch_op.drop_index("ix_people_member_since")
        batch_op.drop_index("ix_people_locale")
        batch_op.drop_index("ix_people_kind")
        batch_op.drop_index("ix_people_given")
        batch_op.drop_index(
            "ix_people_bounced",
            sqlite_where=sa.text("bounced_at IS NOT NULL"),
            postgresql_where=sa.text("bounced_at IS NOT NULL"),
        )
        batch_op.drop_column("bounced_at")
        batch_op.drop_column("given")
        batch_op.drop_column("member_since")
        batch_op.drop_column("kind")
        batch_op.drop_column("plan_id")
        batch_op.drop_column("standing")
        batch_op.drop_column("stripe_customer_id")
        batch_op.drop_column("locked_contact")

    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_payments_plan_id_plans"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("fk_payments_membership_id_memberships"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("fk_payments_person_id_people"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("uq_payments_reference"), type_="unique")
        batch_op.drop_index(
            "ix_payments_unpaid",
            sqlite_where=sa.text("status != 'succeeded'"),
            postgresql_where=sa.text("status <> 'succeeded'"),
        )
        batch_op.drop_index("ix_payments_person")
        batch_op.drop_index(batch_op.f("ix_payments_membership_id"))
        batch_op.drop_index(
            "ix_payments_held", sqlite_where=sa.text("held = 1"), postgresql_where=sa.text("held")
        )
        batch_op.drop_column("plan_id")
        batch_op.drop_column("membership_id")
        batch_op.drop_column("person_id")
        batch_op.drop_column("reference")

    with op.batch_alter_table("outbox_emails", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_outbox_emails_message_hash"), type_="unique")
        batch_op.drop_index("ix_outbox_emails_recipient")
        batch_op.drop_index(
            "ix_outbox_emails_dead", sqlite_where=sa.text("dead"), postgresql_where=sa.text("dead")
        )
        batch_op.drop_column("message_hash")
        batch_op.drop_column("recipient_key")

    with op.batch_alter_table("newsroom", schema=None) as batch_op:
        batch_op.drop_column("colours")
        batch_op.drop_column("banner")

    with op.batch_alter_table("checkouts", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_checkouts_membership_id_memberships"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("uq_checkouts_membership_id_number"), type_="unique")
        batch_op.alter_column("donation_id", existing_type=sa.INTEGER(), nullable=False)
        batch_op.drop_column("membership_id")

    with op.batch_alter_table("audit_records", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_records_tag")

    op.drop_table("staff_members")
    with op.batch_alter_table("sign_ins", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_sign_ins_unsent",
            sqlite_where=sa.text("sent_at IS NULL"),
            postgresql_where=sa.text("sent_at IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_sign_ins_person_id"))
        batch_op.drop_index(batch_op.f("ix_sign_ins_nonce_hash"))
        batch_op.drop_index("ix_sign_ins_expires_at")
        batch_op.drop_index("ix_sign_ins_email_key")

    op.drop_table("sign_ins")
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_index("ix_sessions_person")
        batch_op.drop_index("ix_sessions_expires_at")

    op.drop_table("sessions")
    with op.batch_alter_table("perk_codes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_perk_codes_person_id"))
        batch_op.drop_index(
            "ix_perk_codes_free",
            sqlite_where=sa.text("person_id IS NULL"),
            postgresql_where=sa.text("person_id IS NULL"),
        )

    op.drop_table("perk_codes")
    with op.batch_alter_table("notes", schema=None) as batch_op:
        batch_op.drop_index("ix_notes_person")

    op.drop_table("notes")
    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_memberships_unpaid",
            sqlite_where=sa.text("status = 'pending'"),
            postgresql_where=sa.text("status = 'pending'"),
        )
        batch_op.drop_index(batch_op.f("ix_memberships_stripe_customer_id"))
        batch_op.drop_index(batch_op.f("ix_memberships_plan_id"))
        batch_op.drop_index("ix_memberships_person")
        batch_op.drop_index("ix_memberships_paid_until")
        batch_op.drop_index(
            "ix_memberships_live",
            sqlite_where=sa.text("status IN ('active', 'past_due', 'paused')"),
            postgresql_where=sa.text("status IN ('active', 'past_due', 'paused')"),
        )
        batch_op.drop_index("ix_memberships_failed")
        batch_op.drop_index(
            "ix_memberships_ends_at",
            sqlite_where=sa.text("status IN ('active', 'past_due', 'paused')"),
            postgresql_where=sa.text("status IN ('active', 'past_due', 'paused')"),
        )
        batch_op.drop_index(
            "ix_memberships_double",
            sqlite_where=sa.text("doubled_at IS NOT NULL"),
            postgresql_where=sa.text("doubled_at IS NOT NULL"),
        )

    op.drop_table("memberships")
    with op.batch_alter_table("labels", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_labels_text"))

    op.drop_table("labels")
    with op.batch_alter_table("corrections", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_corrections_open",
            sqlite_where=sa.text("status = 'proposed'"),
            postgresql_where=sa.text("status = 'proposed'"),
        )
        batch_op.drop_index(batch_op.f("ix_corrections_person_id"))

    op.drop_table("corrections")
    with op.batch_alter_table("prices", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_prices_plan_id"))

    op.drop_table("prices")
    with op.batch_alter_table("plan_perks", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_plan_perks_perk_id"))

    op.drop_table("plan_perks")
    op.drop_table("plans")
    op.drop_table("perks")
    op.drop_table("drives")
    op.drop_table("bounces")
