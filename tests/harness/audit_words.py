"""Keys in the audit that nobody wrote words for, looked for in the rows of every test module's database: so that what
code puts together, or a statement writes by itself, is seen as well. Citizens read those about them, auditors all."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.manifest import service_manifests
from app.texts import has_text, load_texts, text_roots
from tests.harness.tables import Tables

WORDS = ("action", "object", "purpose", "basis", "field")
# What an application was registered for, and under which law, its officers wrote; so they do the reason for what they
# do to no citizen. Tests write what they like.
_ROWS = """
SELECT DISTINCT action, object_kind, fields,
    CASE WHEN actor_kind = 'client' OR subject_id IS NULL THEN 'login' ELSE purpose END AS purpose,
    CASE WHEN actor_kind = 'client' THEN '' ELSE legal_basis END AS legal_basis
FROM audit_rows WHERE request_id <> ''
"""


def wordless(row: Mapping[str, Any], services: set[str]) -> list[str]:
    """The keys of one row that have none. A service's title is what a purpose named after it says."""
    keys = [f"audit.action.{row['action']}", f"audit.object.{row['object_kind']}", f"audit.basis.{row['legal_basis']}"]
    keys += [f"audit.field.{field}" for field in row["fields"]]
    if row["purpose"] not in services:
        keys.append(f"audit.purpose.{row['purpose']}")
    return [key for key in keys if not has_text(key)]


def keys_without_words(url: str) -> Sequence[str]:
    """All of a database's. What tests wrote by hand has no request."""
    load_texts(*text_roots())
    services = {service.slug for manifest in service_manifests().values() for service in manifest.service}

    async def rows() -> list[dict[str, Any]]:
        async with Tables(url) as tables:
            await tables.connection.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=json.loads)
            return await tables.rows(_ROWS)

    return sorted({key for row in asyncio.run(rows()) for key in wordless(row, services)})
