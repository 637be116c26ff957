"""Services delivered inside the request: stored and claimed, the agency asked for at most five seconds, settled, told.

Killed at any point, the safety job finds out what happened; nothing is sent to the agency outside of a request.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response

from app.asking import SERVICE, asking
from app.cases import claims
from app.cases.attempts import sealed
from app.cases.casedata import case_data, load_files
from app.cases.claims import Busy, Claim, Outcome, Stale, delivered
from app.cases.handover import enqueue_delivery
from app.cases.models import PAYLOAD_CONTEXT
from app.cases.once import Once, language_asked
from app.cases.settle import NOT_REACHED, settle_asked
from app.cases.timeline import CHANNEL
from app.cases.tools import CaseTools
from app.cases.writes import DeliveryRow
from app.database import Connection
from app.errors import AgencyRejected, AgencyUnavailable, Conflict, LoketError, NotOffered, OutcomeUnknown, Unavailable
from app.exchanges import noted_in
from app.idempotency import FirstAnswer, KeyedRequest, answered, change_answer, forget_answer, keep_answer
from app.problems import PROBLEM_JSON, problem_of
from app.texts import has_text, text

log = logging.getLogger("loket.delivery")

BUDGET_S = 5.0
# Past the budget with time to settle: until then no worker takes the delivery.
LEASE_S = 10.0
LOOK_AGAIN_S = 1.0
RETRY_AFTER_S = 10
LONGEST_RETRY_AFTER_S = 3600

Begin = Callable[[Connection], Awaitable[tuple[Mapping[str, Any], DeliveryRow | None]]]
_SERVICE = "SELECT service FROM cases WHERE id = $1 AND citizen_id = $2"
_STANDS = f"{_SERVICE} AND status NOT IN ('draft', 'withdrawn') AND delivery_state IN ('delivering', 'delivered')"
_DROP_JOB = "DELETE FROM pgqueuer WHERE dedupe_key = $1 AND status = 'queued'"


class Begun(msgspec.Struct, frozen=True):
    """What the first transaction left: the case's row, the delivery as ours for a while, the key's answer for now."""

    row: Mapping[str, Any]
    delivery: DeliveryRow
    held: Claim
    keyed: KeyedRequest | None
    now: FirstAnswer


def refuse_in_maintenance(row: Mapping[str, Any], tools: CaseTools) -> None:
    """Raises Unavailable, with all that was begun undone, where nothing can be asked of the agency now."""
    standing = tools.backends.controls.maintenance(row["backend"], row["service"])
    if standing is not None:
        wait_s = min(max(int(standing.left_s), 1) if standing.ends_at else LONGEST_RETRY_AFTER_S, LONGEST_RETRY_AFTER_S)
        raise Unavailable("service_in_maintenance", retry_after_s=wait_s)


def is_immediate(slug: str, tools: CaseTools) -> bool:
    service = tools.catalog.find(slug)
    return service is not None and service.manifest.delivery == "immediate"


async def ends_at_agency(case_id: UUID, citizen_id: UUID, tools: CaseTools) -> bool:
    """Whether withdrawing the citizen's case is its agency's to do, now."""
    async with tools.database.connection() as connection:
        row = await connection.fetchrow(_STANDS, case_id, citizen_id)
    return row is not None and is_immediate(row["service"], tools)


async def own_is_immediate(case_id: UUID, citizen_id: UUID, tools: CaseTools) -> bool:
    """False for another person's case, too: what is done with it next says that there is none."""
    async with tools.database.connection() as connection:
        slug = await connection.fetchval(_SERVICE, case_id, citizen_id)
    return slug is not None and is_immediate(slug, tools)


async def answer_now(write: Once, begin: Begin, done: int) -> Response[Any]:
    """Hand over what `begin` stores, and answer with what came of it: `done` as status where the agency has done it,
    202 where that is not known yet. Raises Conflict where it refused, Unavailable where it could not be reached."""
    begun = await _begin(write, begin, done)
    if isinstance(begun, Response):
        return begun
    outcome = await _ask(begun.held, write.tools)
    held = begun.held
    numbers = (outcome.reference, held.row["agency_reference"])
    said = sealed(held.said, held.row, numbers, write.tools, held.payload_enc)
    outcome = msgspec.structs.replace(outcome, said=said)
    try:
        # What came of it is the product's to write, as in a worker: it looks whether a number is another's already.
        with asking(SERVICE):
            answer = await _settle(write, begun, outcome, done)
    except Stale:
        # This process slept past its lease; a worker has it, and the citizen sees what it finds out.
        answer = begun.now
    write.tools.valkey.announce(CHANNEL, str(held.case_id).encode())
    if isinstance(answer, LoketError):
        raise answer
    return answered(answer)


