"""The public catalogue over real sockets."""

import asyncio
from typing import Any

import httpx
import pytest

from app.catalog.catalog import Catalog
from app.catalog.health import Outcomes, record_outcomes
from app.database import Database
from tests.harness.product import Api


async def get(api: Api, path: str, language: str = "id", headers: dict[str, str] | None = None) -> httpx.Response:
    async with api.client(language=language) as client:
        return await client.get(path, headers=headers)


async def test_agencies_with_their_modules(api: Api, kediri: Catalog) -> None:
    answer = await get(api, "/v1/agencies", "en")
    assert answer.status_code == 200
    page = answer.json()
    assert page["next_cursor"] is None
    assert [agency["id"] for agency in page["items"]] == [agency.id for agency in kediri.agencies()]
    permits = next(agency for agency in page["items"] if agency["id"] == "dpmptsp")
    assert permits["modules"] == [{"name": "permits", "title": "Permits"}]
    assert permits["service_count"] == len([one for one in kediri.services() if one.agency_id == "dpmptsp"])


async def test_the_whole_catalogue_page_by_page(api: Api, kediri: Catalog) -> None:
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = (await get(api, f"/v1/services?limit=4{'&cursor=' if cursor else ''}{cursor}")).json()
        assert len(answer["items"]) <= 4
        found += answer["items"]
        cursor = answer["next_cursor"]
    assert sorted(one["slug"] for one in found) == sorted(service.slug for service in kediri.services())
    titles = [one["title"].casefold() for one in found]
    assert titles == sorted(titles)


async def test_search_in_the_reader_s_language(api: Api) -> None:
    answer = await get(api, "/v1/services?q=bikin%20ktp", "en")
    first = answer.json()["items"][0]
    assert (first["slug"], first["title"]) == ("identity-card", "Electronic Identity Card (KTP-el)")
    assert (first["integration_mode"], first["module"]) == ("weblink", None)
    assert first["url"].startswith("https://")
    assert (await get(api, "/v1/services?q=zzxxqq")).json() == {"items": [], "next_cursor": None}


async def test_search_page_by_page(api: Api) -> None:
    whole = (await get(api, "/v1/services?q=kartu")).json()["items"]
    first = (await get(api, "/v1/services?q=kartu&limit=2")).json()
    second = (await get(api, f"/v1/services?q=kartu&limit=2&cursor={first['next_cursor']}")).json()
    assert [one["slug"] for one in first["items"] + second["items"]] == [one["slug"] for one in whole[:4]]


async def test_narrowed_by_agency_and_life_event(api: Api) -> None:
    for query in ("agency=disdukcapil", "q=kartu&agency=disdukcapil"):
        items = (await get(api, f"/v1/services?{query}")).json()["items"]
        assert {one["agency"]["id"] for one in items} == {"disdukcapil"}
    items = (await get(api, "/v1/services?life_event=having-a-baby")).json()["items"]
    assert {"birth-certificate", "family-card"} <= {one["slug"] for one in items}
    assert (await get(api, "/v1/services?agency=nobody")).json()["items"] == []


async def test_one_service_with_its_standard_and_form(api: Api) -> None:
    answer = await get(api, "/v1/services/outdoor-advertising")
    service = answer.json()
    assert service["title"] == "Izin Penyelenggaraan Reklame"
    assert service["agency"]["short_name"] == "DPMPTSP"
    assert (service["working_days"], service["fee"]["amount_idr"]) == (7, 0)
    assert (service["assurance_level"], service["integration_mode"], service["delivery"]) == (1, "api", "queued")
    for part in ("requirements", "procedure", "product", "complaints", "legal_basis"):
        assert service[part], part
    assert service["form"]["version"] == 1
    kind = service["form"]["schema"]["properties"]["kind"]
    assert (kind["title"], kind["x-labels"]["new"]) == ("Jenis permohonan", "Baru")
    english = (await get(api, "/v1/services/outdoor-advertising", "en")).json()
    assert english["form"]["schema"]["properties"]["kind"]["title"] == "Kind of request"


async def test_a_link_has_no_form_and_no_measured_availability(api: Api) -> None:
    service = (await get(api, "/v1/services/building-approval")).json()
    assert (service["integration_mode"], service["form"], service["availability"]) == ("weblink", None, None)
    assert service["url"] == "https://simbg.pu.go.id"


async def test_availability_follows_what_was_measured(api: Api, kediri: Catalog) -> None:
    assert (await get(api, "/v1/services/research-permit")).json()["availability"] == "available"
    failing = Outcomes()
    for _ in range(3):
        failing.add(ok=False, seconds=0.1)
    database = Database(api.settings.database_url, pool_size=1, name="test")
    async with database.transaction() as session:
        for backend in kediri.service("research-permit").backends:
            await record_outcomes(session, backend, failing)
    await database.close()
    told = ""
    async with api.client() as client:
        for _ in range(80):
            told = (await client.get("/v1/services/research-permit")).json()["availability"]
            if told == "down":
                break
            await asyncio.sleep(0.1)
    assert told == "down"


async def test_public_answers_may_be_cached_and_asked_again_cheaply(api: Api) -> None:
    for path in ("/v1/agencies", "/v1/services", "/v1/services?q=ktp", "/v1/services/identity-card"):
        answer = await get(api, path, "en")
        assert answer.headers["cache-control"] == "public, max-age=60"
        assert answer.headers["content-language"] == "en"
        assert "accept-language" in answer.headers["vary"].lower()
        etag = answer.headers["etag"]
        assert etag.startswith('"')
        for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            again = await get(api, path, "en", {"If-None-Match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        assert (await get(api, path, "en", {"If-None-Match": '"other"'})).status_code == 200
        assert (await get(api, path, "id", {"If-None-Match": etag})).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/services/siup", 404, "service_unknown"),
        ("/v1/services/Outdoor%20Advertising", 404, "service_unknown"),
        ("/v1/services/%00", 404, "not_found"),
        ("/v1/services?cursor=nonsense", 400, "cursor_invalid"),
        ("/v1/services?cursor=", 400, "parameter_invalid"),
        ("/v1/services?q=ktp&cursor=WyJhIiwiYiJd", 400, "cursor_invalid"),
        ("/v1/services?q=%00", 400, "parameter_invalid"),
        ("/v1/services?limit=0", 400, "parameter_invalid"),
        ("/v1/services?limit=101", 400, "parameter_invalid"),
        ("/v1/services?limit=ten", 400, "parameter_invalid"),
        ("/v1/services?agency=Not%20An%20Id", 400, "parameter_invalid"),
        ("/v1/services?life_event=%27", 400, "parameter_invalid"),
        ("/v1/services?q=" + "x" * 201, 400, "parameter_invalid"),
    ],
)
async def test_bad_input_gets_the_right_problem(api: Api, path: str, status: int, code: str) -> None:
    for language in ("id", "en"):
        answer = await get(api, path, language)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("question", ["%F0%9F%99%82", "'%22%5C", "%26%7C%21%3A*", "a%20" * 60])
async def test_odd_questions_are_answered(api: Api, question: str) -> None:
    assert (await get(api, f"/v1/services?q={question}")).status_code == 200
