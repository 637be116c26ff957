"""A delivery that ended as an officer has found out: written into the case as if a worker had settled it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from app.cases.claims import Claim, Outcome
from app.cases.port import Status
from app.cases.settle import hold, is_linked_elsewhere, settle_asked, tell
from app.cases.states import FINAL, may_move
from app.cases.timeline import Line
from app.cases.writes import change_case
from app.database import Connection
from app.errors import Conflict
from app.exchanges import Exchanges

# A new fence: a worker that still believes in its claim writes nothing any more.
_FENCE = "UPDATE deliveries SET fence = fence + 1, lease_until = NULL WHERE id = $1 RETURNING fence"
_END = """
UPDATE deliveries SET state = $2, unknown = false, reason = 'by_officer', reference = coalesce($3, reference),
    next_try_at = NULL, finished_at = now() WHERE id = $1
"""
_DROP_JOB = "DELETE FROM pgqueuer WHERE dedupe_key = $1 AND status IN ('queued', 'failed')"

# How the timeline tells that the agency did not take a thing of a case it has.
NOT_TAKEN = {"answer": "answer_not_taken", "withdraw": "withdraw_not_taken"}


async def end_by_hand(
    connection: Connection,
    row: Mapping[str, Any],
    outcome: Literal["delivered", "rejected"],
    reference: str | None,
    reason: str,
) -> None:
    """In the caller's transaction, which holds the case and the delivery (`row`, all its columns); `reason` is sealed.

    Raises Conflict where the agency's number is another case's.
    """
    if reference and await is_linked_elsewhere(connection, row["backend"], reference, row["case_id"]):
        raise Conflict("reference_taken")
    fence = await connection.fetchval(_FENCE, row["id"])
    await connection.execute(_DROP_JOB, str(row["id"]))
    if outcome == "delivered" and row["operation"] in ("submit", "withdraw"):
        settled = Outcome(state="delivered", reference=reference, reason="by_officer")
        await settle_asked(connection, _claim(row, fence), settled, asked=False)
        return
    await connection.execute(_END, row["id"], outcome, reference)
    if outcome == "delivered":
        if row["operation"] == "follow":
            await _link(connection, row, reference)
        return
    await _refuse(connection, row, reason)


def _claim(row: Mapping[str, Any], fence: int) -> Claim:
    return Claim(
        id=row["id"],
        case_id=row["case_id"],
        backend=row["backend"],
        operation=row["operation"],
        lane=row["lane"],
        payload_enc=None,
        unknown=False,
        attempts=row["attempts"],
        fence=fence,
        first_tried_at=row["first_tried_at"] or datetime.now(UTC),
        sent_s_ago=0.0,
        sent_after_s=0.0,
        surprises=0,
        row={},
        said=Exchanges(),
    )


async def _link(connection: Connection, row: Mapping[str, Any], reference: str | None) -> None:
    """The case goes by the right number from now on, and is asked after at once."""
    case = await hold(connection, row["case_id"])
    line = Line("reference_corrected", case["status"], {"reference": reference})
    due = None if case["status"] in FINAL else datetime.now(UTC)
    await change_case(connection, case, line, agency_reference=reference, next_refresh_at=due)


async def _refuse(connection: Connection, row: Mapping[str, Any], reason: str) -> None:
    """The citizen is told in the officer's words. An answer or a withdrawal that was not taken ends no case."""
    case = await hold(connection, row["case_id"])
    operation = row["operation"]
    if kind := NOT_TAKEN.get(operation):
        await change_case(connection, case, Line(kind, case["status"], {"reason": reason}))
        return
    ends = may_move(case["status"], "rejected")
    status: Status = "rejected" if ends else case["status"]
    values: dict[str, Any] = {"status": status}
    if operation == "submit":
        values |= {"delivery_state": "rejected", "delivery_reason": "by_officer"}
    if ends:
        values["next_refresh_at"] = None
        await tell(connection, case, "case_rejected", reason=reason)
    await change_case(
        connection, case, Line("refused_by_officer", status, {"reason": reason, "reason_code": "by_officer"}), **values
    )
