"""The words of each consent, kept when they are first used: what was agreed to can be shown after they changed."""

import hashlib

import msgspec

from app.catalog.catalog import Catalog
from app.database import Connection
from app.manifest import ConsentWording, ManifestError

_KEEP = """
INSERT INTO consent_wordings (purpose, version, words_id, words_en, digest) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (purpose, version) DO NOTHING
"""
_KEPT = "SELECT digest FROM consent_wordings WHERE purpose = $1 AND version = $2"


def digest_of(wording: ConsentWording) -> bytes:
    """SHA-256 over purpose, version and the words in both languages, as a JSON array."""
    told = (wording.purpose, wording.version, wording.text.id, wording.text.en)
    return hashlib.sha256(msgspec.json.encode(told)).digest()


async def keep_wordings(connection: Connection, catalog: Catalog) -> None:
    """Keep the present words. Raises ManifestError where a version has other words than it had: nobody agreed to
    those; they are another version."""
    for wording in catalog.consents.values():
        digest = digest_of(wording)
        await connection.execute(_KEEP, wording.purpose, wording.version, wording.text.id, wording.text.en, digest)
        if await connection.fetchval(_KEPT, wording.purpose, wording.version) != digest:
            raise ManifestError(f"consent {wording.purpose!r}: its words changed, so its version must")
