"""The insurer's register over VClaim."""

from datetime import UTC, date, datetime

from app.agency_answers import text, whole
from app.agency_client import AgencyClient
from app.errors import AgencyUnavailable
from integrations.bpjs_vclaim.client import Row, VclaimClient
from services.health.port import Membership, MembershipPort, Missing

_ACTIVE = "0"


class VclaimMembership(MembershipPort):
    """Reads one participant at a time; keeps nothing."""

    def __init__(self, client: AgencyClient) -> None:
        self._name = client.backend.name
        self._client = VclaimClient(client)

    async def membership(self, nik: str, on: date) -> Membership | None:
        found = await self._client.participant(nik, on)
        if found is None:
            return None
        if not _is_of(found, nik):
            raise AgencyUnavailable(self._name, "participant", "answered for another NIK", code="other_person")
        if not text(found.get("noKartu")) or not text(found.get("nama")):
            raise AgencyUnavailable(self._name, "participant", "no card number or no name", code="not_understood")
        return _membership(found)


def _membership(row: Row) -> Membership:
    state = _inside(row, "statusPeserta", "kode")
    birth_date, valid_until = text(row.get("tglLahir")), text(row.get("tglTAT"))
    told = {
        "active": state,
        "care_class": _inside(row, "hakKelas", "keterangan"),
        "facility_code": _inside(row, "provUmum", "kdProvider"),
        "facility_name": _inside(row, "provUmum", "nmProvider"),
        "birth_date": birth_date,
        "valid_until": valid_until,
    }
    missing: dict[str, Missing] = {name: "not_told" for name, value in told.items() if not value}
    unread = {"birth_date": birth_date, "valid_until": valid_until}
    missing |= {name: "unreadable" for name, value in unread.items() if value and _day(value) is None}
    return Membership(
        card_number=text(row.get("noKartu")).zfill(13),
        name=text(row.get("nama")),
        active=state == _ACTIVE if state else None,
        status=_inside(row, "statusPeserta", "keterangan"),
        kind=_inside(row, "jenisPeserta", "keterangan"),
        care_class=told["care_class"] or None,
        facility_code=told["facility_code"] or None,
        facility_name=told["facility_name"] or None,
        birth_date=_day(birth_date),
        valid_until=_day(valid_until),
        as_of=datetime.now(UTC),
        missing=missing,
    )


def _is_of(row: Row, nik: str) -> bool:
    """Whether an entry is the asked person's. Its NIK is null now and then, and then the question has to do."""
    told = row.get("nik")
    return told in (None, "") or whole(told) == int(nik)


def _inside(row: Row, name: str, key: str) -> str:
    """A value of an object inside the entry, "" where there is none: codes come as text and as numbers."""
    value = row.get(name)
    return text(value.get(key)) if isinstance(value, dict) else ""


def _day(value: str) -> date | None:
    try:
        return date.fromisoformat(value[:10])
    except ValueError:
        return None
