"""SICANTIK's wire: its addresses, its field names, and its habits. What an answer means is the adapter's business.

Parameters go straight into SQL over there, so every number and id is checked here before it is sent.
"""

import base64
import re
from collections.abc import Mapping, Sequence

from app.agency_answers import TAKEN_OR_TURNED_AWAY, fault_unless, read_json
from app.agency_client import AgencyClient, Call, FormFile, Reply
from app.errors import AgencyRejected, AgencyUnavailable, OutcomeUnknown

Row = Mapping[str, object]
API = "/backoffice/api"

_ID = re.compile(r"[0-9]{1,9}")
_REGISTRATION = re.compile(r"[0-9]{16,20}|[0-9]{5,6}/[0-9]{3,6}/[0-9]{2,4}/[0-9]{2}/[0-9]{4}")
# Of a registration, by the HTTP status alone.
_REFUSALS = (400, 413, 422)
# PHP takes the string "0" for missing and answers 400; "00" it takes, and MySQL reads it as 0.
_FROM_THE_FIRST = "00"


class SicantikClient:
    """One method per address. Reads raise AgencyUnavailable for an answer that cannot be understood."""

    def __init__(self, client: AgencyClient) -> None:
        self._client = client
        self._name = client.backend.name

    async def register(self, form: Sequence[tuple[str, str]], files: Sequence[FormFile]) -> str:
        """The new registration's number. Raises AgencyRejected, AgencyUnavailable, OutcomeUnknown."""
        call = Call(
            operation="register",
            method="POST",
            path=f"{API}/pendaftaran",
            form=form,
            files=files,
            is_fault=fault_unless(*_REFUSALS),
        )
        reply = await self._client.call(call)
        if reply.status in _REFUSALS:
            raise AgencyRejected(self._name, "register", f"HTTP {reply.status}", code="refused")
        if 300 <= reply.status < 500 and reply.status not in TAKEN_OR_TURNED_AWAY:
            # Wrong address, or something before the system that wants credentials: the system itself saw nothing.
            raise AgencyUnavailable(self._name, "register", f"HTTP {reply.status}", code="not_reached")
        answer = read_json(reply.body)
        if reply.status != 200 or not isinstance(answer, dict):
            raise OutcomeUnknown(self._name, "register", f"HTTP {reply.status}, not understood")
        number = text(answer, "no_pendaftaran")
        if is_registration(number) and not _says_no(answer):
            return number
        if _says_no(answer) and not number:
            raise AgencyRejected(self._name, "register", "registration failed", code="failed")
        # It may stand there: only a plain no ends a case.
        raise OutcomeUnknown(self._name, "register", "neither registered under a number nor refused")

    async def registration(self, number: str) -> list[Row]:
        """Registrations bearing the number: none, one, or (made at the same moment) several."""
        return await self._list("registration", "permohonan", ("pendaftaran", self._registration(number)))

    async def track(self, number: str) -> list[Row]:
        """Done steps in order, the present one marked, then the steps to come."""
        return await self._list("track", "permohonan2", ("pendaftaran", self._registration(number)))

    async def newest(self, limit: int) -> list[Row]:
        """Registrations under way by the day they came in, newest first."""
        return await self._list("registrations", "listpermohonan", ("limit", str(limit)))

    async def issued(self, limit: int, offset: int) -> list[Row]:
        """Registrations whose licence is issued, newest first, with its number."""
        start = str(offset) if offset else _FROM_THE_FIRST
        return await self._list("issued", "listpermohonanterbit", ("limit", str(limit)), ("offset", start))

    async def prove(self, licence_number: str) -> list[Row]:
        encoded = base64.b64encode(licence_number.encode()).decode()
        return await self._list("prove", "cekperizinan", ("no_izin", encoded))

    async def permit_types(self) -> list[Row]:
        return await self._list("permit_types", "jenisperizinanlist")

    async def kinds(self) -> list[Row]:
        return await self._list("kinds", "jenispermohonanlist")

    async def requirements(self, permit_id: str) -> list[Row]:
        return await self._list("requirements", "syaratperizinan", ("perizinan", self._id(permit_id)))

    async def provinces(self) -> list[Row]:
        return await self._list("regions", "propinsi")

    async def cities(self, province_id: str) -> list[Row]:
        return await self._list("regions", "kabupaten", ("id_prop", self._id(province_id)))

    async def districts(self, city_id: str) -> list[Row]:
        return await self._list("regions", "kecamatan", ("id_kab", self._id(city_id)))

    async def villages(self, district_id: str) -> list[Row]:
        return await self._list("regions", "kelurahan", ("id_kec", self._id(district_id)))

    async def _list(self, operation: str, address: str, *query: tuple[str, str]) -> list[Row]:
        call = Call(operation=operation, path=f"{API}/{address}", query=query, is_fault=_is_no_list)
        reply = await self._client.call(call)
        rows = _rows(reply)
        if rows is None:
            raise AgencyUnavailable(self._name, operation, f"HTTP {reply.status}, not understood")
        return rows

    def _id(self, value: str) -> str:
        if not _ID.fullmatch(value):
            raise AgencyRejected(self._name, "read", "an id that is no number", code="id_malformed")
        return value

    def _registration(self, number: str) -> str:
        if not is_registration(number):
            raise AgencyRejected(self._name, "read", "no registration number", code="reference_malformed")
        return number


def is_registration(number: str) -> bool:
    """Whether a text can be one of its registration numbers; one city writes them with slashes."""
    return _REGISTRATION.fullmatch(number) is not None


def text(row: Row, key: str) -> str:
    """A value as text, "" where it is missing: numbers come as strings, and now and then not."""
    value = row.get(key)
    return "" if value is None else str(value).strip()


def _says_no(answer: Row) -> bool:
    """`success` is a boolean, or what PHP makes of one in a copy with another encoder."""
    return text(answer, "success").casefold() in ("false", "0") or text(answer, "status").casefold() == "failed"


def _is_no_list(reply: Reply) -> bool:
    return _rows(reply) is None


def _rows(reply: Reply) -> list[Row] | None:
    """None for what is no list of objects."""
    if reply.status == 404 and _is_nothing(reply):
        return []
    rows = read_json(reply.body)
    if reply.status != 200 or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return None
    return rows


def _is_nothing(reply: Reply) -> bool:
    """An empty list is a 404, with no body or with an error in words; any other 404 is a wrong address."""
    if not reply.body.strip():
        return True
    answer = read_json(reply.body)
    return isinstance(answer, dict) and "error" in answer
