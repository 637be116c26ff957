"""The register behind the sandbox as the port tells it: the demo's people, invented ones, and ten thousand of them."""

from collections import Counter
from datetime import date

import pytest
from lokal.nik import parse_nik

from app.errors import AgencyUnavailable
from integrations.dtsen.households import FEW, START, population
from integrations.dtsen.office import payments
from services.social_aid.port import HouseholdAid
from tests.integrations.dtsen.conftest import BUDI, DEWI, RAHMAT, SITI, Adapted, Agency, objection, told

TODAY = date(2026, 11, 22)


async def household(agency: Agency, nik: str) -> HouseholdAid:
    found = await agency.port.household_aid(nik)
    assert found is not None
    return found


async def test_the_demos_people(agency: Agency) -> None:
    siti, budi, dewi = [await household(agency, nik) for nik in (SITI, BUDI, DEWI)]
    assert (siti.decile, budi.decile, dewi.decile) == (2, 5, 8)
    assert {each.programme for each in siti.entitlements} == {"PKH", "SEMBAKO", "PBI-JK"}
    assert {each.programme for each in budi.entitlements} == {"PBI-JK", "SANTUNAN-LANSIA"}
    assert not dewi.entitlements
    assert await agency.port.household_aid(RAHMAT) is None
    elders = [each for each in budi.entitlements if each.programme == "SANTUNAN-LANSIA"]
    assert {nik for each in elders for nik in each.members} == {"3571016510559035"}


async def test_by_family_card_as_by_member(agency: Agency) -> None:
    by_member = await agency.wire.household("nik", SITI)
    assert by_member is not None
    assert await agency.wire.household("no_kk", str(by_member["no_kk"])) == by_member
    assert await agency.wire.household("no_kk", "3571020101019999") is None


async def test_ten_thousand_on_demand(agency: Agency) -> None:
    last = population(10_000)[-1]
    assert await agency.port.household_aid(last.members[0].nik) is None
    await agency.bench.work("10000", "import")
    found = await household(agency, last.members[0].nik)
    assert [member.nik for member in found.members] == [member.nik for member in last.members]
    assert (await household(agency, SITI)).decile == 2


def test_invented_people_are_well_formed_and_nobodys() -> None:
    few = population()
    assert len(few) == FEW
    assert population(2 * FEW)[:FEW] == few
    members = [member for each in population(2_000) for member in each.members]
    assert len({member.nik for member in members}) == len(members)
    assert len({each.family_card for each in population(2_000)}) == 2_000
    assert len({each.id for each in population(2_000)}) == 2_000
    for member in members:
        parsed = parse_nik(member.nik)
        assert parsed.valid, member.nik
        assert int(member.nik[12:]) >= 9_001
        assert (member.nik[10:12], int(member.nik[6:8]) > 40) == (f"{member.born:%y}", member.sex == "P")
    deciles = Counter(each.decile for each in few)
    assert set(deciles) == {*range(1, 11), None}
    for each in population(2_000):
        assert START.village(each.village_code)
        assert sum(member.relation == "KEPALA KELUARGA" for member in each.members) == 1


def test_payments_are_of_the_present_period_and_those_before() -> None:
    paid = list(payments(START.demo[0], TODAY))
    periods = [each["periode"] for each in paid if each["kode_program"] == "PKH"]
    assert periods[0] == {"kode": "2026-10", "mulai": date(2026, 10, 1), "selesai": date(2026, 12, 31)}
    assert periods[-1] == {"kode": "2026-04", "mulai": date(2026, 4, 1), "selesai": date(2026, 6, 30)}
    assert {each["status"] for each in paid} == {"PROSES", "SALUR"}
    assert any(each["status"] == "GAGAL" for many in population() for each in payments(many, TODAY))


async def test_a_household_of_others_is_not_shown(adapted: Adapted) -> None:
    """A service that answers for another NIK than the one asked for."""
    row = {"id_keluarga": "KLG-1", "anggota": [{"nik": DEWI, "nama": "Dewi", "hubungan": "ISTRI"}]}
    adapted.bus.says(200, told(row))
    assert (await adapted.port.household_aid(DEWI)) is not None
    with pytest.raises(AgencyUnavailable) as refused:
        await adapted.port.household_aid(SITI)
    assert refused.value.code == "unreadable"


async def test_what_cannot_be_read_is_not_left_out(adapted: Adapted) -> None:
    member = {"nik": int(SITI), "nama": "Siti", "hubungan": "KEPALA KELUARGA"}
    paid = {"kode_program": "PKH", "status": "ENTAH", "periode": {"mulai": "2026-10-01", "selesai": "2026-12-31"}}
    for wrong in ({**paid, "periode": {}}, paid, {**paid, "status": "SALUR", "kode_program": ""}):
        adapted.bus.says(200, told({"id_keluarga": "KLG-1", "anggota": [member], "bantuan": [wrong]}))
        with pytest.raises(AgencyUnavailable) as refused:
            await adapted.port.household_aid(SITI)
        assert refused.value.code == "unreadable"


async def test_words_in_other_letters_mean_the_same(adapted: Adapted) -> None:
    row = {"kode": "PKH", "nama": "Program Keluarga Harapan", "jenis": "Pkh ", "penyelenggara": "Pusat"}
    adapted.bus.says(200, told([row, {**row, "penyelenggara": " provinsi"}, {**row, "penyelenggara": "Kota"}]))
    found = await adapted.port.programmes()
    assert [(each.kind, each.owner) for each in found] == [("pkh", "national"), ("pkh", "province"), ("pkh", "city")]


async def test_an_undetermined_decile_is_told_as_such(adapted: Adapted) -> None:
    member = {"nik": SITI, "nama": "Siti", "hubungan": "KEPALA KELUARGA"}
    for told_decile, decile, why in (
        ("BELUM DITENTUKAN", None, "not_told"),
        (None, None, "not_told"),
        ("DESIL_6_10", None, "unreadable"),
        (11, None, "unreadable"),
        ("DESIL_3", 3, None),
        ("10", 10, None),
    ):
        row = {"id_keluarga": "KLG-1", "anggota": [member], "desil_nasional": told_decile, "tanggal_data": "01-11-2026"}
        adapted.bus.says(200, told(row))
        found = await adapted.port.household_aid(SITI)
        assert found is not None
        assert (found.decile, found.missing.get("decile")) == (decile, why)
        assert found.updated_on == date(2026, 11, 1)


async def test_an_accepted_objection_changes_the_register(agency: Agency) -> None:
    request = objection(applicant_nik=BUDI, applicant_name="Budi Santoso")
    receipt = await agency.port.submit(request)
    await agency.bench.work(receipt.reference, "accept")
    assert (await household(agency, BUDI)).decile == 4


async def test_an_accepted_proposal_makes_a_household(agency: Agency) -> None:
    request = objection(kind="proposal", about="", applicant_nik=RAHMAT, applicant_name="Rahmat")
    receipt = await agency.port.submit(request)
    await agency.bench.work(receipt.reference, "accept")
    found = await household(agency, RAHMAT)
    assert [(member.name, member.birth_date) for member in found.members] == [("Rahmat", date(1975, 1, 1))]
    assert (found.decile, found.missing["decile"]) == (None, "not_told")
