"""The city's view over HTTP: agencies side by side, and services by what really happened to them."""

import csv
import io
from datetime import date
from typing import Any
from uuid import UUID

import msgspec
import pytest

from app.assembly import Product
from app.dashboards.city.evidence import Facts, measure_services
from app.dashboards.city.maturity import LEAST_ANSWERS, level_of, levels_of
from tests.harness.cases import SERVICE, hand_in
from tests.harness.officers import OfficerAtWork, Officers
from tests.harness.people import People
from tests.harness.tables import Tables

CITY = "/v1/officer/city"
WHOLE = Facts(
    opened=1,
    handed_in=1,
    delivered=1,
    moved=1,
    ended=1,
    checked=1,
    versions=2,
    surveyed=LEAST_ANSWERS,
    published=True,
)
_CLIENT = """
INSERT INTO clients (id, name, agency, purpose_id, purpose_en, sector, scopes, redirect_uris, post_logout_uris,
    auth_method, public_keys) VALUES ($1, $1, $2, 'x', 'x', 'x', '[]', '[]', '[]', 'private_key_jwt', '[]')
"""
_GIVEN = """
INSERT INTO audit_rows (actor_kind, actor_id, action, subject_id, object_kind, object_id, purpose, legal_basis, fields)
VALUES ('client', $1, 'citizen.read', $2, 'citizen', '', 'x', 'consent', $3::jsonb)
"""


