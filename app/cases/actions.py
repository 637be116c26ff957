"""What a citizen does with a case: open, change, submit, withdraw, answer, rate; each in the caller's transaction."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from app.cases.applicants import load_applicant, load_numbered
from app.cases.casedata import FORM_CONTEXT, applicant, require_unrestricted
from app.cases.filled import (
    Filled,
    attachments_of,
    backend_of,
    check_files,
    check_rules,
    check_schema,
    due_for,
    files_of,
    filled_in,
    form_for,
    new_row,
    service_for,
)
from app.cases.handover import Handover, hand_over, prepared, store_delivery
from app.cases.models import NUMBERS
from app.cases.schemas import NewCase, Rating
from app.cases.states import FINAL, WITHDRAWABLE
from app.cases.submission import Submission, store_submission
from app.cases.timeline import Line, add_line
from app.cases.tools import CaseTools
from app.cases.waiting import due_after_waiting
from app.cases.writes import (
    DeliveryRow,
    change_case,
    insert_case,
    lock_own_case,
    release_attachments,
    take_attachments,
)
from app.consents.actions import keep_given
from app.database import Connection, fetch_anybodys
from app.errors import Conflict, PreconditionFailed
from app.login.guards import Caller

_NEXT_NUMBER = f"SELECT nextval('{NUMBERS.name}')"
_CALL_BACK = """
UPDATE deliveries SET state = 'rejected', reason = 'withdrawn', finished_at = now(), next_try_at = NULL
WHERE case_id = $1 AND operation = 'submit' AND state = 'queued' AND NOT unknown RETURNING 1
"""

_STANDING = """
SELECT cases.number, cases.citizen_id FROM deliveries JOIN cases ON cases.id = deliveries.case_id
WHERE lane = $1 AND deliveries.id <> $2 AND operation = 'submit' AND state IN ('delivered', 'needs_operator')
    AND status NOT IN ('rejected', 'completed', 'withdrawn', 'expired') LIMIT 1
