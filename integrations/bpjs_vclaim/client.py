"""VClaim's wire: its address, its field names, its refusals. What an entry means is the adapter's business.

The NIK stands in the path, as BPJS wants it: a path is never logged, traced or put into an error here.
"""

import re
import time
from collections.abc import Mapping
from datetime import date

from app.agency_answers import Envelope, for_officers, gateway_fault, matching, read_envelope, read_json
from app.agency_client import AgencyClient, Call, Reply
from app.errors import AgencyRejected, AgencyUnavailable
from app.settings import SettingsError
from integrations.bpjs_vclaim.sealing import Account, Unreadable, sealing_key, signed_headers, unseal

Row = Mapping[str, object]
# A participant is about 1,200 characters.
MOST_CHARACTERS = 32 * 1024

_NIK = re.compile(r"[0-9]{16}")
_OFFSET = re.compile(r"[+-]?[0-9]{1,6}")
# BPJS publishes no list of its refusals: they are told apart by their words. What is about us comes first, since
# "cons id tidak terdaftar" says nothing about the citizen; "service not found" does not either.
_MEANINGS = (
    ("clock_refused", ("timestamp|time stamp|expired|kedaluwarsa|kadaluarsa",)),
    ("credentials_refused", ("signature|cons id|consid|cons-id|user_key|user key|unauthorized|authenti|akses|access",)),
    ("unknown", ("peserta|nik|data", "tidak terdaftar|tidak ditemukan|tidak ada|not found")),
    ("nik_invalid", ("nik tidak|nik harus|nik salah",)),
)


class VclaimClient:
    """One method per address. Raises AgencyUnavailable for an answer that cannot be understood."""

    def __init__(self, client: AgencyClient) -> None:
        self._client = client
        self._name = client.backend.name
        self._account = Account(
            client.backend.settings["cons_id"],
            client.backend.credentials["secret_key"],
            client.backend.credentials["user_key"],
        )
        self._clock_offset_s = _offset_s(self._name, client.backend.settings["clock_offset_s"])

    async def participant(self, nik: str, on: date) -> Row | None:
        """The register's entry for a NIK on a day, None where it has none. Raises AgencyRejected for a bad NIK."""
        if not _NIK.fullmatch(nik):
            raise AgencyRejected(self._name, "participant", "not 16 digits", code="nik_invalid")
        # Signed anew for every call: BPJS seals its answer with the timestamp of that very request.
        timestamp = str(int(time.time()) + self._clock_offset_s)
        reply = await self._client.call(
            Call(
                operation="participant",
                path=f"/Peserta/nik/{nik}/tglSEP/{on.isoformat()}",
                headers=signed_headers(self._account, timestamp),
                is_fault=_has_no_envelope,
            )
        )
        envelope = read_envelope(reply)
        if envelope is None:
            raise self._no_envelope(reply)
        if envelope.code == 200:
            return self._entry(envelope.response, sealing_key(self._account, timestamp))
        if failure := self._refusal(envelope):
            raise failure
        return None

    def _entry(self, response: object, key: bytes) -> Row | None:
        """The entry in an answer, which some copies of VClaim send plain."""
        if isinstance(response, str):
            try:
                response = read_json(unseal(response, key, MOST_CHARACTERS).encode())
            except Unreadable as error:
                raise self._unavailable(f"answer cannot be opened: {error}", "answer_unreadable") from None
        entry = response.get("peserta", response) if isinstance(response, dict) else response
        if not isinstance(response, dict) or entry is response or not isinstance(entry, dict | None):
            raise self._unavailable("an answer without a participant", "not_understood")
        return entry

    def _refusal(self, envelope: Envelope) -> AgencyRejected | AgencyUnavailable | None:
        """What a refusal means; None where there is no such participant."""
        detail = f"code {envelope.code}: {for_officers(envelope.message)}"
        meaning = matching(envelope.message, _MEANINGS)
        if meaning == "unknown":
            return None
        if meaning == "nik_invalid":
            return AgencyRejected(self._name, "participant", detail, code=meaning)
        return self._unavailable(detail, meaning or "not_answered")

    def _no_envelope(self, reply: Reply) -> AgencyUnavailable:
        refused = reply.status in (401, 403)  # by the gateway that stands before VClaim
        detail = f"HTTP {reply.status} {gateway_fault(reply.body)}".strip()
        return self._unavailable(detail, "credentials_refused" if refused else "not_understood")

    def _unavailable(self, detail: str, code: str) -> AgencyUnavailable:
        return AgencyUnavailable(self._name, "participant", detail, code=code)


def _has_no_envelope(reply: Reply) -> bool:
    """What stands before VClaim answers in its own ways."""
    return read_envelope(reply) is None


def _offset_s(name: str, value: str) -> int:
    if not _OFFSET.fullmatch(value):
        raise SettingsError(f"LOKET_{name.upper()}_CLOCK_OFFSET_S is not a whole number of seconds")
    return int(value)
