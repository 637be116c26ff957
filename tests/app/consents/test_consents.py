"""Consents: in the words that were shown, once, on record, and withdrawn at any time."""

from tests.harness.people import Citizen, People
from tests.harness.tables import Tables

PURPOSE = {"purpose": "health-membership", "version": 1}


async def test_what_may_be_agreed_to_is_shown_in_the_readers_language(people: People) -> None:
    for language, word in (("id", "setuju"), ("en", "agree")):
        citizen = await people.make(language=language)
        shown = (await citizen.get("/v1/me/consents")).json()
        [offered] = [each for each in shown["offered"] if each["purpose"] == "health-membership"]
        assert word in offered["text"]
        assert (offered["version"], offered["given"]) == (1, False)
        assert shown["items"] == []


async def test_given_twice_it_is_given_once(citizen: Citizen, tables: Tables) -> None:
    first, again = [await citizen.post("/v1/me/consents", PURPOSE) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    audited = await tables.rows(
        "SELECT action, purpose FROM audit_rows WHERE subject_id = $1 AND object_kind = 'consent'",
        citizen.id,
    )
    assert [(row["action"], row["purpose"]) for row in audited] == [("consent.given", "health-membership")]


async def test_withdrawn_it_is_on_record_and_may_be_given_anew(people: People) -> None:
    citizen = await people.make()
    given = (await citizen.post("/v1/me/consents", PURPOSE)).json()
    assert (await citizen.client.delete("/v1/me/consents/health-membership")).status_code == 204
    assert (await citizen.client.delete("/v1/me/consents/health-membership")).status_code == 404
    [kept] = (await citizen.get("/v1/me/consents")).json()["items"]
    assert kept["id"] == given["id"]
    assert kept["withdrawn_at"] is not None
    assert (await citizen.post("/v1/me/consents", PURPOSE)).json()["id"] != given["id"]
    assert len((await citizen.get("/v1/me/consents", limit="1")).json()["items"]) == 1


async def test_words_that_were_not_shown_are_not_agreed_to(people: People) -> None:
    citizen = await people.make()
    answer = await citizen.post("/v1/me/consents", PURPOSE | {"version": 2})
    assert (answer.status_code, answer.json()["code"]) == (409, "consent_version_old")
    assert (await citizen.get("/v1/me/consents")).json()["items"] == []


async def test_what_is_agreed_to_in_a_form_is_given_there_alone(people: People) -> None:
    citizen = await people.make()
    for purpose in ("health-ticket", "nothing-such"):
        answer = await citizen.post("/v1/me/consents", {"purpose": purpose, "version": 1})
        assert (answer.status_code, answer.json()["code"]) == (404, "consent_unknown")


async def test_one_sees_ones_own_alone(people: People) -> None:
    one, other = await people.make(), await people.make()
    await one.post("/v1/me/consents", PURPOSE)
    assert (await other.get("/v1/me/consents")).json()["items"] == []
    assert (await other.client.delete("/v1/me/consents/health-membership")).status_code == 404
