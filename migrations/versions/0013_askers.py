"""Row-level security under citizens' things: each asker sees their own, officers their agency's, jobs everything.

Only the role that serves is bound by it, not the tables' owner: migrations and dumps see everything.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0013"
down_revision: str | Sequence[str] | None = "0012"

_ASKS = "current_setting('loket.asks', true)"
_CASE = f"{_ASKS} IN ('service', 'city', 'citizen:' || citizen_id, 'agency:' || agency)"
_OWN = f"{_ASKS} IN ('service', 'citizen:' || citizen_id)"
_BY_CASE = f"{_ASKS} = 'service' OR EXISTS (SELECT FROM cases WHERE cases.id = case_id)"
_BY_DELIVERY = f"{_ASKS} = 'service' OR EXISTS (SELECT FROM deliveries WHERE deliveries.id = delivery_id)"
# An officer sees the people whose cases they see.
_APPLICANT = "EXISTS (SELECT FROM cases WHERE cases.citizen_id = {})"
# What is visible and changeable; and what may be written. A line of a case is written in one statement with the case,
# which does not see it yet; a message may be for somebody else.
_POLICIES = {
    "cases": (_CASE, _CASE),
    "case_events": (_BY_CASE, "true"),
    "deliveries": (_BY_CASE, "true"),
    "permit_licences": (_BY_CASE, "true"),
    "delivery_attempts": (_BY_DELIVERY, "true"),
    "delivery_actions": (_BY_DELIVERY, "true"),
    "attachments": (f"{_OWN} OR EXISTS (SELECT FROM cases WHERE cases.id = attachments.case_id)", _OWN),
    "idempotency_keys": (_OWN, _OWN),
    "consents": (_OWN, _OWN),
    "messages": (_OWN, "true"),
    "client_grants": (_OWN, _OWN),
    "client_authorizations": (_OWN, _OWN),
    "logout_notices": (_OWN, "true"),
    "identity_checks": (_OWN, _OWN),
    "sessions": (_OWN, _OWN),
    "credentials": (_OWN, _OWN),
    "contacts": (f"{_OWN} OR {_APPLICANT.format('contacts.citizen_id')}", _OWN),
    "citizens": (
        f"{_ASKS} IN ('service', 'citizen:' || id) OR {_APPLICANT.format('citizens.id')}",
        f"{_ASKS} IN ('service', 'citizen:' || id)",
    ),
}


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    for table, (seen, written) in _POLICIES.items():
        op.execute(f"CREATE POLICY asker ON {table} USING ({seen}) WITH CHECK ({written})")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
