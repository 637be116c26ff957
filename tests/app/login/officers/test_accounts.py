"""Officers' accounts: who may add, see and disable whom; enrolment with an invitation; recovery with four eyes."""

import re
from typing import Any

import pyotp
import pytest

from tests.harness.officer_login import Pages, answer, challenge
from tests.harness.officers import PASSWORD, OfficerAtWork, Officers
from tests.harness.product import Api
from tests.harness.tables import Tables

ALL = "/v1/officer/officers"


def wanted(name: str, role: str = "operator", agency: str | None = "dlh", **more: Any) -> dict[str, Any]:
    return {"name": name, "full_name": "Rina Kartika", "role": role, "agency": agency, **more}


async def _enrol(api: Api, invitation: str, password: str) -> tuple[int, str]:
    """Through the pages, with an authenticator that is not ours; the last status and the secret."""
    pages = Pages(api.url)
    await pages.get("/dashboard/enrolment")
    shown = await pages.send("/dashboard/enrolment", {"invitation": invitation.upper().replace("-", " ")})
    found = re.search(r"<code>([A-Z2-7]{32})</code>", shown.text)
    if shown.status_code != 200 or not found:
        await pages.close()
        return shown.status_code, ""
    assert shown.text.count("<svg") == 1
    filled = {"invitation": pages.hidden("invitation"), "password": password, "code": pyotp.TOTP(found[1]).now()}
    done = await pages.send("/dashboard/enrolment/complete", filled)
    await pages.close()
    return done.status_code, found[1]


async def test_added_enrolled_logged_in(api: Api, officers: Officers) -> None:
    admin = await officers.make("city_admin")
    made = await admin.post(ALL, wanted("rina.dlh", phone="0812-9000-7001"))
    assert made.status_code == 201
    assert (await admin.post(ALL, wanted("rina.dlh"))).json()["code"] == "officer_name_taken"
    word = made.json()["invitation"]
    assert (await _enrol(api, word, "RinaKartika2026"))[0] == 422, "her own name"
    status, secret = await _enrol(api, word, "selembar-daun-hijau-9")
    assert status == 303
    assert (await _enrol(api, word, "selembar-daun-hijau-9"))[0] == 422, "an invitation works once"
    async with api.client() as client:
        asked = await challenge(client, "Rina.DLH ", "selembar-daun-hijau-9")
        async with Tables(api.settings.database_url) as tables:
            # The code that completed the enrolment is used.
            step = await tables.value("SELECT totp_step FROM officers WHERE name = 'rina.dlh'")
            used = pyotp.TOTP(secret).at(step * 30)
            assert (await answer(client, asked.json()["challenge_id"], used)).json()["code"] == "code_wrong"
            await tables.run("UPDATE officers SET totp_step = totp_step - 9 WHERE name = 'rina.dlh'")
        assert (await answer(client, asked.json()["challenge_id"], pyotp.TOTP(secret).now())).status_code == 201


async def test_an_invitation_ends_and_can_be_made_anew(api: Api, officers: Officers) -> None:
    admin = await officers.make("city_admin")
    made = (await admin.post(ALL, wanted("late.dlh"))).json()
    async with Tables(api.settings.database_url) as tables:
        await tables.run("UPDATE officers SET invited_until = now() WHERE id = $1", made["id"])
    assert (await _enrol(api, made["invitation"], PASSWORD))[0] == 422
    again = await admin.post(f"{ALL}/{made['id']}/invitation")
    assert again.status_code == 201
    assert (await _enrol(api, again.json()["invitation"], PASSWORD))[0] == 303
    assert (await admin.post(f"{ALL}/{made['id']}/invitation")).json()["code"] == "officer_not_invited"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (wanted("x.y.z", "city_admin", "dlh"), "agency_not_of_role"),
        (wanted("x.y.z", "operator", None), "agency_not_of_role"),
        (wanted("x.y.z", agency="dinas-sihir"), "agency_unknown"),
        (wanted("x.y.z", phone="12345678901"), "phone_invalid"),
        (wanted("X Y"), "pattern"),
        (wanted("x.y.z", "root"), "enum"),
        (wanted("x.y.z", state="active"), "unknown_field"),
    ],
)
async def test_what_cannot_be_is_refused(officers: Officers, body: dict[str, Any], field: str) -> None:
    admin = await officers.make("city_admin")
    refused = await admin.post(ALL, body)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["code"] == field


