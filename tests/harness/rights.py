"""Asking for one's rights, and following what was asked; and a citizen who has used all of the product."""

import asyncio
from typing import Any

from tests.harness.cases import SERVICE, hand_in, is_delivered, new_key, send_pdf, until
from tests.harness.people import Citizen
from tests.harness.tables import Tables

PATIENCE_S = 60.0
_PASSKEY = """
INSERT INTO passkeys (id, citizen_id, credential_id, public_key, sign_count, backed_up)
VALUES (gen_random_uuid(), $1, gen_random_uuid()::text::bytea, '\\x01', 0, false)
"""
_GRANT = """
WITH client AS (
    INSERT INTO clients (id, name, agency, purpose_id, purpose_en, sector, scopes, redirect_uris, post_logout_uris,
        auth_method, public_keys)
    VALUES ('rights-' || gen_random_uuid(), 'Portal', 'dinkes', 'a', 'b', 'x.example', '["openid"]', '[]', '[]',
        'private_key_jwt', '[]') RETURNING id
)
INSERT INTO client_grants (id, citizen_id, client_id, scopes) SELECT gen_random_uuid(), $1, id, '["openid"]' FROM client
"""


async def ask(citizen: Citizen, kind: str, body: object | None = None) -> dict[str, Any]:
    """A request taken in; as the API shows it."""
    headers = {"Idempotency-Key": new_key()}
    answer = await citizen.client.post(f"/v1/me/data/{kind}", headers=headers, json=body)
    assert answer.status_code == 202, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def ended(citizen: Citizen, request: dict[str, Any], *states: str) -> dict[str, Any]:
    """The request once it is in one of `states` (done)."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = await citizen.get(f"/v1/me/data/requests/{request['id']}")
            assert answer.status_code == 200, answer.text
            shown: dict[str, Any] = answer.json()
            if shown["state"] in (states or ("done",)):
                return shown
            await asyncio.sleep(0.1)


async def uses_everything(citizen: Citizen, tables: Tables) -> dict[str, Any]:
    """Cases handed in, answered for, drafted and rated, files, consents, devices, codes, messages; the case."""
    case = await hand_in(citizen)
    await until(citizen, case["id"], is_delivered, timeout_s=PATIENCE_S)
    await citizen.post(
        "/v1/cases", {"service": SERVICE, "form": {"purpose": "Kerupuk rahasia"}, "draft": True}, new_key()
    )
    await send_pdf(citizen)
    await citizen.post("/v1/me/consents", {"purpose": "health-membership", "version": 1})
    await citizen.post("/v1/me/step-up/options", {"method": "otp"})
    await tables.run(_PASSKEY, citizen.id)
    await tables.run(_GRANT, citizen.id)
    await tables.run("UPDATE cases SET status = 'completed', next_refresh_at = NULL WHERE id::text = $1", case["id"])
    rated = await citizen.post(f"/v1/cases/{case['id']}/rating", {"score": 5, "comment": "Ramah sekali"})
    assert rated.status_code == 200, rated.text
    return case
