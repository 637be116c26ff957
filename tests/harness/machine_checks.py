"""What must hold of every case once the machine is quiet, by the agency's own books."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.harness.tables import Tables
from tests.harness.weak_agency import WeakAgency

_CASES = """
SELECT cases.id, number, status, agency_reference, last_event, delivery_state, sent.state, sent.reason, sent.reference
FROM cases JOIN deliveries AS sent ON sent.case_id = cases.id AND sent.operation = 'submit' WHERE number = ANY($1)
"""
_LINES = "SELECT seq, kind FROM case_events WHERE case_id = $1 ORDER BY seq"
_TOLD = "SELECT operation, state, reason FROM deliveries WHERE case_id = $1 AND operation IN ('answer', 'withdraw')"
_MESSAGES = "SELECT count(*) FROM messages WHERE case_id = $1 AND key LIKE 'inbox.case_delivered%'"


async def broken(agency: WeakAgency, tables: Tables, numbers: set[str]) -> list[str]:
    """Each thing that does not hold, in words; empty where all does."""
    rows = await tables.rows(_CASES, list(numbers))
    found = [f"{number} is lost" for number in numbers - {row["number"] for row in rows}]
    strange = {matter.sender for matter in agency.matters.values()} - numbers
    found += [f"{sender} is registered and nobody's" for sender in strange]
    for row in rows:
        found += [f"{row['number']} ({row['state']}, {row['reason']}): {what}" for what in _of_submission(agency, row)]
        told = await tables.rows(_TOLD, row["id"])
        found += [f"{row['number']}: {what}" for what in _of_told(agency, row, told)]
        lines = await tables.rows(_LINES, row["id"])
        messages = await tables.value(_MESSAGES, row["id"])
        found += [f"{row['number']}: {what}" for what in _of_timeline(row, lines, messages)]
    return found


def _of_submission(agency: WeakAgency, row: dict[str, Any]) -> Iterator[str]:
    matters = agency.of(row["number"])
    if len(matters) > 1:
        yield f"registered {len(matters)} times"
    if row["state"] == "delivered" and [each.number for each in matters] != [row["reference"]]:
        yield f"linked to {row['reference']}, registered as {[each.number for each in matters]}"
    if row["state"] == "rejected" and matters:
        yield "refused here, and registered there"
    if row["state"] not in ("delivered", "rejected", "needs_operator"):
        yield "under way for ever"
    # The case of a submission that was called back has none any more.
    if row["delivery_state"] not in (row["state"], None):
        yield f"the case says {row['delivery_state']}"


def _of_told(agency: WeakAgency, row: dict[str, Any], told: list[dict[str, Any]]) -> Iterator[str]:
    matter = agency.matters.get(row["agency_reference"] or "")
    answers = Counter(matter.answers if matter else ())
    if doubled := [answer for answer, times in answers.items() if times > 1]:
        yield f"answered twice: {doubled}"
    if matter and not set(answers) <= {answer for answer in answers if answer.startswith(row["number"])}:
        yield "has another's answer"
    states = Counter((each["operation"], each["state"]) for each in told)
    if sum(answers.values()) < states["answer", "delivered"]:
        yield "an answer that is told did not arrive"
    if matter and sum(states["answer", state] for state in ("delivered", "needs_operator")) > matter.asked:
        yield f"asked {matter.asked} times, answered {states}"
    if states["withdraw", "delivered"] and not (matter and matter.withdrawn):
        yield "a withdrawal that is told did not arrive"
    was_told = states["withdraw", "delivered"] + states["withdraw", "needs_operator"] == 1
    if row["status"] == "withdrawn" and row["state"] == "delivered" and not was_told:
        yield f"withdrawn, and the agency was told {states}"
    if any(each["reason"] == "not_registered" for each in told) and row["state"] == "delivered":
        yield "before an officer for want of a number that it has"


def _of_timeline(row: dict[str, Any], lines: list[dict[str, Any]], messages: int) -> Iterator[str]:
    if [line["seq"] for line in lines] != list(range(1, row["last_event"] + 1)):
        yield f"its timeline has gaps: {lines}"
    kinds = Counter(line["kind"] for line in lines)
    if kinds["delivered"] != (row["state"] == "delivered") or messages != kinds["delivered"]:
        yield f"{kinds['delivered']} lines and {messages} messages of its delivery"
    if kinds["answered"] > kinds["needs_citizen"]:
        yield "answered more often than asked"