async def test_a_head_rules_their_own_agency_alone(officers: Officers) -> None:
    head, supervisor = await officers.make("agency_head", "dlh"), await officers.make("supervisor", "dlh")
    other, deputy = await officers.make("operator", "dinkes"), await officers.make("agency_head", "dlh")
    made = await head.post(ALL, wanted("own.dlh"))
    assert made.status_code == 201
    for body in (wanted("a.b.c", agency="dinkes"), wanted("a.b.c", "agency_head"), wanted("a.b.c", "auditor", None)):
        assert (await head.post(ALL, body)).status_code == 403
    assert (await supervisor.post(ALL, wanted("a.b.c"))).status_code == 403
    for officer, found in ((other, 404), (deputy, 404), (supervisor, 204)):
        assert (await head.post(f"{ALL}/{officer.id}/disable")).status_code == found
    assert (await head.post(f"{ALL}/{made.json()['id']}/disable")).status_code == 204
    assert (await supervisor.get("/v1/officer/me")).json()["code"] == "session_revoked"


async def test_lists_are_within_the_agency(officers: Officers) -> None:
    head, admin = await officers.make("agency_head", "dindik"), await officers.make("city_admin")
    mates = {(await officers.make("operator", "dindik")).name for _ in range(3)} | {head.name}
    assert {row["name"] for row in await _listed(head)} == mates
    assert {row["agency"] for row in await _listed(head)} == {"dindik"}
    everybody = await _listed(admin)
    assert {row["agency"] for row in everybody} > {"dindik", None}
    assert [row["name"] for row in everybody] == sorted(row["name"] for row in everybody)


async def test_nobody_disables_themselves(officers: Officers) -> None:
    admin = await officers.make("city_admin")
    assert (await admin.post(f"{ALL}/{admin.id}/disable")).json()["code"] == "own_account"


async def test_recovery_takes_four_eyes(api: Api, officers: Officers) -> None:
    lost, first, second = await officers.make(), await officers.make("city_admin"), await officers.make("city_admin")
    asked = await first.post(f"{ALL}/{lost.id}/recovery", {"reason": "Ponsel hilang"})
    assert asked.status_code == 201
    assert (await second.post(f"{ALL}/{lost.id}/recovery", {"reason": "Sekali lagi"})).json()[
        "code"
    ] == "recovery_waiting"
    assert [row["officer"] for row in (await second.get("/v1/officer/recoveries")).json()["items"]] == [lost.name]
    approval = f"/v1/officer/recoveries/{asked.json()['id']}/approval"
    assert (await first.post(approval)).json()["code"] == "four_eyes"
    assert (await lost.get("/v1/officer/me")).status_code == 200, "nothing happened yet"
    invitation = await second.post(approval)
    assert invitation.status_code == 201
    assert (await lost.get("/v1/officer/me")).json()["code"] == "session_revoked"
    assert (await second.post(approval)).status_code == 404
    async with api.client() as client:
        asked = await challenge(client, lost.name)
        assert (await answer(client, asked.json()["challenge_id"], "000000")).json()["code"] == "code_wrong"
    assert (await _enrol(api, invitation.json()["invitation"], "tiga-kapal-kertas-4"))[0] == 303
    async with Tables(api.settings.database_url) as tables:
        told = await tables.rows(
            "SELECT action, actor_id FROM audit_rows WHERE object_id = $1 ORDER BY id", str(lost.id)
        )
    assert [(row["action"], row["actor_id"]) for row in told] == [
        ("officer.recovery_asked", str(first.id)),
        ("officer.recovery_approved", str(second.id)),
        ("officer.enrolled", str(lost.id)),
    ]


async def test_nobody_recovers_themselves(officers: Officers) -> None:
    first, second = await officers.make("city_admin"), await officers.make("city_admin")
    own = await first.post(f"{ALL}/{first.id}/recovery", {"reason": "Ponsel hilang"})
    assert own.json()["code"] == "own_account"
    asked = await second.post(f"{ALL}/{first.id}/recovery", {"reason": "Ponsel hilang"})
    refusal = f"/v1/officer/recoveries/{asked.json()['id']}"
    assert (await first.post(f"{refusal}/approval")).json()["code"] == "four_eyes"
    assert (await first.post(f"{refusal}/refusal")).json()["code"] == "four_eyes"


async def test_the_officer_is_told(api: Api, officers: Officers) -> None:
    first, second = await officers.make("city_admin"), await officers.make("city_admin")
    made = (await first.post(ALL, wanted("told.dlh", phone="0812-9000-7002"))).json()
    assert (await _enrol(api, made["invitation"], PASSWORD))[0] == 303
    async with Tables(api.settings.database_url) as tables:
        before = await tables.value("SELECT count(*) FROM outgoing_messages")
        asked = await first.post(f"{ALL}/{made['id']}/recovery", {"reason": "Ponsel hilang"})
        assert (await second.post(f"/v1/officer/recoveries/{asked.json()['id']}/refusal")).status_code == 204
        assert await tables.value("SELECT count(*) FROM outgoing_messages") == before + 2
        assert await tables.value("SELECT state FROM officers WHERE id = $1", made["id"]) == "active"


async def _listed(officer: OfficerAtWork) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        told = (await officer.get(ALL, limit="7", **cursor)).json()
        found += told["items"]
        if not told["next_cursor"]:
            return found
        cursor = {"cursor": told["next_cursor"]}
