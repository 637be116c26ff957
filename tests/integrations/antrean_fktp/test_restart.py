"""The sandbox started anew on the same disk: the same patients, tickets and queue."""

from pathlib import Path

from app.sandbox.ledger import FileLedger
from integrations.antrean_fktp.office import Office
from integrations.antrean_fktp.sandbox import AntreanFktpSandbox
from tests.harness.patients import STRANGER, patient
from tests.integrations.antrean_fktp.conftest import Town, asked


async def test_nothing_is_lost(town: Town, tmp_path: Path) -> None:
    requests = [asked() for _ in range(3)] + [asked(nik=STRANGER)]
    await town.port.register(patient(requests[-1]))
    tickets = [await town.port.take(request) for request in requests]
    await town.bench.work(tickets[1].reference)
    await town.port.cancel(requests[2], tickets[2].reference, "")
    again = reopened(tmp_path)
    assert [ticket.number for ticket in again.tickets] == ["A1", "A2", "A3", "A4"]
    assert [ticket.state for ticket in again.tickets] == ["served", "called", "cancelled", "waiting"]
    assert [nik for _, nik in again.patients] == [STRANGER]
    assert again.matters(requests[1].reference) == again.matters(tickets[1].reference) == [1]


def reopened(folder: Path) -> Office:
    ledger = FileLedger(folder / "sandboxes" / "antrean_fktp.jsonl")
    sandbox = AntreanFktpSandbox(ledger)
    ledger.open(sandbox.apply)
    return sandbox._office
