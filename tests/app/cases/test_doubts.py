"""What is in doubt stays in doubt: a refusal to say where something is, a withdrawal or an answer meanwhile, tries that
overtake each other. Driven one by one against a handler that does as it is told."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from app.assembly import Product, build
from app.cases.claims import Outcome, claim, settle
from app.cases.delivery import Deliverer, Share
from app.cases.handover import DeliveryJob
from app.cases.port import Applicant, CaseData, CaseHandler, Progress, Receipt
from app.cases.settle import apply_progress, settle_case, unanswered
from app.cases.tools import ModuleTools
from app.errors import AgencyRejected, FieldError, NotOffered, OutcomeUnknown
from app.jobs import RetryLater
from tests.harness.cases import hand_in
from tests.harness.deliveries import delivery_of
from tests.harness.people import Citizen, People
from tests.harness.product import Api
from tests.harness.tables import Tables

BACKEND = "sicantik"
REFUSED = AgencyRejected(BACKEND, "find", "it will not say", code="refused")


class Scripted(CaseHandler):
    """Does what a test says, and counts what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.does: dict[str, Receipt | Exception | None] = {}

    def check(self, service: str, form: Mapping[str, object], applicant: Applicant) -> Sequence[FieldError]:
        return []

    async def submit(self, case: CaseData) -> Receipt:
        return self._told("submit", case)

    async def find(self, case: CaseData, taken: Sequence[str]) -> Receipt | None:
        self.asked.append("find")
        return self._done("find")

    async def progress(self, case: CaseData) -> Progress:
        return Progress("in_review")

    async def answer(self, case: CaseData, question: str, answer: str) -> Receipt:
        return self._told("answer", case)

    async def withdraw(self, case: CaseData, reason: str) -> Receipt:
        return self._told("withdraw", case)

    def _told(self, operation: str, case: CaseData) -> Receipt:
        self.asked.append(operation)
        return self._done(operation) or Receipt(f"R-{case.number}")

    def _done(self, operation: str) -> Receipt | None:
        done = self.does.get(operation)
        if isinstance(done, Exception):
            raise done
        return done


@pytest.fixture
def handler() -> Scripted:
    return Scripted()


@pytest.fixture
async def product(api: Api, handler: Scripted) -> AsyncIterator[Product]:
    built = build(api.settings, "test")
    await built.backends.controls.open()
    real = built.cases.modules["permits"]
    cases = msgspec.structs.replace(
        built.cases,
        modules={**built.cases.modules, "permits": ModuleTools(handler, real.backends)},
        late_effects_s={BACKEND: 0.0},
    )
    yield msgspec.structs.replace(built, cases=cases)
    await built.close()


async def worked(product: Product, delivery_id: UUID, operation: str = "submit") -> None:
    """One try of a worker."""
    deliverer = Deliverer(product.cases, {BACKEND: Share(8, 500.0)})
    try:
        await deliverer.run(BACKEND, DeliveryJob(delivery_id, operation))
    except RetryLater:
        return


async def row_of(tables: Tables, delivery_id: UUID) -> dict[str, Any]:
    [row] = await tables.rows("SELECT * FROM deliveries WHERE id = $1", delivery_id)
    return row


async def lost(product: Product, people: People, tables: Tables, handler: Scripted) -> tuple[Citizen, dict[str, Any]]:
    """A case whose answer was lost; the handler is as before."""
    citizen = await people.make()
    case = await hand_in(citizen)
    handler.does["submit"] = OutcomeUnknown(BACKEND, "submit", "lost")
    await worked(product, await delivery_of(tables, case))
    del handler.does["submit"]
    return citizen, case


@pytest.mark.parametrize("refusal", [REFUSED, NotOffered(BACKEND, "find", "no such permit any more")])
async def test_a_refusal_to_look_something_up_is_no_refusal_of_it(
    product: Product, people: People, tables: Tables, handler: Scripted, refusal: Exception
) -> None:
    """It may stand over there: nobody tells its citizen that it was refused, and nobody sends it again."""
    citizen, case = await lost(product, people, tables, handler)
    delivery_id = await delivery_of(tables, case)
    handler.does["find"] = refusal
    await worked(product, delivery_id)
    row = await row_of(tables, delivery_id)
    assert (row["state"], row["reason"], row["unknown"]) == ("needs_operator", "cannot_tell", True)
    shown = (await citizen.get(f"/v1/cases/{case['id']}")).json()
    assert shown["status"] == "submitted"
    assert handler.asked.count("submit") == 1


