"""The inbox's WhatsApp channel over Fonnte."""

import re
from collections.abc import Mapping
from typing import ClassVar

from app.agency_client import AgencyClient
from app.errors import AgencyRejected
from app.inbox.port import Channel, ChannelKind, Reached
from integrations.fonnte.client import FonnteClient

MAX_LENGTH = 4_000
_INTERNATIONAL = re.compile(r"\+[1-9][0-9]{8,14}")
# Fonnte fills {name} and {var1} into a text, and takes a comma in `target` for the next number.
_VARIABLES = str.maketrans("{}", "()")


class FonnteWhatsApp(Channel):
    """Text messages by WhatsApp."""

    kind: ClassVar[ChannelKind] = "whatsapp"

    def __init__(self, client: AgencyClient) -> None:
        self._name = client.backend.name
        self._client = FonnteClient(client)

    async def send(self, to: str, text: str, reference: str) -> str:
        if not _INTERNATIONAL.fullmatch(to):
            raise AgencyRejected(self._name, "send", "not an international telephone number", code="number_malformed")
        if not text.strip() or len(text) > MAX_LENGTH:
            raise AgencyRejected(self._name, "send", "the text is empty or too long", code="text_malformed")
        return await self._client.send(to.removeprefix("+"), text.translate(_VARIABLES), reference)

    async def reached(self, gateway_id: str) -> Reached:
        if not gateway_id.isdecimal() or len(gateway_id) > 20:
            raise AgencyRejected(self._name, "status", "no message's id", code="message_unknown")
        return _REACHED.get(await self._client.status(gateway_id), "waiting")


# Its other words (pending, waiting, processing) all mean that it still tries.
_REACHED: Mapping[str, Reached] = {
    "sent": "sent",
    "invalid": "failed",
    "expired": "failed",
    "url unreachable": "failed",
}
