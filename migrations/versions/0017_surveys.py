"""Answers to the satisfaction survey, nine for a case."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0017"
down_revision: str | Sequence[str] | None = "0016"

_COLUMNS = tuple(f"u{number}" for number in range(1, 10))


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.create_table(
        "surveys",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        *(sa.Column(column, sa.SmallInteger(), nullable=False) for column in _COLUMNS),
        *(sa.CheckConstraint(f"{column} BETWEEN 1 AND 4", name=op.f(f"ck_surveys_{column}")) for column in _COLUMNS),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_surveys_case_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_surveys")),
    )
    # An officer never sees a row: whose answers they are is nobody's business but the citizen's.
    asks = "current_setting('loket.asks', true)"
    own = f"EXISTS (SELECT FROM cases WHERE cases.id = case_id AND {asks} = 'citizen:' || citizen_id)"
    seen = f"{asks} = 'service' OR {own}"
    op.execute(f"CREATE POLICY asker ON surveys USING ({seen}) WITH CHECK ({seen})")
    op.execute("ALTER TABLE surveys ENABLE ROW LEVEL SECURITY")
