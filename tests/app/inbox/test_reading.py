"""The inbox as its owner reads it: language, pages, read marks; and nobody else's."""

from collections.abc import Mapping
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from app.inbox.actions import notify, rendered
from app.manifest import service_manifests
from app.settings import ROOT
from app.texts import load_texts
from tests.app.login.journey import Journey, assert_problem, somebody


async def reader(journey: Journey) -> tuple[str, UUID]:
    """A new citizen's access token and id."""
    token = (await journey.register(somebody()))["access_token"]
    async with journey.database.transaction() as session:
        found = await session.scalar(text("select id from citizens order by id desc limit 1"))
        # What registering itself had to say.
        await session.execute(text("delete from messages where citizen_id = :id"), {"id": found})
    assert isinstance(found, UUID)
    return token, found


async def put(journey: Journey, citizen_id: UUID, number: str, **more: str) -> UUID:
    params: Mapping[str, str] = {"number": number, "service": "reklame", **more}
    async with journey.database.transaction() as session:
        return await notify(session, citizen_id, "inbox.case_needs_citizen", params, case_id=UUID(int=5))


async def test_read_in_the_readers_language(journey: Journey) -> None:
    token, citizen_id = await reader(journey)
    await put(journey, citizen_id, "SL-7", question="Ukuran papan?")
    texts = {}
    for language in ("id", "en"):
        async with journey.api.client(token=token, language=language) as client:
            message = (await client.get("/v1/inbox")).json()["items"][0]
        assert message["key"] == "inbox.case_needs_citizen"
        assert message["case_id"] == str(UUID(int=5))
        assert message["read_at"] is None
        texts[language] = message["text"]
    assert "SL-7" in texts["id"]
    assert texts["id"].endswith("Pertanyaan dari instansi: Ukuran papan?")
    assert texts["en"].endswith("The agency asks: Ukuran papan?")


async def test_newest_first_in_pages(journey: Journey) -> None:
    token, citizen_id = await reader(journey)
    ids = [str(await put(journey, citizen_id, f"SL-{n}")) for n in range(5)]
    seen: list[str] = []
    async with journey.api.client(token=token) as client:
        query: dict[str, str | int] = {"limit": 2}
        for more in (True, True, False):
            page = (await client.get("/v1/inbox", params=query)).json()
            seen += [message["id"] for message in page["items"]]
            query["cursor"] = page["next_cursor"]
            assert (page["next_cursor"] is not None) == more
    assert seen == ids[::-1]


async def test_marked_read_once(journey: Journey) -> None:
    token, citizen_id = await reader(journey)
    message_id = await put(journey, citizen_id, "SL-1")
    async with journey.api.client(token=token) as client:
        first = await client.post(f"/v1/inbox/{message_id}/read")
        again = await client.post(f"/v1/inbox/{message_id}/read")
        assert first.status_code == again.status_code == 200
        assert first.json()["read_at"] is not None
        assert again.json() == first.json()
        assert (await client.get("/v1/inbox")).json()["items"][0]["read_at"] == first.json()["read_at"]


async def test_anothers_message_is_not_found_and_stays_unread(journey: Journey) -> None:
    owner, owner_id = await reader(journey)
    stranger, _ = await reader(journey)
    message_id = await put(journey, owner_id, "SL-1")
    async with journey.api.client(token=stranger) as client:
        for each in (message_id, uuid4()):
            assert_problem(await client.post(f"/v1/inbox/{each}/read"), 404, "not_found")
        assert (await client.get("/v1/inbox")).json() == {"items": [], "next_cursor": None}
    async with journey.api.client(token=owner) as client:
        assert (await client.get("/v1/inbox")).json()["items"][0]["read_at"] is None


async def test_closed_to_the_anonymous(journey: Journey) -> None:
    async with journey.api.client() as client:
        assert_problem(await client.get("/v1/inbox"), 401, "token_missing")
        assert_problem(await client.post(f"/v1/inbox/{uuid4()}/read"), 401, "token_missing")


@pytest.mark.parametrize("language", ["id", "en"])
def test_service_is_shown_by_its_title(language: str) -> None:
    load_texts(ROOT / "app")
    service = next(iter(service_manifests().values())).service[0]
    title = service.title.en if language == "en" else service.title.id
    words = rendered(
        "inbox.case_approved", {"number": "SL-1", "service": service.slug}, "en" if language == "en" else "id"
    )
    assert title in words
    assert "{" not in words


def test_service_that_is_no_longer_offered_keeps_its_slug() -> None:
    load_texts(ROOT / "app")
    assert "dulu-ada" in rendered("inbox.case_approved", {"number": "SL-1", "service": "dulu-ada"}, "id")


def test_agencys_words_are_not_a_template() -> None:
    """Braces in an agency's text must neither fail nor be filled in."""
    load_texts(ROOT / "app")
    params = {"number": "SL-1", "service": "x", "reason": "{number.__class__} {0} {"}
    assert rendered("inbox.case_rejected", params, "id").endswith("{number.__class__} {0} {")
