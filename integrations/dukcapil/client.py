"""Dukcapil's element comparison on the wire: its address, its field names, its refusals, which are HTTP 200 as well."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone

from app.agency_answers import fault_unless, for_officers, matching, read_json, rows, text, whole
from app.agency_client import AgencyClient, Call
from app.errors import AgencyUnavailable

Row = Mapping[str, object]

# Midnight at the register, when a new day's questions begin.
_JAKARTA = timezone(timedelta(hours=7))
# Refusals about us, told apart by their words: they come without a code, and installations word them differently.
_REFUSALS = (
    ("quota_spent", ("kuota|quota",)),
    ("address_refused", ("ip",)),
    ("credentials_refused", ("login|user|password|hak akses|otorisasi|unauthorized",)),
)


class DukcapilClient:
    """One method per address. Raises AgencyUnavailable for an answer that is about us, or not understood."""

    def __init__(self, client: AgencyClient) -> None:
        self._client = client
        self._name = client.backend.name

    async def compare(self, nik: str, elements: Mapping[str, str], threshold: int) -> Sequence[Row]:
        """What the register says of each element given, or its code and words where it compares nothing: one row for
        each entry it has under the NIK, at least one.

        Its keys in capitals, whatever the installation writes.
        """
        backend = self._client.backend
        asked = {
            "USER_ID": backend.credentials["user_id"],
            "PASSWORD": backend.credentials["password"],
            "IP_USER": backend.settings["ip_user"],
            "TRESHOLD": str(threshold),  # their spelling
            "NIK": nik,
            **elements,
        }
        reply = await self._client.call(
            Call(
                operation="compare",
                method="POST",
                path=backend.settings["path"],
                json=asked,
                is_fault=fault_unless(),
            )
        )
        answer = read_json(reply.body) if reply.status == 200 else None
        found = rows(answer.get("content")) if isinstance(answer, dict) else []
        if not found:
            raise self._unavailable(f"HTTP {reply.status}, not understood", "not_understood")
        entries = [{key.upper(): value for key, value in row.items()} for row in found]
        for entry in entries:
            self._check(entry, nik)
        return entries

    def _check(self, row: Row, nik: str) -> None:
        """Raises AgencyUnavailable for words about us, or about somebody else."""
        said = f"{text(row.get('RESPON'))} {text(row.get('RESPONSE'))}"
        if refusal := matching(said, _REFUSALS):
            wait_s = _until_midnight_s() if refusal == "quota_spent" else None
            raise self._unavailable(for_officers(said), refusal, wait_s)
        told = row.get("NIK")
        if whole(told) not in (None, int(nik)):
            # A number, so that a NIK beginning with zeros would be shorter.
            raise self._unavailable("answered for another NIK", "other_person")

    def _unavailable(self, detail: str, code: str, wait_s: float | None = None) -> AgencyUnavailable:
        return AgencyUnavailable(self._name, "compare", detail, code=code, retry_after_s=wait_s)


def _until_midnight_s() -> float:
    now = datetime.now(UTC).astimezone(_JAKARTA)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - now).total_seconds()
