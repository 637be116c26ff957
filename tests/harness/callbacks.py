"""An agency's system that calls us, for a sandbox that is only asked: as a further integration would bring it."""

import time
from collections.abc import Sequence
from datetime import timedelta

import httpx
import msgspec
from litestar import Litestar

from app.callbacks.port import Callbacks, Incoming, Tiding, Unreadable, prove_signed, signature
from app.settings import BackendSettings

BACKEND = "sicantik"
SECRET = "what-the-agency-signs-with"
NAMES = ("x-timestamp", "x-signature")
WINDOW = timedelta(minutes=5)


class SignedCallbacks(Callbacks):
    """Number and state of one registration, signed over the time."""

    def read(self, incoming: Incoming) -> Sequence[Tiding]:
        prove_signed(incoming, SECRET, NAMES, WINDOW)
        try:
            told = msgspec.json.decode(incoming.body, type=dict[str, str])
            return [Tiding("case", told["number"], told["state"])]
        except (msgspec.DecodeError, KeyError):
            raise Unreadable("not as agreed") from None


def with_signed_callbacks(application: Litestar) -> None:
    """For `running_api`: what the integration's callbacks.py would bring."""
    application.state["callbacks"][BACKEND] = SignedCallbacks(BackendSettings(BACKEND, "http://127.0.0.1", {}))


class Caller:
    """The agency's side of it. Every call goes over a socket."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def tell(self, number: str, state: str, *, at_s: float | None = None, secret: str = SECRET) -> int:
        """The status of our answer to one call, signed at that time."""
        body, timestamp = msgspec.json.encode({"number": number, "state": state}), str(int(at_s or time.time()))
        return await self.send(body, dict(zip(NAMES, (timestamp, signature(secret, timestamp, body)), strict=True)))

    async def send(self, body: bytes, headers: dict[str, str], backend: str = BACKEND) -> int:
        answer = await self._client.post(f"/callbacks/{backend}", content=body, headers=headers)
        return answer.status_code
