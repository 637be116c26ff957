"""What stands under the index key is known, all of it: `loket keys rotate-index` makes anew what it knows of."""

import ast

import asyncpg
import pytest

from app.database import driver_url
from app.reindexing import KINDS
from tests.harness.source import sources

# Binary, and neither encrypted nor made with the index key.
OTHERS = {
    "of the bytes of a file, or of words that everybody may read": [
        "attachments.sha256",
        "audit_checks.anchored_digest",
        "audit_links.digest",
        "consent_wordings.digest",
        "data_copies.sha256",
    ],
    "of a secret of many random bits": [
        "browser_logins.token_hash",
        "client_authorizations.code_hash",
        "client_tokens.token_hash",
        "clients.secret_hash",
        "national_logins.browser_hash",
        "national_logins.exchange_hash",
        "national_logins.state_hash",
        "officer_sessions.cookie_hash",
        "officers.invitation_hash",
        "refresh_tokens.token_hash",
    ],
    "of a request or a callback as it came": [
        "callback_receipts.digest",
        "client_assertions.jti_hash",
        "idempotency_keys.fingerprint",
        "officer_forms.digest",
        "officer_keys.fingerprint",
        "stray_callbacks.digest",
    ],
    "with the names key": ["national_links.subject_index"],
    "public": [
        "officer_passkeys.credential_id",
        "officer_passkeys.public_key",
        "passkeys.credential_id",
        "passkeys.public_key",
    ],
    "the job engine's": ["pgqueuer.payload"],
}
_BINARY = """
SELECT table_name || '.' || column_name AS place FROM information_schema.columns
WHERE table_schema = 'public' AND data_type = 'bytea' AND column_name NOT LIKE '%\\_enc'
"""
# Looks for what stands, under kinds that others wrote.
LOOKS = {"app/rights/subjects.py"}


async def test_every_binary_column_is_encrypted_rotated_or_no_matter(postgres_url: str) -> None:
    """A new one is written down in app/reindexing.py where it is made with the index key, or above where it is not."""
    connection = await asyncpg.connect(driver_url(postgres_url))
    try:
        found = {row["place"] for row in await connection.fetch(_BINARY)}
    finally:
        await connection.close()
    rotated = {place for places in KINDS.values() for place in places}
    others = {place for places in OTHERS.values() for place in places}
    assert not rotated & others
    assert found == rotated | others


@pytest.mark.tree
def test_every_kind_of_digest_is_rotated_or_stands_nowhere() -> None:
    """A new kind of `vault.index(...)` is written down in app/reindexing.py, with where it stands."""
    kinds, unnamed = set(), set()
    for source in sources("app", "services", "integrations"):
        for call in ast.walk(source.tree):
            if isinstance(call, ast.Call) and _is_index(call.func):
                kind = call.args[0]
                if isinstance(kind, ast.Constant):
                    kinds.add(kind.value)
                else:
                    unnamed.add(source.place)
    assert kinds == set(KINDS)
    assert unnamed == LOOKS


def _is_index(called: ast.expr) -> bool:
    return isinstance(called, ast.Attribute) and called.attr == "index" and ast.unparse(called.value).endswith("vault")
