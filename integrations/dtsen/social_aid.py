"""The social aid port over the social agency's own service: its rows as households, payments, matters and letters."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.agency_answers import moment, rows, text, whole
from app.agency_client import AgencyClient
from app.cases.port import Progress, Receipt, Status, Step
from app.errors import AgencyRejected, AgencyUnavailable, OutcomeUnknown
from app.settings import SettingsError
from integrations.dtsen.client import DtsenClient, Row
from integrations.dtsen.forms import pictures, request_fields
from services.social_aid.port import (
    AidRequest,
    Certificate,
    Entitlement,
    HouseholdAid,
    Matter,
    Member,
    Missing,
    Outcome,
    Programme,
    Relation,
    SocialAidPort,
    Visit,
)

_NIK = re.compile(r"[0-9]{16}")
_CERTIFICATE = re.compile(r"[0-9A-Za-z][0-9A-Za-z./ -]{2,60}")
_INDONESIAN_DAY = re.compile(r"([0-3][0-9])-([01][0-9])-([12][0-9]{3})(.*)")
_DECILE = re.compile(r"(?:DESIL[_ ])?(10|[1-9])")
_UNDETERMINED = {"", "BELUM DITENTUKAN", "0"}
_RELATIONS: Mapping[str, Relation] = {
    "KEPALA KELUARGA": "head",
    "SUAMI": "spouse",
    "ISTRI": "spouse",
    "ANAK": "child",
    "CUCU": "grandchild",
    "ORANG TUA": "parent",
    "MERTUA": "in_law",
    "MENANTU": "in_law",
}
_STATES: Mapping[str, Literal["paid", "awaiting", "failed", "stopped"]] = {
    "SALUR": "paid",
    "PROSES": "awaiting",
    "GAGAL": "failed",
    "HENTI": "stopped",
}
_KINDS: Mapping[str, Literal["pkh", "sembako", "pbi_jk"]] = {"PKH": "pkh", "SEMBAKO": "sembako", "PBI_JK": "pbi_jk"}
_OWNERS: Mapping[str, Literal["national", "province"]] = {"PUSAT": "national", "PROVINSI": "province"}
_STEPS: Mapping[str, Literal["done", "current"]] = {"SELESAI": "done", "BERJALAN": "current"}
_VISITS: Mapping[str, Literal["planned", "done", "missed"]] = {
    "DIRENCANAKAN": "planned",
    "SELESAI": "done",
    "TIDAK_BERTEMU": "missed",
}
_DECISIONS: Mapping[str, Literal["accepted", "refused"]] = {"DITERIMA": "accepted", "DITOLAK": "refused"}


class DtsenSocialAid(SocialAidPort):
    """Nothing of a household is kept here. What it cannot read it does not leave out: it says unavailable."""

    def __init__(self, client: AgencyClient) -> None:
        self._name = client.backend.name
        self._zone = _zone(self._name, client.backend.settings["time_zone"])
        self._client = DtsenClient(client)

    async def programmes(self) -> Sequence[Programme]:
        return [self._programme(row) for row in await self._client.programmes()]

    async def household_aid(self, nik: str) -> HouseholdAid | None:
        if not _NIK.fullmatch(nik):
            raise AgencyRejected(self._name, "household", "not 16 digits", code="nik_invalid")
        row = await self._client.household("nik", nik)
        if row is None:
            return None
        found = self._household(row)
        if nik not in {member.nik for member in found.members}:
            raise self._unreadable("household", "another household than the one asked for")
        return found

    async def submit(self, request: AidRequest) -> Receipt:
        return Receipt(await self._client.submit(request_fields(request), pictures(request)))

    async def find(self, request: AidRequest, taken: Sequence[str]) -> Receipt | None:
        try:
            row = await self._client.find(request.reference)
        except AgencyRejected as refused:
            raise OutcomeUnknown(self._name, "find", refused.detail) from None
        if row is None:
            return None
        number = text(row.get("nomor"))
        if text(row.get("referensi")) != request.reference or not number:
            raise self._unreadable("find", "another matter than the one asked for")
        return None if number in taken else Receipt(number)

    async def matter(self, reference: str) -> Matter:
        row = await self._client.matter(reference)
        outcome = self._outcome(_part(row, "hasil"))
        return Matter(
            progress=self._progress(row, outcome),
            visit=self._visit(_part(row, "kunjungan")),
            outcome=outcome,
        )

    async def answer(self, reference: str, question: str, answer: str) -> Receipt:
        await self._client.answer(reference, {"pertanyaan": question, "jawaban": answer})
        return Receipt(reference)

    async def withdraw(self, reference: str, reason: str) -> Receipt:
        await self._client.withdraw(reference, {"alasan": reason})
        return Receipt(reference)

    async def certificate(self, number: str) -> Certificate | None:
        row = await self._client.certificate(number) if _CERTIFICATE.fullmatch(number) else None
        if row is None:
            return None
        decile, holder, issued_by = _decile(row.get("desil")), text(row.get("nama")), text(row.get("penerbit"))
        if decile is None or not holder or text(row.get("nomor")) != number:
            raise self._unreadable("certificate", "no decile, no holder or another number")
        return Certificate(
            number=number,
            holder=holder,
            decile=decile,
            purpose=text(row.get("keperluan")),
            issued_by=issued_by,
            issued_on=_day(row.get("tanggal_terbit")),
            valid_until=_day(row.get("berlaku_sampai")),
            proven_at=datetime.now(UTC),
        )

    def _programme(self, row: Row) -> Programme:
        code, name = text(row.get("kode")), text(row.get("nama"))
        if not code or not name:
            raise self._unreadable("programmes", "a programme without code or name")
        lowest, highest = whole(row.get("desil_min")), whole(row.get("desil_max"))
        basis = row.get("dasar_hukum")
        return Programme(
            code=code,
            kind=_KINDS.get(text(row.get("jenis")).upper(), "other"),
            name=name,
            owner=_OWNERS.get(text(row.get("penyelenggara")).upper(), "city"),
            about=text(row.get("uraian")),
            eligibility=text(row.get("syarat")),
            legal_basis=[text(each) for each in basis] if isinstance(basis, list) else [],
            deciles=None if lowest is None or highest is None else (lowest, highest),
        )

    def _household(self, row: Row) -> HouseholdAid:
        decile, updated_on = _decile(row.get("desil_nasional")), _day(row.get("tanggal_data"))
        missing: dict[str, Missing] = {}
        if decile is None:
            told = text(row.get("desil_nasional")).upper()
            missing["decile"] = "not_told" if told in _UNDETERMINED else "unreadable"
        if updated_on is None:
            missing["updated_on"] = "unreadable" if text(row.get("tanggal_data")) else "not_told"
        paid = [self._entitlement(each) for each in rows(row.get("bantuan"))]
        return HouseholdAid(
            reference=self._needed("household", row, "id_keluarga"),
            members=[self._member(each) for each in rows(row.get("anggota"))],
            decile=decile,
            entitlements=sorted(paid, key=lambda each: each.begins_on, reverse=True),
            as_of=datetime.now(UTC),
            updated_on=updated_on,
            missing=missing,
        )

    def _member(self, row: Row) -> Member:
        return Member(
            nik=_sixteen(row.get("nik")),
            name=self._needed("household", row, "nama"),
            relation=_RELATIONS.get(text(row.get("hubungan")).upper(), "other"),
            birth_date=_day(row.get("tanggal_lahir")),
        )

    def _entitlement(self, row: Row) -> Entitlement:
        period = _part(row, "periode") or {}
        begins_on, ends_on = _day(period.get("mulai")), _day(period.get("selesai"))
        state = _STATES.get(text(row.get("status")).upper())
        if begins_on is None or ends_on is None or state is None:
            raise self._unreadable("household", "a payment without its period or state")
        receivers = row.get("nik_penerima")
        return Entitlement(
            programme=self._needed("household", row, "kode_program"),
            begins_on=begins_on,
            ends_on=ends_on,
            state=state,
            amount_idr=whole(row.get("nominal")),
            paid_on=_day(row.get("tanggal_salur")),
            channel=text(row.get("penyalur")),
            members=[_sixteen(each) for each in receivers] if isinstance(receivers, list) else [],
            ground=text(row.get("dasar")),
            reason=text(row.get("keterangan")),
        )

    def _progress(self, row: Row, outcome: Outcome | None) -> Progress:
        steps = [self._step(each) for each in rows(row.get("tahapan"))]
        if not steps:
            raise self._unreadable("matter", "no step in its answer")
        letter = _part(row, "surat") or {}
        number = text(letter.get("nomor"))
        return Progress(
            status=_status(row, steps, outcome),
            steps=steps,
            question="" if outcome else text(row.get("pertanyaan")),
            reason=outcome.reasons if outcome and outcome.decision == "refused" else "",
            product={"certificate_number": number} if number else {},
        )

    def _step(self, row: Row) -> Step:
        return Step(
            key=self._needed("matter", row, "kode"),
            label=self._needed("matter", row, "nama"),
            state=_STEPS.get(text(row.get("status")).upper(), "to_come"),
            at=moment(_iso(row.get("waktu")), self._zone),
        )

    def _visit(self, row: Row | None) -> Visit | None:
        if row is None:
            return None
        state = _VISITS.get(text(row.get("status")).upper())
        if state is None:
            raise self._unreadable("matter", "a visit without its state")
        return Visit(
            state=state,
            by=self._needed("matter", row, "petugas"),
            planned_on=_day(row.get("tanggal_rencana")),
            done_on=_day(row.get("tanggal_selesai")),
            findings=text(row.get("temuan")),
        )

    def _outcome(self, row: Row | None) -> Outcome | None:
        if row is None:
            return None
        decision = _DECISIONS.get(text(row.get("keputusan")).upper())
        if decision is None:
            raise self._unreadable("matter", "an outcome without a decision")
        return Outcome(
            decision=decision,
            decided_by=self._needed("matter", row, "pejabat"),
            reasons=self._needed("matter", row, "alasan"),
            decided_on=_day(row.get("tanggal")),
        )

    def _needed(self, operation: str, row: Row, field: str) -> str:
        value = text(row.get(field))
        if not value:
            raise self._unreadable(operation, f"no {field} in its answer")
        return value

    def _unreadable(self, operation: str, detail: str) -> AgencyUnavailable:
        return AgencyUnavailable(self._name, operation, detail, code="unreadable")


def _status(row: Row, steps: Sequence[Step], outcome: Outcome | None) -> Status:
    if outcome is not None:
        return "completed" if outcome.decision == "accepted" else "rejected"
    if row.get("dibatalkan") is True:
        return "withdrawn"
    if text(row.get("pertanyaan")):
        return "needs_citizen"
    return "in_review" if any(step.state == "done" for step in steps) else "submitted"


def _part(row: Row, field: str) -> Row | None:
    value = row.get(field)
    return value if isinstance(value, dict) and value else None


def _decile(value: object) -> int | None:
    """A decile as number or text (3, "3", "DESIL_3"); None for none and for a group of several."""
    found = _DECILE.fullmatch(text(value).upper().removesuffix(".0"))
    return int(found[1]) if found else None


def _sixteen(value: object) -> str:
    """A NIK that may have come as a number."""
    return text(value).zfill(16)


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(_iso(value)[:10])
    except ValueError:
        return None


def _iso(value: object) -> str:
    """A day, or a day and time, that may be written as in the country: 22-11-2026 08:15:00."""
    written = text(value)
    found = _INDONESIAN_DAY.fullmatch(written)
    return f"{found[3]}-{found[2]}-{found[1]}{found[4]}" if found else written


def _zone(backend: str, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise SettingsError(f"LOKET_{backend.upper()}_TIME_ZONE is a zone such as Asia/Jakarta") from None