async def _begin(write: Once, begin: Begin, done: int) -> Begun | Response[Any]:
    """The first transaction. A request whose key is known gets that answer; a repeated one, while the first still runs,
    the case as it is now."""
    async with write.tools.database.begin() as connection:
        keyed, known = await write.keyed(connection)
        if known is not None:
            return answered(known, replayed=True)
        row, delivery = await begin(connection)
        refuse_in_maintenance(row, write.tools)
        if delivery is None:
            answer = write.told(row, done)
            if keyed is not None:
                await keep_answer(connection, keyed, answer, write.tools.vault)
            return answered(answer)
        try:
            held = await claims.claim(connection, delivery.id, LEASE_S, write.tools.told)
        except Busy:
            raise Conflict("case_in_progress", retry_after_s=RETRY_AFTER_S) from None
        if held is None:
            raise LookupError("a delivery stored just now is not there")
        now = write.told(row, 202)
        if keyed is not None:
            await keep_answer(connection, keyed, now, write.tools.vault)
        await enqueue_delivery(connection, delivery, delay_s=LEASE_S + LOOK_AGAIN_S)
    return Begun(row, delivery, held, keyed, now)


async def _ask(held: Claim, tools: CaseTools) -> Outcome:
    """The agency's answer, within the budget."""
    try:
        async with asyncio.timeout(BUDGET_S):
            with noted_in(held.said):
                return await _hand_over(held, tools)
    except AgencyUnavailable as error:
        return Outcome(state="rejected", reason=NOT_REACHED, detail=error.detail, attempt="unavailable")
    except (OutcomeUnknown, TimeoutError) as error:
        detail = error.detail if isinstance(error, OutcomeUnknown) else f"no end within {BUDGET_S:g} s"
        return Outcome(state="delivering", unknown=True, detail=detail, retry_in_s=LOOK_AGAIN_S)
    except AgencyRejected as error:
        return Outcome(state="rejected", reason=error.code or "refused", detail=error.detail)
    except NotOffered as error:
        return Outcome(state="rejected", reason="not_offered", detail=error.detail)
    except Exception:
        log.exception("delivery failed in a way nobody foresaw: %s", held.id)
        return Outcome(state="delivering", unknown=True, retry_in_s=LOOK_AGAIN_S, attempt="failed")


async def _hand_over(held: Claim, tools: CaseTools) -> Outcome:
    handler = tools.modules[held.row["module"]].handler
    if held.operation == "withdraw":
        words = msgspec.json.decode(tools.vault.decrypt(held.payload_enc or b"", PAYLOAD_CONTEXT))
        return delivered(await handler.withdraw(case_data(held.row, tools), words["reason"]))
    files = await load_files(held.row, tools)
    return delivered(await handler.submit(case_data(held.row, tools, files)))


async def _settle(write: Once, begun: Begun, outcome: Outcome, done: int) -> FirstAnswer | LoketError:
    """The second transaction: what came of it, and the key's answer. Raises Stale."""
    async with write.tools.database.begin() as connection:
        row = await settle_asked(connection, begun.held, outcome)
        await connection.execute(_DROP_JOB, str(begun.delivery.id))
        if outcome.state == "delivering":
            await enqueue_delivery(connection, begun.delivery, delay_s=LOOK_AGAIN_S)
        if outcome.reason == NOT_REACHED:
            # Asked again under the same key, it is tried again.
            if begun.keyed is not None:
                await forget_answer(connection, begun.keyed)
            return Unavailable("agency_unavailable", params=_case_of(row), retry_after_s=RETRY_AFTER_S)
        answer = write.told(row, done if outcome.state == "delivered" else 202)
        refused = _refusal(write, row, outcome) if outcome.state == "rejected" else None
        if begun.keyed is not None:
            kept = answer if refused is None else _as_answer(write, refused)
            await change_answer(connection, begun.keyed, kept, write.tools.vault)
    return refused or answer


def _refusal(write: Once, row: Mapping[str, Any], outcome: Outcome) -> Conflict:
    """In our words: the agency's own are for officers."""
    key = f"delivery_reason.{outcome.reason}"
    words = text(key if has_text(key) else "delivery_reason.refused", language_asked(write.request))
    return Conflict("agency_refused", params={"reason": words, "reason_code": outcome.reason, **_case_of(row)})


def _case_of(row: Mapping[str, Any]) -> dict[str, str]:
    return {"case_id": str(row["id"]), "number": row["number"]}


def _as_answer(write: Once, refused: LoketError) -> FirstAnswer:
    language = language_asked(write.request)
    headers = {"Content-Type": PROBLEM_JSON, "Content-Language": language, "Cache-Control": "no-store"}
    return FirstAnswer(refused.status, msgspec.json.encode(problem_of(refused, language)), headers)
