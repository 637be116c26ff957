"""Antrean FKTP's wire: its addresses and its field names. What an answer means is the adapter's business."""

import re
from collections.abc import Mapping
from datetime import date

from app.agency_answers import Envelope
from app.agency_client import AgencyClient, Call
from app.agency_envelope import Access, EnvelopeClient
from app.errors import AgencyRejected

# What stands in an address; anything else there would be another address.
_CODE = re.compile(r"[A-Za-z0-9-]{1,12}")
_CARD = re.compile(r"[0-9]{13}")


class AntreanFktpClient:
    """One method per address. Each raises what EnvelopeClient.ask raises."""

    def __init__(self, client: AgencyClient) -> None:
        settings, credentials = client.backend.settings, client.backend.credentials
        username = {settings["header_username"]: credentials["username"]}
        login = Call(
            operation="token",
            path="/auth",
            headers={**username, settings["header_password"]: credentials["password"]},
        )
        self._name = client.backend.name
        self._envelopes = EnvelopeClient(client, Access(login, settings["header_token"], username))

    async def status(self, clinic: str, day: date) -> Envelope:
        return await self._envelopes.ask(
            Call(operation="status", path=f"/antrean/status/{self._code(clinic)}/{day.isoformat()}")
        )

    async def take(self, fields: Mapping[str, object], reference: str) -> Envelope:
        """It knows no idempotency key: `reference` goes along as a header, for its operators' logs."""
        return await self._send("take", "POST", "/antrean", fields, reference)

    async def remaining(self, card: str, clinic: str, day: date) -> Envelope:
        if not _CARD.fullmatch(card):
            raise AgencyRejected(self._name, "remaining", "no card number", code="card_invalid")
        path = f"/antrean/sisapeserta/{card}/{self._code(clinic)}/{day.isoformat()}"
        return await self._envelopes.ask(Call(operation="remaining", path=path))

    async def register(self, fields: Mapping[str, object], reference: str) -> Envelope:
        return await self._send("register", "POST", "/peserta", fields, reference)

    async def cancel(self, fields: Mapping[str, object], reference: str) -> Envelope:
        return await self._send("cancel", "PUT", "/antrean/batal", fields, reference)

    async def _send(
        self, operation: str, method: str, path: str, fields: Mapping[str, object], reference: str
    ) -> Envelope:
        return await self._envelopes.ask(
            Call(operation=operation, method=method, path=path, json=fields, headers={"X-Reference": reference})
        )

    def _code(self, clinic: str) -> str:
        if not _CODE.fullmatch(clinic):
            raise AgencyRejected(self._name, "read", "no code of a clinic", code="clinic_unknown")
        return clinic
