"""How a delivery ended is said by two officers: the first one's word is an action of its own."""

from collections.abc import Sequence

from alembic import op

revision: str = "0027"
down_revision: str | Sequence[str] | None = "0026"


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute("ALTER TABLE delivery_actions DROP CONSTRAINT ck_delivery_actions_action")
    op.execute(
        "ALTER TABLE delivery_actions ADD CONSTRAINT ck_delivery_actions_action CHECK (action IN "
        "('retry', 'send_again', 'propose_delivered', 'propose_rejected', 'delivered', 'rejected'))"
    )
