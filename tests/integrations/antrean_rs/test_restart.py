"""The sandbox started anew on the same disk: the same patients, tickets and queue."""

from pathlib import Path

from app.sandbox.ledger import FileLedger
from integrations.antrean_rs.office import Office
from integrations.antrean_rs.sandbox import AntreanRsSandbox
from tests.harness.patients import STRANGER, patient
from tests.integrations.antrean_rs.conftest import Hospital, asked


async def test_nothing_is_lost(hospital: Hospital, tmp_path: Path) -> None:
    requests = [asked() for _ in range(3)] + [asked(nik=STRANGER)]
    number = await hospital.port.register(patient(requests[-1]))
    tickets = [await hospital.port.take(request) for request in requests]
    await hospital.bench.work(tickets[1].reference)
    await hospital.port.cancel(requests[2], tickets[2].reference, "")
    await hospital.port.check_in(requests[3], tickets[3].reference)
    again = reopened(tmp_path)
    assert [ticket.booking for ticket in again.tickets] == [ticket.reference for ticket in tickets]
    assert [ticket.state for ticket in again.tickets] == ["served", "called", "cancelled", "waiting"]
    assert [ticket.checked_in for ticket in again.tickets] == [False, False, False, True]
    assert list(again.patients.values()) == [number]
    assert again.matters(requests[1].reference) == again.matters(tickets[1].reference) == [1]


def reopened(folder: Path) -> Office:
    ledger = FileLedger(folder / "sandboxes" / "antrean_rs.jsonl")
    sandbox = AntreanRsSandbox(ledger)
    ledger.open(sandbox.apply)
    return sandbox._office