async def maturity(officer: OfficerAtWork, service: str = SERVICE) -> dict[str, Any]:
    answer = await officer.get(f"{CITY}/services/{service}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def shares(officer: OfficerAtWork) -> dict[str, int]:
    """What is told of working with other agencies."""
    return {each["fact"]: each["count"] for each in (await maturity(officer))["levels"][3]["evidence"]}


def test_a_level_is_reached_with_all_of_its_evidence_and_every_level_below() -> None:
    assert level_of(levels_of(WHOLE, "id")) == 5
    lost = {
        "published": 0,
        "opened": 1,
        "moved": 2,
        "ended": 2,
        "delivered": 2,
        "checked": 3,
        "versions": 4,
    }
    for fact, reached in lost.items():
        without = msgspec.structs.replace(WHOLE, **{fact: fact == "nothing"})
        assert level_of(levels_of(without, "id")) == reached, fact
    assert level_of(levels_of(msgspec.structs.replace(WHOLE, surveyed=LEAST_ANSWERS - 1), "en")) == 4


@pytest.mark.parametrize(("fact", "reached"), [("checked", 5), ("across", 5), ("shared", 3)])
def test_a_service_works_with_another_agency_in_one_way_or_another(fact: str, reached: int) -> None:
    """What citizens share with other agencies is told, and no level rests on it."""
    alone = msgspec.structs.replace(WHOLE, checked=0)
    levels = levels_of(msgspec.structs.replace(alone, **{fact: 1}), "en")
    assert level_of(levels) == reached
    assert {each.fact: each.count for each in levels[3].evidence}[fact] == 1


async def test_a_service_climbs_by_what_happens_to_its_cases(
    officers: Officers, people: People, tables: Tables, product: Product
) -> None:
    officer = await officers.make("city_admin", language="en")
    assert (await maturity(officer))["measured_at"] is None
    await measure_services(product.database, product.cases.systems)
    assert (await maturity(officer))["level"] == 1
    citizen = await people.make()
    case = await hand_in(citizen)
    await measure_services(product.database, product.cases.systems)
    told = await maturity(officer)
    assert (told["level"], told["meets_bar"]) == (2, False)
    moved = "UPDATE cases SET status = 'completed', agency_reference = $2, delivery_state = 'delivered' WHERE id = $1"
    await tables.run(moved, UUID(case["id"]), "0000911201112026")
    await measure_services(product.database, product.cases.systems)
    told = await maturity(officer)
    assert (told["level"], told["meets_bar"]) == (3, True)
    evidence = {each["fact"]: each["count"] for level in told["levels"] for each in level["evidence"]}
    assert evidence["handed_in"] == evidence["delivered"] == evidence["moved"] == evidence["ended"] == 1
    await tables.run(
        "INSERT INTO identity_checks (citizen_id, standing) VALUES ($1, 'matched') ON CONFLICT (citizen_id) "
        "DO UPDATE SET standing = 'matched'",
        citizen.id,
    )
    await tables.run(
        "INSERT INTO audit_rows (actor_kind, actor_id, action, subject_id, object_kind, object_id, purpose, "
        "legal_basis) VALUES ('job', 'test', 'identity.compare', $1, 'citizen', '', 'x', 'uu-27-2022')",
        citizen.id,
    )
    await measure_services(product.database, product.cases.systems)
    assert (await maturity(officer))["level"] == 4
    systems = {
        name: msgspec.structs.replace(each, agency="dinkes") if name == "sicantik" else each
        for name, each in product.cases.systems.items()
    }
    for client, agency, given in (("own", "dpmptsp", '["name"]'), ("nameless", "dinsos", "[]")):
        await tables.run(_CLIENT, client, agency)
        await tables.run(_GIVEN, client, citizen.id, given)
    await measure_services(product.database, systems)
    assert await shares(officer) == {"checked": 1, "across": 1, "shared": 0}
    await tables.run(_CLIENT, "other", "dinsos")
    await tables.run(_GIVEN, "other", citizen.id, '["name"]')
    await measure_services(product.database, product.cases.systems)
    assert await shares(officer) == {"checked": 1, "across": 0, "shared": 1}
    await tables.run("UPDATE cases SET created_at = now() - interval '91 days' WHERE id = $1", UUID(case["id"]))
    await measure_services(product.database, product.cases.systems)
    assert (await maturity(officer))["level"] == 1


async def test_agencies_stand_side_by_side(officers: Officers, tables: Tables) -> None:
    cells = [
        ("month", "handed_in", "", 10),
        ("month", "ended", "completed", 6),
        ("month", "ended", "rejected", 2),
        ("month", "on_time", "yes", 6),
        ("month", "on_time", "no", 2),
        ("month", "score", "5", 3),
        ("month", "score", "2", 1),
        ("day", "open", "2020-01-01", 1),
        ("day", "open", "2099-01-01", 2),
        ("day", "open", "", 4),
    ]
    for grain, measure, value, count in cells:
        await tables.run(
            "INSERT INTO figure_cells (grain, starts_on, agency, service, measure, value, count) "
            "VALUES ($1, date_trunc('month', now())::date, 'dpmptsp', '', $2, $3, $4)",
            grain,
            measure,
            value,
            count,
        )
    auditor = await officers.make("auditor")
    items = (await auditor.get(f"{CITY}/agencies")).json()["items"]
    [permits] = [each for each in items if each["id"] == "dpmptsp"]
    seen = {name: permits[name] for name in ("handed_in", "ended", "on_time", "rating", "open", "late", "index")}
    assert seen == {"handed_in": 10, "ended": 8, "on_time": 0.75, "rating": 4.25, "open": 7, "late": 1, "index": None}
    assert permits["systems"] == 1
    assert len({each["id"] for each in items}) == len(items) > 3


async def test_the_city_chooses_weeks_and_months(officers: Officers, tables: Tables) -> None:
    for grain, start, count in (("month", "2024-01-01", 5), ("month", "2024-03-01", 7), ("week", "2024-03-04", 2)):
        await tables.run(
            "INSERT INTO figure_cells (grain, starts_on, agency, service, measure, value, count) "
            "VALUES ($1, $2, 'dinkes', '', 'handed_in', '', $3)",
            grain,
            date.fromisoformat(start),
            count,
        )
    auditor = await officers.make("auditor")

    async def handed_in(**asked: str) -> tuple[str, str, int]:
        answer = await auditor.get(f"{CITY}/agencies", **asked)
        told = answer.json()
        [health] = [each for each in told["items"] if each["id"] == "dinkes"]
        return told["since"], told["until"], health["handed_in"]

    assert await handed_in(until="2024-03-20") == ("2024-01-01", "2024-03-31", 12)
    assert await handed_in(until="2024-03-20", periods="1") == ("2024-03-01", "2024-03-31", 7)
    assert await handed_in(until="2024-03-10", grain="week", periods="2") == ("2024-02-26", "2024-03-10", 2)
    refused = await auditor.get(f"{CITY}/agencies", until="2024-13-01")
    assert (refused.status_code, refused.json()["code"]) == (400, "parameter_invalid")


async def test_the_register_has_the_names_of_sia_spbe(officers: Officers) -> None:
    admin = await officers.make("city_admin")
    rows = (await admin.get(f"{CITY}/register")).json()["items"]
    file = await admin.get(f"{CITY}/register/csv")
    table = list(csv.DictReader(io.StringIO(file.content.decode("utf-8-sig"))))
    assert table == rows
    assert {"ID", "Tujuan", "Fungsi", "Unit Pelaksana", "Mitigasi Risiko"} <= set(rows[0])
    assert SERVICE in {row["ID"] for row in rows}


@pytest.mark.parametrize("role", ["operator", "supervisor", "agency_head"])
async def test_only_the_citys_own(officers: Officers, role: Any) -> None:
    officer = await officers.make(role)
    for path in ("agencies", "services", f"services/{SERVICE}", "register", "register/csv"):
        assert (await officer.get(f"{CITY}/{path}")).status_code == 403
