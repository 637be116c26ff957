"""After a lost answer: linked, or with an officer; never doubled, never another's."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from app.errors import OutcomeUnknown
from integrations.sicantik import lookup
from integrations.sicantik.numbers import A_DAY, WIB, months
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


async def register_others(office: Office, count: int) -> list[str]:
    """What others registered meanwhile, in the order of their numbers."""
    room = asyncio.Semaphore(20)

    async def one(n: int) -> str:
        async with room:
            made = await office.register_directly(nama_pemohon=f"Tamu {n}", no_telp=f"08129{n:06d}")
        return str(made["no_pendaftaran"])

    return sorted(await asyncio.gather(*(one(n) for n in range(count))))


async def test_found_though_more_registered_since_than_the_list_shows(either: Office) -> None:
    """The storm that found this: the worker died, and half a minute later a thousand others stood behind ours."""
    before = await register_others(either, 10)
    ours = application()
    await lose(either, ours)
    since = await register_others(either, 1_100)
    asked = msgspec.structs.replace(ours, sent_at=ours.submitted_at, given_before=before)
    found = await either.port.find(asked, [*before, *since])
    assert found is not None
    assert found.reference == await registered_number(either, ours)


async def test_a_search_is_short_however_many_registered_since(either: Office) -> None:
    """What is another's already is not asked for again, one by one."""
    before = await register_others(either, 300)
    ours = application(sent_at=datetime.now(UTC), given_before=before[-30:])
    await lose(either, ours, "reset")
    since = await register_others(either, 300)
    assert await either.port.find(ours, [*before[-30:], *since]) is None
    assert either.asked["registration"] <= lookup.BEHIND + 10


async def test_what_nobody_is_known_to_have_is_looked_at_back_to_the_sending(open_office: Open) -> None:
    async with open_office(Unlisting) as office:
        before = await register_others(office, 5)
        ours = application(sent_at=datetime.now(UTC), given_before=before)
        await lose(office, ours)
        await register_others(office, 600)
        found = await office.port.find(ours, before)
        assert found is not None
        assert found.reference == await registered_number(office, ours)


async def test_ours_hidden_behind_a_number_that_is_linked_is_seen_among_many(either: Office) -> None:
    before = await register_others(either, 5)
    ours = application(sent_at=datetime.now(UTC), given_before=before)
    since = await register_others(either, 50)
    await lose(either, ours)
    number = await registered_number(either, ours)
    await either.bench.work(number, "collide")
    since += [number, *(await register_others(either, 100))]
    with pytest.raises(OutcomeUnknown, match="given twice"):
        await either.port.find(ours, [*before, *since])


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


def test_months_since_it_was_sent_as_clocks_a_day_apart_have_them() -> None:
    now = datetime.now(UTC)
    around = [(now + days).astimezone(WIB) for days in (-A_DAY, A_DAY)]
    assert list(months(now)) == sorted({(f"{day:%m}", f"{day:%Y}") for day in around}, key=lambda one: one[::-1])
    assert len(list(months(datetime(2020, 1, 31, tzinfo=UTC)))) == 3
