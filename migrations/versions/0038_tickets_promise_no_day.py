"""Queue tickets were due on the day they were taken: late, and told so, before the visit they are for."""

from collections.abc import Sequence

from alembic import op

revision: str = "0038"
down_revision: str | Sequence[str] | None = "0037"

# What has ended stays as it was; the words are the index's.
_RELEASE = """
UPDATE cases SET due_on = NULL
WHERE submitted_at IS NOT NULL AND status IN ('submitted', 'in_review', 'needs_citizen') AND due_on IS NOT NULL
    AND service IN ('puskesmas-queue-ticket', 'hospital-queue-ticket')
"""
_SETTLE = """
UPDATE case_escalations SET seen_at = now() FROM cases
WHERE cases.id = case_id AND seen_at IS NULL AND service IN ('puskesmas-queue-ticket', 'hospital-queue-ticket')
"""


def upgrade() -> None:
    op.execute(_RELEASE)
    op.execute(_SETTLE)
