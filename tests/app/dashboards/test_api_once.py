"""What officers create over the API: ten of one Idempotency-Key at once have one effect and one answer."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from app.assembly import Product
from app.cases.sweep import purge_cases
from app.login.guards import Role
from tests.harness.acting import PERMIT
from tests.harness.cases import hand_in, new_key
from tests.harness.officers import OfficerAtWork, Officers
from tests.harness.people import People
from tests.harness.product import Api
from tests.harness.tables import Tables

TIMES = 10
WHY = "Dicek lewat telepon ke instansi."
NOTES = "/v1/officer/cases/{case}/notes"


class Call(msgspec.Struct, frozen=True):
    """One route: `role` calls it; `effect` counts what it did. Paths, bodies and counts may name the `{case}`, the
    `{lost}` officer, the `{invited}` one and the `{recovery}`."""

    role: Role
    path: str
    body: dict[str, Any]
    effect: str
    status: int = 201


_WORK = "SELECT count(*) FROM case_work WHERE case_id = '{case}' AND kind = "
_AUDIT = "SELECT count(*) FROM audit_rows WHERE actor_id = '{officer}' AND action = "
_EXPORTS = "SELECT count(*) FROM exports WHERE officer_id = '{officer}'"
COUNTER = {"nik": "3571020106909997", "name": "Warga", "birth_date": "1990-06-01", "services": [PERMIT]}
CALLS = {
    "POST /v1/officer/cases/{case_id}/notes": Call(
        "supervisor", NOTES, {"words": "Berkas lengkap."}, f"{_WORK}'note'", 204
    ),
    "POST /v1/officer/cases/{case_id}/questions": Call(
        "supervisor", "/v1/officer/cases/{case}/questions", {"question": "Tinggi tiang?"}, f"{_WORK}'asked'", 204
    ),
    "POST /v1/officer/views": Call(
        "operator",
        "/v1/officer/views",
        {"name": "Terlambat", "filters": {"clock": "late"}},
        "SELECT count(*) FROM officer_views WHERE officer_id = '{officer}'",
        200,
    ),
    "POST /v1/officer/exports": Call("supervisor", "/v1/officer/exports", {"kind": "figures"}, _EXPORTS, 202),
    "POST /v1/officer/audit/exports": Call("auditor", "/v1/officer/audit/exports", {}, _EXPORTS, 202),
    "POST /v1/officer/audit/checks": Call(
        "auditor",
        "/v1/officer/audit/checks",
        {},
        "SELECT count(*) FROM audit_checks WHERE asked_by = '{officer}'",
        202,
    ),
    "POST /v1/officer/backends/{backend}/maintenance": Call(
        "supervisor",
        "/v1/officer/backends/sicantik/maintenance",
        {"ends_at": "2099-12-01T17:00:00Z", "reason": WHY},
        "SELECT count(*) FROM maintenance_windows WHERE officer = '{officer}'",
    ),
    "POST /v1/officer/delegations": Call(
        "operator",
        "/v1/officer/delegations",
        COUNTER,
        "SELECT count(*) FROM delegations WHERE officer_id = '{officer}'",
    ),
    "POST /v1/officer/officers": Call(
        "city_admin",
        "/v1/officer/officers",
        {"name": "once.{mark}", "full_name": "Rina", "role": "operator", "agency": "dlh"},
        "SELECT count(*) FROM officers WHERE created_by = '{officer}'",
    ),
    "POST /v1/officer/officers/{officer_id}/invitation": Call(
        "city_admin", "/v1/officer/officers/{invited}/invitation", {}, f"{_AUDIT}'officer.invited'"
    ),
    "POST /v1/officer/officers/{officer_id}/recovery": Call(
        "city_admin",
        "/v1/officer/officers/{lost}/recovery",
        {"reason": "Ponsel hilang"},
        "SELECT count(*) FROM officer_recoveries WHERE asked_by = '{officer}'",
    ),
    "POST /v1/officer/recoveries/{recovery_id}/approval": Call(
        "city_admin", "/v1/officer/recoveries/{recovery}/approval", {}, f"{_AUDIT}'officer.recovery_approved'"
    ),
}
# What is sent twice here stands where it stood, or is refused as done: at most the record says that it was asked twice.
# A login makes what only its own challenge can, and options for a passkey are good once.
NOTHING_NEW = {
    "POST /v1/officer/audit/subjects",
    "POST /v1/officer/backends/{backend}/breaker",
    "POST /v1/officer/backends/{backend}/pause",
    "POST /v1/officer/backends/{backend}/resume",
    "POST /v1/officer/callbacks/dismiss",
    "POST /v1/officer/cases/assign",
    "POST /v1/officer/cases/search-citizen",
    "POST /v1/officer/cases/{case_id}/refresh",
    "POST /v1/officer/data-requests/{request_id}/places",
    "POST /v1/officer/data-requests/{request_id}/refusal",
    "POST /v1/officer/delegations/{delegation_id}/confirm",
    "POST /v1/officer/deliveries/retry",
    "POST /v1/officer/deliveries/{delivery_id}/resolve",
    "POST /v1/officer/deliveries/{delivery_id}/retry",
    "POST /v1/officer/escalations/seen",
    "POST /v1/officer/jobs/{job_id}/retry",
    "POST /v1/officer/login",
    "POST /v1/officer/login/{challenge_id}",
    "POST /v1/officer/logout",
    "POST /v1/officer/maintenance/{window_id}/end",
    "POST /v1/officer/officers/{officer_id}/disable",
    "POST /v1/officer/passkeys",
    "POST /v1/officer/passkeys/options",
    "POST /v1/officer/recoveries/{recovery_id}/refusal",
    "POST /v1/officer/renew",
}


@pytest.fixture
async def names(officers: Officers, people: People, tables: Tables) -> dict[str, str]:
    """What calls are about."""
    lost, invited, gone, asker = [
        await officers.make(role) for role in ("operator", "operator", "operator", "city_admin")
    ]
    await tables.run("UPDATE officers SET state = 'invited' WHERE id = $1", invited.id)
    asked = await asker.post(f"/v1/officer/officers/{gone.id}/recovery", {"reason": "Ponsel hilang"})
    case = await hand_in(await people.make())
    things = {"case": case["id"], "lost": lost.id, "invited": invited.id, "recovery": asked.json()["id"]}
    return {name: str(thing) for name, thing in things.items()} | {"mark": uuid4().hex[:8]}


@pytest.mark.parametrize("route", CALLS)
async def test_ten_at_once_are_one(officers: Officers, tables: Tables, names: dict[str, str], route: str) -> None:
    call = CALLS[route]
    officer = await officers.make(call.role)
    known = {**names, "officer": str(officer.id)}
    path, effect = call.path.format(**known), call.effect.format(**known)
    body = {name: each.format(**known) if isinstance(each, str) else each for name, each in call.body.items()}
    missing = await officer.client.post(path, json=body)
    assert (missing.status_code, missing.json()["code"]) == (400, "idempotency_key_missing")
    assert await tables.value(effect) == 0

    key = new_key()
    answers = await asyncio.gather(*(officer.post(path, body, key=key) for _ in range(TIMES)))
    done = [answer for answer in answers if answer.status_code == call.status]
    others = [answer for answer in answers if answer.status_code != call.status]
    assert [each for each in done if "idempotency-replayed" not in each.headers], [each.text for each in others]
    assert {(each.status_code, each.json()["code"]) for each in others} <= {(409, "idempotency_key_in_use")}
    assert all(int(each.headers["retry-after"]) > 0 for each in others)
    assert await tables.value(effect) == 1

    again = await officer.post(path, body, key=key)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (call.status, "true")
    assert {each.content for each in done} == {again.content}
    assert await tables.value(effect) == 1
    await tables.run("DELETE FROM maintenance_windows")


async def test_every_post_of_officers_takes_a_key_or_creates_nothing(api: Api) -> None:
    async with api.client() as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    keyed: set[str] = set()
    others: set[str] = set()
    for path, operations in paths.items():
        if not path.startswith("/v1/officer/") or "post" not in operations:
            continue
        parameters = operations["post"].get("parameters", [])
        needed = any(each.get("name") == "Idempotency-Key" and each["required"] for each in parameters)
        (keyed if needed else others).add(f"POST {path}")
    assert keyed == set(CALLS)
    assert others == NOTHING_NEW


async def test_a_key_is_its_officers_and_its_requests(
    officers: Officers, tables: Tables, names: dict[str, str], product: Product
) -> None:
    one, other = await officers.make("supervisor"), await officers.make("supervisor")
    path, key, note = NOTES.format(**names), new_key(), {"words": "Berkas lengkap."}
    assert [(await each.post(path, note, key=key)).status_code for each in (one, other)] == [204, 204]
    assert await tables.value(_WORK.format(**names) + "'note'") == 2
    for refused in (
        await one.post(path, {"words": "Denah menyusul."}, key=key),
        await one.post("/v1/officer/exports", {"kind": "figures"}, key=key),
    ):
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert (await one.post(path, note, key="x")).json()["code"] == "idempotency_key_invalid"
    # Kept for more than seven days, and not for ever.
    for days, left in ((7, 1), (9, 0)):
        await tables.run("UPDATE officer_keys SET created_at = now() - $1 * interval '1 day'", days)
        await purge_cases(product.cases)
        assert await tables.value("SELECT count(*) FROM officer_keys WHERE officer_id = $1", one.id) == left


async def test_a_refused_call_leaves_its_key_free(officers: Officers, names: dict[str, str], tables: Tables) -> None:
    operator = await officers.make("operator")
    path, key, note = NOTES.format(**names), new_key(), {"words": "Berkas lengkap."}
    assert (await operator.post(path, note, key=key)).json()["code"] == "case_not_yours"
    await tables.run("UPDATE cases SET assignee_id = $2 WHERE id = $1", UUID(names["case"]), operator.id)
    assert (await operator.post(path, note, key=key)).status_code == 204


async def test_an_invitation_is_kept_sealed(officers: Officers, tables: Tables) -> None:
    admin: OfficerAtWork = await officers.make("city_admin")
    wanted = {"name": f"sealed.{uuid4().hex[:8]}", "full_name": "Rina", "role": "operator", "agency": "dlh"}
    made = (await admin.post("/v1/officer/officers", wanted)).json()
    kept = await tables.value("SELECT body_enc FROM officer_keys WHERE officer_id = $1", admin.id)
    assert made["invitation"].encode() not in kept