async def test_an_answer_that_is_lost_for_three_days_comes_before_an_officer(
    product: Product, people: People, tables: Tables, handler: Scripted
) -> None:
    """Its system takes each sending and says nothing: it is not sent for ever."""
    _, case = await lost(product, people, tables, handler)
    delivery_id = await delivery_of(tables, case)
    handler.does["submit"] = OutcomeUnknown(BACKEND, "submit", "lost again")
    await worked(product, delivery_id)
    assert (await row_of(tables, delivery_id))["state"] == "delivering"
    began = "now() - interval '73 hours'"
    await tables.run(f"UPDATE deliveries SET first_tried_at = {began}, sent_at = {began} WHERE id = $1", delivery_id)
    await worked(product, delivery_id)
    row = await row_of(tables, delivery_id)
    assert (row["state"], row["reason"], row["unknown"]) == ("needs_operator", "gave_up", True)


async def test_what_is_lost_again_and_again_is_sent_more_and_more_seldom(
    product: Product, people: People, tables: Tables, handler: Scripted
) -> None:
    """Each sending may have an effect over there that its lookup does not show."""
    cases = msgspec.structs.replace(product.cases, late_effects_s={BACKEND: 10.0})
    slow = msgspec.structs.replace(product, cases=cases)
    _, case = await lost(slow, people, tables, handler)
    delivery_id = await delivery_of(tables, case)
    sent = """
    UPDATE deliveries SET first_tried_at = now() - make_interval(mins => $2), sent_at = now() - interval '12 seconds'
    WHERE id = $1
    """
    await tables.run(sent, delivery_id, 4)
    await worked(slow, delivery_id)
    assert handler.asked == ["submit", "find"]
    await tables.run(sent, delivery_id, 0)
    await worked(slow, delivery_id)
    assert handler.asked == ["submit", "find", "find", "submit"]


async def test_withdrawn_while_its_claim_waits_it_is_not_sent_any_more(
    product: Product, people: People, tables: Tables, handler: Scripted
) -> None:
    """The claim waits for the case's row while the withdrawal has it: what it reads then is what stands then."""
    _, case = await lost(product, people, tables, handler)
    delivery_id = await delivery_of(tables, case)
    async with tables.connection.transaction():
        await tables.run("UPDATE cases SET status = 'withdrawn' WHERE id = $1", UUID(case["id"]))
        working = asyncio.create_task(worked(product, delivery_id))
        async with product.database.connection() as other:
            for _ in range(600):
                if await other.fetchval(_WAITING):
                    break
                await asyncio.sleep(0.02)
            else:
                raise AssertionError("nobody waits for the case")
    await working
    assert handler.asked == ["submit", "find"]
    row = await row_of(tables, delivery_id)
    assert (row["state"], row["reason"]) == ("rejected", "withdrawn")


_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%WITH standing%'"


async def test_a_withdrawal_claimed_as_its_submission_ends_is_told(
    product: Product, people: People, tables: Tables, handler: Scripted
) -> None:
    """Taken while the agency's number was not known yet, looked at when it was: no officer is needed for that."""
    citizen = await people.make()
    case = await hand_in(citizen)
    submission = await delivery_of(tables, case)
    async with product.database.connection() as connection:
        sending = await claim(connection, submission)
        assert sending is not None
        await citizen.post(case["links"]["withdraw"], {"reason": "Batal"})
        withdrawal = await delivery_of(tables, case)
        assert withdrawal != submission
        # One of a lane at a time is under way: the withdrawal is claimed just as the submission is settled.
        await settle(connection, sending, Outcome(state="queued"))
        held = await claim(connection, withdrawal)
        assert held is not None
        await settle(connection, held, Outcome(state="queued", uncounted=True))
        again = await claim(connection, submission)
        assert again is not None
        await settle_case(connection, again, Outcome(state="delivered", reference="00001012012026"))
    deliverer = Deliverer(product.cases, {BACKEND: Share(8, 500.0)})
    outcome = await deliverer._tell(held)
    assert (outcome.state, outcome.retry_in_s is not None) == ("queued", True)
    await worked(product, withdrawal, "withdraw")
    assert handler.asked == ["withdraw"]
    assert (await row_of(tables, withdrawal))["state"] == "delivered"


