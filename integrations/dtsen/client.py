"""The service's wire: its addresses, its envelope and its refusals. What a row means is the adapter's business."""

# Every answer is {"sukses", "kode", "pesan", "data"}; a refusal has `sukses` false. Below the API's version on the bus:
#
# operation         address                                  asked                                  answered in `data`
# programmes        GET  /program                                                                   list of programmes
# household         POST /keluarga/cari                      nik or no_kk                           anggota, bantuan
# submit            POST /pengajuan                          JSON, or `data` (JSON) with `foto`     nomor
# find              POST /pengajuan/cari                     referensi (ours)                       as matter
# matter            GET  /pengajuan/{nomor}                                                         tahapan, hasil
# answer, withdraw  POST /pengajuan/{nomor}/jawaban, /batal  pertanyaan and jawaban; alasan         nomor
# certificate       POST /surat-keterangan/cek               nomor                                  nama, desil, dates
#
# What names a person stands in a body, never in an address. A `referensi` is registered once, however often it is sent.

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from app.agency_answers import read_json, text
from app.agency_client import AgencyClient, Call, FormFile, Reply
from app.errors import AgencyError, AgencyRejected, AgencyUnavailable, OutcomeUnknown
from integrations.dtsen.bus import BusClient
from integrations.dtsen.refusals import ABSENT, meaning_of

Row = Mapping[str, object]

_NUMBER = re.compile(r"[A-Z]{3}-[0-9]{4}-[0-9]{6}")
_CODE = re.compile(r"[A-Z0-9_]{1,40}")


class DtsenClient:
    """One method per address. Each raises AgencyUnavailable, AgencyRejected and, where it changes something,
    OutcomeUnknown."""

    def __init__(self, client: AgencyClient) -> None:
        self._name = client.backend.name
        self._policies = client.manifest.operations
        self._bus = BusClient(client)

    async def programmes(self) -> Sequence[Row]:
        found = await self._ask(Call(operation="programmes", path="/program"))
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            raise self._unreadable("programmes", "no list in its answer")
        return found

    async def household(self, by: Literal["nik", "no_kk"], number: str) -> Row | None:
        """A household by a member's NIK or by its family card; None where there is none."""
        return await self._row("household", "/keluarga/cari", {by: number})

    async def submit(self, fields: Row, pictures: Sequence[FormFile]) -> str:
        """Hand a matter in; its number, the same for a reference that was handed in before."""
        call = Call(operation="submit", method="POST", path="/pengajuan", json=fields)
        if pictures:
            form = (("data", msgspec.json.encode(fields).decode()),)
            call = Call(operation="submit", method="POST", path="/pengajuan", form=form, files=pictures)
        told = await self._ask(call)
        number = text(told.get("nomor")) if isinstance(told, dict) else ""
        if not is_number(number):
            raise OutcomeUnknown(self._name, "submit", "taken, but without a number that can be read")
        return number

    async def find(self, reference: str) -> Row | None:
        """The matter handed in under our reference; None where there is none."""
        return await self._row("find", "/pengajuan/cari", {"referensi": reference})

    async def matter(self, number: str) -> Row:
        found = await self._ask(Call(operation="matter", path=f"/pengajuan/{self._checked('matter', number)}"))
        if not isinstance(found, dict):
            raise self._unreadable("matter", "no matter in its answer")
        return found

    async def answer(self, number: str, fields: Row) -> None:
        path = f"/pengajuan/{self._checked('answer', number)}/jawaban"
        await self._ask(Call(operation="answer", method="POST", path=path, json=fields))

    async def withdraw(self, number: str, fields: Row) -> None:
        path = f"/pengajuan/{self._checked('withdraw', number)}/batal"
        await self._ask(Call(operation="withdraw", method="POST", path=path, json=fields))

    async def certificate(self, number: str) -> Row | None:
        return await self._row("certificate", "/surat-keterangan/cek", {"nomor": number})

    async def _row(self, operation: str, path: str, fields: Row) -> Row | None:
        """One thing looked for: None where the service says that there is none, in either of its ways."""
        try:
            found = await self._ask(Call(operation=operation, method="POST", path=path, json=fields))
        except AgencyRejected as refused:
            if refused.code in ABSENT:
                return None
            raise
        if found is not None and not isinstance(found, dict):
            raise self._unreadable(operation, "not one thing in its answer")
        return found

    async def _ask(self, call: Call) -> object:
        """The `data` of an answer that says yes."""
        reply = await self._bus.ask(call)
        answer = read_json(reply.body)
        told = answer if isinstance(answer, dict) and isinstance(answer.get("sukses"), bool) else None
        if told is None:
            raise self._not_the_service(call.operation, reply)
        if told["sukses"] and 200 <= reply.status < 300:
            return told.get("data")
        code = text(told.get("kode"))
        data = told.get("data")
        if code == "REFERENSI_SUDAH_ADA" and isinstance(data, dict):
            return data
        # Its words may name somebody; its code cannot.
        said = f"HTTP {reply.status}, {code if _CODE.fullmatch(code) else 'without a code'}"
        if reply.status >= 500:
            raise self._failed(call.operation, said, "backend_failed")
        raise AgencyRejected(self._name, call.operation, said, code=meaning_of(code))

    def _not_the_service(self, operation: str, reply: Reply) -> AgencyError:
        """An answer that is not the service's own: something before it spoke, or it broke while speaking."""
        said = f"HTTP {reply.status}, not understood"
        if reply.status == 413:
            return AgencyRejected(self._name, operation, "HTTP 413", code="photo_refused")
        if 300 <= reply.status < 500:
            return AgencyUnavailable(self._name, operation, said, code="not_reached")
        return self._failed(operation, said, "backend_failed" if reply.status >= 500 else "unreadable")

    def _failed(self, operation: str, detail: str, code: str) -> AgencyError:
        kind = AgencyUnavailable if self._policies[operation].safe else OutcomeUnknown
        return kind(self._name, operation, detail, code=code)

    def _unreadable(self, operation: str, detail: str) -> AgencyUnavailable:
        return AgencyUnavailable(self._name, operation, detail, code="unreadable")

    def _checked(self, operation: str, number: str) -> str:
        """A number that may stand in an address."""
        if not is_number(number):
            raise AgencyRejected(self._name, operation, "no number of a matter", code="reference_unknown")
        return number


def is_number(number: str) -> bool:
    """Whether a text can be a matter's number; nothing of a person is in one."""
    return _NUMBER.fullmatch(number) is not None
