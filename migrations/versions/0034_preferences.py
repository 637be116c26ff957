"""How citizens want to hear of their cases: channels, quiet hours, one digest a day."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0034"
down_revision: str | Sequence[str] | None = "0033"

_OWN = "current_setting('loket.asks', true) IN ('service', 'citizen:' || citizen_id)"
_STATES = "state in ('queued', 'sending', 'sent', 'carried', 'failed', 'unknown', 'discarded')"


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.create_table(
        "preferences",
        sa.Column("citizen_id", sa.Uuid(), nullable=False),
        sa.Column("channels", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("quiet_from", sa.Time(), nullable=True),
        sa.Column("quiet_until", sa.Time(), nullable=True),
        sa.Column("digest_at", sa.Time(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(quiet_from is null) = (quiet_until is null)", name=op.f("ck_preferences_quiet")),
        sa.ForeignKeyConstraint(
            ["citizen_id"], ["citizens.id"], name=op.f("fk_preferences_citizen_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("citizen_id", name=op.f("pk_preferences")),
    )
    op.execute(f"CREATE POLICY asker ON preferences USING ({_OWN}) WITH CHECK ({_OWN})")
    op.execute("ALTER TABLE preferences ENABLE ROW LEVEL SECURITY")
    op.add_column("outgoing_messages", sa.Column("carries", sa.ARRAY(sa.Uuid()), server_default="{}", nullable=False))
    op.drop_constraint(op.f("ck_outgoing_messages_state"), "outgoing_messages", type_="check")
    op.create_check_constraint(op.f("ck_outgoing_messages_state"), "outgoing_messages", _STATES)
