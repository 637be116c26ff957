"""After a lost answer: linked, or with an officer; never doubled, never another's."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import pytest

from app.errors import OutcomeUnknown
from integrations.sicantik import lookup
from integrations.sicantik.lookup import _months
from integrations.sicantik.sandbox import SicantikSandbox
from services.permits.port import PermitApplication
from tests.integrations.sicantik.conftest import Office, application

Open = Callable[..., AbstractAsyncContextManager[Office]]


class Unlisting(SicantikSandbox):
    """A copy whose list leaves out what no officer has taken on yet."""

    lists_provisional = False


@pytest.fixture(params=[SicantikSandbox, Unlisting], ids=["lists provisional", "does not"])
async def either(open_office: Open, request: pytest.FixtureRequest) -> Any:
    async with open_office(request.param) as opened:
        yield opened


async def lose(office: Office, lost: PermitApplication, mode: str = "lost_answer") -> None:
    await office.bench.fault(mode, ["register"])
    with pytest.raises(OutcomeUnknown):
        await office.port.submit(lost)
    await office.bench.heal()


async def registered_number(office: Office, of: PermitApplication) -> str:
    [effect] = [effect for effect in await office.bench.ledger() if effect.reference == of.reference]
    return str(effect.data["no_pendaftaran"])


async def test_finds_ours_among_many(either: Office) -> None:
    taken = [(await either.port.submit(application(applicant_name=f"Warga {n}"))).reference for n in range(20)]
    ours = application()
    await lose(either, ours)
    for n in range(20):
        await either.register_directly(nama_pemohon=f"Tamu {n}", jenis_izin_id="27")
    found = await either.port.find(ours, taken)
    assert found is not None
    assert found.reference == await registered_number(either, ours)


async def test_surely_none_where_nothing_was_made(either: Office) -> None:
    taken = [(await either.port.submit(application(applicant_name=f"Warga {n}"))).reference for n in range(5)]
    ours = application()
    await lose(either, ours, "reset")
    assert await either.port.find(ours, taken) is None


async def test_ours_is_found_after_an_officer_took_it_on_or_finished_it(either: Office) -> None:
    ours = application()
    await lose(either, ours)
    number = await registered_number(either, ours)
    for step in ("2", "14"):
        await either.bench.work(number, step)
        found = await either.port.find(ours, [])
        assert found is not None
        assert found.reference == number


async def test_a_namesake_with_another_telephone_is_another(either: Office) -> None:
    """A walk-in of the same name, for the same permit, this month: the agency has many Siti Aminahs."""
    await either.register_directly(nama_pemohon="SITI  AMINAH", no_telp="081299990000")
    ours = application()
    await lose(either, ours, "reset")
    assert await either.port.find(ours, []) is None
    await lose(either, ours)
    found = await either.port.find(ours, [])
    assert found is not None
    assert found.reference == await registered_number(either, ours)


@pytest.mark.parametrize("phone", ["", "-", "0812"])
async def test_a_namesake_without_a_telephone_is_for_an_officer(either: Office, phone: str) -> None:
    await either.register_directly(nama_pemohon="Siti Aminah", no_telp=phone)
    ours = application()
    await lose(either, ours, "reset")
    with pytest.raises(OutcomeUnknown):
        await either.port.find(ours, [])


async def test_two_of_the_same_person_are_for_an_officer(either: Office) -> None:
    first, second = application(), application(purpose="Papan kedua")
    await lose(either, first)
    await lose(either, second)
    for each in (first, second):
        with pytest.raises(OutcomeUnknown, match="could be ours"):
            await either.port.find(each, [])
    # Once one is linked, the other is the only one left.
    found = await either.port.find(second, [await registered_number(either, first)])
    assert found is not None
    assert found.reference == await registered_number(either, second)


async def test_another_permit_of_the_same_person_is_another(either: Office) -> None:
    nurse = application(permit="sip-perawat")
    await either.port.submit(nurse)
    ours = application()
    await lose(either, ours, "reset")
    assert await either.port.find(ours, []) is None


async def test_a_number_given_twice_is_for_an_officer(either: Office) -> None:
    ours = application()
    await lose(either, ours)
    number = await registered_number(either, ours)
    await either.bench.work(number, "collide")
    with pytest.raises(OutcomeUnknown):
        await either.port.find(ours, [])


async def test_ours_under_a_number_that_is_linked_already_is_seen(either: Office) -> None:
    """Made at one moment, both bear one number: the other case got it, so ours must not be sent again."""
    ours = application()
    await lose(either, ours)
    number = await registered_number(either, ours)
    await either.bench.work(number, "collide")
    with pytest.raises(OutcomeUnknown, match="given twice"):
        await either.port.find(ours, [number])


async def test_too_many_unclaimed_registrations_are_for_an_officer(
    open_office: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "MOST_QUESTIONS", 20)
    async with open_office(Unlisting) as office:
        for n in range(30):
            await office.register_directly(nama_pemohon=f"Tamu {n}", no_telp=f"08120000{n:04d}")
        with pytest.raises(OutcomeUnknown, match="too many"):
            await office.port.find(application(), [])


async def test_names_are_compared_as_they_were_sent(either: Office) -> None:
    ours = application(applicant_name="Nu'man  <b>Ma'ruf</b>")
    await lose(either, ours)
    assert await either.port.find(ours, []) is not None


def test_months_since_handing_in() -> None:
    now = datetime.now(UTC)
    assert list(_months(now)) in ([(f"{now:%m}", f"{now:%Y}")], [_next(now)])
    assert len(list(_months(datetime(2020, 1, 31, tzinfo=UTC)))) == 3


def _next(now: datetime) -> tuple[str, str]:
    """The last hours of a month in UTC are the next month at the agency."""
    return (f"{now.month % 12 + 1:02d}", f"{now.year + now.month // 12}")
