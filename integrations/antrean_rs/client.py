"""Antrean RS's wire, whose addresses and headers each hospital names for itself. What an answer means is not here."""

import re
from collections.abc import Mapping
from typing import Literal

from app.agency_answers import Envelope
from app.agency_client import AgencyClient, Call
from app.agency_envelope import Access, EnvelopeClient
from app.settings import BackendSettings, SettingsError

Asked = Literal["status", "take", "remaining", "cancel", "check_in", "register"]
_OPERATIONS: tuple[Literal["token"] | Asked, ...] = (
    "token",
    "status",
    "take",
    "remaining",
    "cancel",
    "check_in",
    "register",
)
_PATH = re.compile(r"/?[A-Za-z0-9_~-][A-Za-z0-9._~/-]{0,100}")


class AntreanRsClient:
    """Every operation but the token is a POST of a few fields. Raises SettingsError for a bad path."""

    def __init__(self, client: AgencyClient) -> None:
        settings, credentials = client.backend.settings, client.backend.credentials
        self._paths = {operation: _path(client.backend, operation) for operation in _OPERATIONS}
        username = {settings["header_username"]: credentials["username"]}
        login = Call(
            operation="token",
            path=self._paths["token"],
            headers={**username, settings["header_password"]: credentials["password"]},
        )
        self._envelopes = EnvelopeClient(client, Access(login, settings["header_token"], username))

    async def ask(self, operation: Asked, fields: Mapping[str, object], reference: str = "") -> Envelope:
        """What EnvelopeClient.ask gives and raises.

        It knows no idempotency key: `reference` goes along as a header, for its operators' logs.
        """
        headers = {"X-Reference": reference} if reference else {}
        call = Call(operation=operation, method="POST", path=self._paths[operation], json=fields, headers=headers)
        return await self._envelopes.ask(call)


def _path(backend: BackendSettings, operation: str) -> str:
    written = backend.settings[f"path_{operation}"]
    if not _PATH.fullmatch(written) or ".." in written:
        raise SettingsError(f"{backend.name}: path_{operation} is no path below the facility's address")
    return f"/{written.lstrip('/')}"