"""
IN_PROGRESS_RETRY_S = 2


async def store_draft(connection: Connection, caller: Caller, new: NewCase, tools: CaseTools) -> Mapping[str, Any]:
    """A new case that is not handed in yet; its row. Raises as `filled_in`."""
    filled = filled_in(caller, new, tools)
    case = new_row(caller, filled, await connection.fetchval(_NEXT_NUMBER), "draft", tools)
    row = await insert_case(connection, case)
    await add_line(connection, case.id, 0, Line("created", "draft"))
    await _take_files(connection, case.id, caller, filled)
    return row


async def store_case(
    connection: Connection, caller: Caller, new: NewCase, tools: CaseTools
) -> tuple[Mapping[str, Any], DeliveryRow]:
    """A new case and its delivery, without a job. Raises as `filled_in`; Conflict where its lane takes one only."""
    filled = filled_in(caller, new, tools)
    facts = await load_numbered(connection, caller.id)
    submission = await submission_of(connection, caller, filled, facts, tools)
    row, taken = await store_submission(connection, submission)
    check_files(filled, taken)
    await keep_given(connection, caller, row["id"], filled.form.consents(filled.data), tools.catalog)
    return row, submission.delivery


async def open_case(
    connection: Connection, caller: Caller, new: NewCase, tools: CaseTools
) -> tuple[Mapping[str, Any], DeliveryRow]:
    """The same as `store_case`. Who acts for the citizen goes by way of a draft, whose lines say who did it."""
    if caller.acting is None:
        return await store_case(connection, caller, new, tools)
    return await submit_draft(connection, caller, (await store_draft(connection, caller, new, tools))["id"], tools)


async def submission_of(
    connection: Connection, caller: Caller, filled: Filled, facts: Mapping[str, Any], tools: CaseTools
) -> Submission:
    """All that handing it in stores. `facts`: a row with APPLICANT_COLUMNS and the next `running` number.

    Raises Unprocessable for what the module's rules refuse, Conflict where the lane takes one case only.
    """
    require_unrestricted(facts)
    asking = applicant(facts, tools)
    check_rules(filled, asking, tools)
    case = new_row(caller, filled, facts["running"], "submitted", tools)
    told = {"id": case.id, "module": case.module, "service": case.service, "backend": case.backend}
    delivery, entry = prepared(told, asking, Handover("submit", caller.id, filled.data), tools)
    await check_lane(connection, (case.module, case.citizen_id), delivery, tools)
    return Submission(case, delivery, entry, attachments_of(filled))


async def change_draft(
    connection: Connection, caller: Caller, held: Mapping[str, Any], data: Mapping[str, Any], tools: CaseTools
) -> Mapping[str, Any]:
    """Put a whole new form into a draft whose row is held (`held_draft`). A file it does not name any more is loose."""
    service = service_for(held["service"], caller, tools)
    filled = Filled(service, form_for(service, held["form_version"], tools), data)
    check_schema(filled, draft=True)
    await _take_files(connection, held["id"], caller, filled)
    before = msgspec.json.decode(tools.vault.decrypt(held["form_enc"], FORM_CONTEXT))
    await release_attachments(connection, held["id"], files_of(filled.form, before) - files_of(filled.form, data))
    sealed = tools.vault.encrypt(msgspec.json.encode(data), FORM_CONTEXT)
    return await change_case(connection, held, None, form_enc=sealed)


async def held_draft(connection: Connection, caller: Caller, case_id: UUID, revision: str) -> Mapping[str, Any]:
    """The citizen's draft, its row held. Raises Conflict where it is none any more, PreconditionFailed for an old
    ETag."""
    held = await lock_own_case(connection, case_id, caller.id)
    if held["status"] != "draft":
        raise Conflict("case_not_a_draft", params={"status": held["status"]})
    if revision.strip().removeprefix("W/").strip('"') not in (str(held["revision"]), "*"):
        raise PreconditionFailed()
    return held


async def submit_draft(
    connection: Connection, caller: Caller, case_id: UUID, tools: CaseTools
) -> tuple[Mapping[str, Any], DeliveryRow]:
    """Hand in a draft, checked against the schema version it was written for. The delivery has no job yet."""
    held = await lock_own_case(connection, case_id, caller.id)
    if held["status"] != "draft":
        raise Conflict("case_not_a_draft", params={"status": held["status"]})
    service = service_for(held["service"], caller, tools)
    form = form_for(service, held["form_version"], tools)
    data = msgspec.json.decode(tools.vault.decrypt(held["form_enc"], FORM_CONTEXT))
    filled = Filled(service, form, data)
    check_schema(filled, draft=False)
    applicant = await load_applicant(connection, caller.id, tools)
    check_rules(filled, applicant, tools)
    await _take_files(connection, case_id, caller, filled)
    changed = await change_case(
        connection,
        held,
        Line("submitted", "submitted"),
        status="submitted",
        backend=backend_of(filled, tools),
        submitted_at=datetime.now(UTC),
        due_on=due_for(service, tools),
        delivery_state="queued",
    )
    await keep_given(connection, caller, case_id, form.consents(data), tools.catalog)
    delivery = await store_delivery(connection, changed, applicant, Handover("submit", caller.id, data), tools)
    await check_lane(connection, (changed["module"], caller.id), delivery, tools)
    return changed, delivery


async def withdraw(
    connection: Connection, caller: Caller, case_id: UUID, reason: str, tools: CaseTools
) -> Mapping[str, Any]:
    """End a case that is not decided yet. The agency is told where it has, or may have, the case."""
    held = await lock_own_case(connection, case_id, caller.id)
    if held["status"] == "withdrawn":
        return held
    if held["status"] not in WITHDRAWABLE:
        raise Conflict("case_already_decided", params={"status": held["status"]})
    # Where no worker has taken it yet, the agency never hears of it.
    called_back = held["delivery_state"] == "queued" and await connection.fetchval(_CALL_BACK, case_id)
    standing = None if called_back else held["delivery_state"]
    changed = await change_case(
        connection,
        held,
        Line("withdrawn", "withdrawn", {"reason": tools.vault.seal(reason)} if reason else {}),
        status="withdrawn",
        question=None,
        next_refresh_at=None,
        delivery_state=standing,
    )
    if standing is not None:
        applicant = await load_applicant(connection, caller.id, tools)
        told = Handover("withdraw", caller.id, _form_data(held, tools), {"reason": reason})
        await hand_over(connection, changed, applicant, told, tools)
    return changed


async def ask_to_withdraw(
    connection: Connection, caller: Caller, case_id: UUID, reason: str, tools: CaseTools
) -> tuple[Mapping[str, Any], DeliveryRow | None]:
    """The withdrawal of a case that only its agency can end; the case stands until the agency has ended it. No delivery
    where it has ended already. Raises Conflict while it is not known whether the agency has it."""
    held = await lock_own_case(connection, case_id, caller.id)
    if held["status"] == "withdrawn":
        return held, None
    if held["status"] not in WITHDRAWABLE:
        raise Conflict("case_already_decided", params={"status": held["status"]})
    if held["delivery_state"] != "delivered":
        raise Conflict("case_in_progress", retry_after_s=IN_PROGRESS_RETRY_S)
    applicant = await load_applicant(connection, caller.id, tools)
    told = Handover("withdraw", caller.id, _form_data(held, tools), {"reason": reason})
    return held, await store_delivery(connection, held, applicant, told, tools)


async def answer_question(
    connection: Connection, caller: Caller, case_id: UUID, answer: str, tools: CaseTools
) -> Mapping[str, Any]:
    """Answer what the agency asked; the case is then with the agency again, and its clock runs on."""
    held = await lock_own_case(connection, case_id, caller.id)
    if held["status"] != "needs_citizen":
        raise Conflict("case_asks_nothing", params={"status": held["status"]})
    applicant = await load_applicant(connection, caller.id, tools)
    line = Line("answered", "in_review", {"answer": tools.vault.seal(answer)})
    due = await due_after_waiting(connection, held, tools.catalog.timezone)
    changed = await change_case(connection, held, line, status="in_review", question=None, due_on=due)
    words = {"question": tools.vault.unseal(held["question"] or ""), "answer": answer}
    told = Handover("answer", caller.id, _form_data(held, tools), words)
    await hand_over(connection, changed, applicant, told, tools)
    return changed


async def rate(
    connection: Connection, caller: Caller, case_id: UUID, rating: Rating, tools: CaseTools
) -> Mapping[str, Any]:
    """Rate a case that has ended, once."""
    held = await lock_own_case(connection, case_id, caller.id)
    if held["status"] not in FINAL:
        raise Conflict("case_not_ended", params={"status": held["status"]})
    if held["rating"] is not None:
        raise Conflict("case_already_rated")
    line = Line("rated", held["status"], {"score": rating.score, "comment": tools.vault.seal(rating.comment)})
    return await change_case(connection, held, line, rating=rating.score)


async def check_lane(connection: Connection, asking: tuple[str, UUID], delivery: DeliveryRow, tools: CaseTools) -> None:
    """Raises Conflict where the lane of a module's case takes one only, and one stands. Another's is not named."""
    module, citizen_id = asking
    if not tools.modules[module].handler.one_per_lane:
        return
    standing = await fetch_anybodys(connection, _STANDING, delivery.lane, delivery.id)
    if standing is not None and standing["citizen_id"] == citizen_id:
        raise Conflict("case_exists", params={"number": standing["number"]})
    if standing is not None:
        raise Conflict("case_exists_elsewhere")


def _form_data(held: Mapping[str, Any], tools: CaseTools) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.json.decode(tools.vault.decrypt(held["form_enc"], FORM_CONTEXT))
    return data


async def _take_files(connection: Connection, case_id: UUID, caller: Caller, filled: Filled) -> None:
    """Bind the form's files and the loose ones to the case. Raises Unprocessable for a file its field does not take."""
    check_files(filled, await take_attachments(connection, case_id, caller, attachments_of(filled)))
