"""What an officer still has to do, of all that was ever theirs: an index of its own."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0036"
down_revision: str | Sequence[str] | None = "0035"

_OPEN = "submitted_at IS NOT NULL AND status IN ('submitted', 'in_review', 'needs_citizen')"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # One that was broken off is there, and is of no use.
        op.drop_index("ix_cases_open_assigned", "cases", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            "ix_cases_open_assigned",
            "cases",
            ["assignee_id", sa.text("id DESC")],
            postgresql_where=sa.text(f"assignee_id IS NOT NULL AND {_OPEN}"),
            postgresql_concurrently=True,
        )
