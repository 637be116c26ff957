"""A module's cases over the weak agency: what any integration does, with nothing to know a matter by but a name."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec

from app.agency_answers import TAKEN_OR_TURNED_AWAY, fault_unless, read_json
from app.agency_client import AgencyClient, Call, Reply
from app.cases.port import Applicant, CaseData, CaseHandler, Progress, Receipt
from app.errors import AgencyRejected, AgencyUnavailable, FieldError, OutcomeUnknown
from app.manifest import OperationPolicy

BUDGET_S = 0.4
_REFUSED = 422
_WRITE = OperationPolicy(budget_s=BUDGET_S, breaker_pause_s=0.1, breaker_longest_pause_s=0.2)
_READ = OperationPolicy(safe=True, budget_s=BUDGET_S, breaker_pause_s=0.1, breaker_longest_pause_s=0.2)
OPERATIONS: Mapping[str, OperationPolicy] = {
    **dict.fromkeys(("take", "answer", "withdraw"), _WRITE),
    **dict.fromkeys(("find", "state"), _READ),
}


class WeakCases(CaseHandler):
    """Withdrawals are told as often as need be."""

    repeats_withdrawals = True

    def __init__(self, client: AgencyClient) -> None:
        self._client = client

    def check(self, service: str, form: Mapping[str, object], applicant: Applicant) -> Sequence[FieldError]:
        return []

    async def submit(self, case: CaseData) -> Receipt:
        told = await self._write("take", {"sender": case.number, "who": case.applicant.name})
        return Receipt(str(told["number"]))

    async def find(self, case: CaseData, taken: Sequence[str]) -> Receipt | None:
        found = await self._read("find", ("who", case.applicant.name))
        if not isinstance(found, list):
            raise AgencyUnavailable("weak", "find", "not understood")
        ours = [number for number in found if number not in taken]
        if len(ours) > 1:
            raise OutcomeUnknown("weak", "find", f"{len(ours)} could be ours")
        return Receipt(ours[0]) if ours else None

    async def progress(self, case: CaseData) -> Progress:
        told = await self._read("state", ("number", case.agency_reference))
        if not isinstance(told, dict):
            raise AgencyUnavailable("weak", "state", "not understood")
        question = str(told["question"])
        return Progress("needs_citizen" if question else "in_review", question=question)

    async def answer(self, case: CaseData, question: str, answer: str) -> Receipt:
        await self._write("answer", {"number": case.agency_reference, "answer": answer})
        return Receipt(case.agency_reference)

    async def withdraw(self, case: CaseData, reason: str) -> Receipt:
        await self._write("withdraw", {"number": case.agency_reference})
        return Receipt(case.agency_reference)

    async def _write(self, operation: str, fields: Mapping[str, str]) -> Mapping[str, object]:
        call = Call(
            operation=operation, method="POST", path=f"/{operation}", json=fields, is_fault=fault_unless(_REFUSED)
        )
        reply = await self._client.call(call)
        if reply.status == _REFUSED:
            raise AgencyRejected("weak", operation, "HTTP 422", code="refused")
        if 300 <= reply.status < 500 and reply.status not in TAKEN_OR_TURNED_AWAY:
            raise AgencyUnavailable("weak", operation, f"HTTP {reply.status}")
        return self._understood(operation, reply)

    def _understood(self, operation: str, reply: Reply) -> Mapping[str, object]:
        told = read_json(reply.body)
        if reply.status != HTTPStatus.OK or not isinstance(told, dict) or "number" not in told:
            raise OutcomeUnknown("weak", operation, f"HTTP {reply.status}, not understood")
        return told

    async def _read(self, operation: str, asked: tuple[str, str]) -> object:
        call = Call(operation=operation, path=f"/{operation}", query=(asked,), is_fault=_is_no_json)
        reply = await self._client.call(call)
        if _is_no_json(reply):
            raise AgencyUnavailable("weak", operation, f"HTTP {reply.status}, not understood")
        return msgspec.json.decode(reply.body)


def _is_no_json(reply: Reply) -> bool:
    return reply.status != HTTPStatus.OK or read_json(reply.body) is None