async def test_the_withdrawal_of_what_never_arrived_troubles_nobody(
    product: Product, people: People, tables: Tables, handler: Scripted
) -> None:
    citizen, case = await lost(product, people, tables, handler)
    await citizen.post(case["links"]["withdraw"], {"reason": "Batal"})
    withdrawal = await delivery_of(tables, case)
    [submission] = [
        each["id"]
        for each in await tables.rows("SELECT id FROM deliveries WHERE case_id = $1", UUID(case["id"]))
        if each["id"] != withdrawal
    ]
    await worked(product, submission)
    await worked(product, withdrawal, "withdraw")
    assert handler.asked == ["submit", "find"]
    row = await row_of(tables, withdrawal)
    assert (row["state"], row["reason"]) == ("rejected", "withdrawn")


async def answered(product: Product, people: People, tables: Tables) -> tuple[Citizen, dict[str, Any], UUID]:
    """A case whose citizen has answered the agency's question; the answer's delivery waits."""
    citizen = await people.make()
    case = await hand_in(citizen)
    async with product.database.connection() as connection:
        held = await claim(connection, await delivery_of(tables, case))
        assert held is not None
        await settle_case(connection, held, Outcome(state="delivered", reference=f"Q-{case['number']}"))
    assert await heard(product, UUID(case["id"]), asking(product), await tables.value("SELECT now()"))
    answer = await citizen.post(f"/v1/cases/{case['id']}/answers", {"answer": "Tiga meter."})
    assert answer.status_code == 202
    return citizen, case, await delivery_of(tables, case)


async def heard(product: Product, case_id: UUID, progress: Progress, asked_at: datetime) -> bool:
    """Whether anything changed by what the agency said when it was asked then."""
    async with product.database.begin() as connection:
        asked = await unanswered(connection, case_id, progress, asked_at)
        return await apply_progress(connection, case_id, asked, 60, product.catalog.timezone)


def asking(product: Product) -> Progress:
    return Progress("needs_citizen", question=product.vault.seal("Berapa tinggi tiangnya?"))


async def test_what_was_answered_is_not_asked_again_before_the_answer_has_arrived(
    product: Product, people: People, tables: Tables, handler: Scripted
) -> None:
    citizen, case, answer = await answered(product, people, tables)
    case_id = UUID(case["id"])
    before = await tables.value("SELECT now()")
    for _ in range(2):
        await heard(product, case_id, asking(product), before)
        shown = (await citizen.get(f"/v1/cases/{case['id']}")).json()
        assert (shown["status"], shown["question"]) == ("in_review", None)
        # Said before the answer came, heard after: still no question.
        await worked(product, answer, "answer")
    assert handler.asked == ["answer"]
    await heard(product, case_id, asking(product), await tables.value("SELECT now()"))
    shown = (await citizen.get(f"/v1/cases/{case['id']}")).json()
    assert shown["status"] == "needs_citizen", "a question that is new must be told"


async def test_an_answer_to_what_was_withdrawn_since_is_not_told(
    product: Product, people: People, tables: Tables, handler: Scripted
) -> None:
    citizen, case, answer = await answered(product, people, tables)
    await citizen.post(f"/v1/cases/{case['id']}/withdraw", {"reason": "Batal"})
    await worked(product, answer, "answer")
    assert handler.asked == []
    assert (await row_of(tables, answer))["state"] == "rejected"


async def test_an_answer_that_the_agency_refuses_is_seen_to(
    product: Product, people: People, tables: Tables, handler: Scripted
) -> None:
    """The timeline says that the citizen answered: silently dropped, nobody would know."""
    _, _, answer = await answered(product, people, tables)
    handler.does["answer"] = AgencyRejected(BACKEND, "answer", "decided", code="decided")
    await worked(product, answer, "answer")
    row = await row_of(tables, answer)
    assert (row["state"], row["reason"]) == ("needs_operator", "not_taken")
