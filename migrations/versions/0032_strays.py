"""What systems told of nothing of ours is counted for officers: found without reading what was of ours."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0032"
down_revision: str | Sequence[str] | None = "0031"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_callback_receipts_strays",
            table_name="callback_receipts",
            if_exists=True,
            postgresql_concurrently=True,
        )
        op.create_index(
            "ix_callback_receipts_strays",
            "callback_receipts",
            ["backend"],
            postgresql_where=sa.text("outcome = 'unknown'"),
            postgresql_concurrently=True,
        )
