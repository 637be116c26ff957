"""Which references an agency gave when: what bounds the search for a registration whose answer was lost."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0019"
down_revision: str | Sequence[str] | None = "0018"


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.create_index(
        "ix_deliveries_given",
        "deliveries",
        ["backend", "finished_at"],
        unique=False,
        postgresql_where=sa.text("operation = 'submit' AND state = 'delivered'"),
    )
    op.drop_index("ix_cases_linked", table_name="cases")
