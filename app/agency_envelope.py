"""Calls under a token, whose answers stand in an envelope that decides: what a backend said, or how it failed."""

from collections.abc import Mapping
from functools import partial

import msgspec

from app.agency_answers import TAKEN_OR_TURNED_AWAY, Envelope, for_officers, matching, read_envelope
from app.agency_client import AgencyClient, Call, Reply
from app.agency_token import KeptToken, TokenRefused
from app.errors import AgencyRejected, AgencyUnavailable, OutcomeUnknown

OK = 200
# By the HTTP status alone.
_REFUSALS = (400, 409, 413, 422)
_TOKEN_WORDS = (("token", ("token",)), ("token", ("access denied|unauthorized|unauthenticated",)))


class Access(msgspec.Struct, frozen=True):
    """How a backend knows us: `login` gives `response.token`; `header` carries it, beside `others`."""

    login: Call
    header: str
    others: Mapping[str, str] = {}


class EnvelopeClient:
    """One backend's calls, each with the token."""

    def __init__(self, client: AgencyClient, access: Access) -> None:
        self._client = client
        self._name = client.backend.name
        self._access = access
        self._token = KeptToken(self._name, self._log_in)

    async def ask(self, call: Call) -> Envelope:
        """What the backend said, whatever its code.

        Raises AgencyUnavailable where it surely did nothing (not asked, or a token was not to be had), AgencyRejected
        where the HTTP status alone refuses the content, OutcomeUnknown where an unsafe call's answer is no answer.
        """
        return await self._token.use(call.operation, partial(self._asked, call))

    async def _asked(self, call: Call, token: str) -> Envelope:
        headers = {**call.headers, **self._access.others, self._access.header: token}
        sent = msgspec.structs.replace(call, headers=headers, is_fault=self._is_failure)
        reply = await self._client.call(sent)
        envelope = read_envelope(reply)
        if envelope is None:
            raise self._failure(call.operation, reply)
        if envelope.code in (401, 403) or (envelope.code != OK and matching(envelope.message, _TOKEN_WORDS)):
            raise TokenRefused
        return envelope

    def _is_failure(self, reply: Reply) -> bool:
        """What has no envelope is not the system's own, but for what it refuses by the status alone."""
        envelope = read_envelope(reply)
        if envelope is not None:
            return envelope.code >= 500
        if reply.status in (401, 403):
            return not self._token.has_worked
        return reply.status not in _REFUSALS

    def _failure(self, operation: str, reply: Reply) -> Exception:
        detail = f"HTTP {reply.status}, not understood"
        if reply.status in (401, 403):
            return TokenRefused()
        if reply.status in _REFUSALS:
            return AgencyRejected(self._name, operation, f"HTTP {reply.status}", code="refused")
        safe = self._client.manifest.operations[operation].safe
        if 300 <= reply.status < 500 and (safe or reply.status not in TAKEN_OR_TURNED_AWAY):
            # A wrong address, or something that stands before the system: the system itself saw nothing.
            return AgencyUnavailable(self._name, operation, f"HTTP {reply.status}", code="not_reached")
        if safe:
            code = "backend_failed" if reply.status >= 500 else "unreadable"
            return AgencyUnavailable(self._name, operation, detail, code=code)
        return OutcomeUnknown(self._name, operation, detail)

    async def _log_in(self) -> str:
        login = self._access.login
        reply = await self._client.call(msgspec.structs.replace(login, is_fault=_gives_no_token))
        envelope = read_envelope(reply)
        given = envelope.response if envelope and envelope.code == OK else None
        token = given.get("token") if isinstance(given, dict) else None
        if isinstance(token, str) and token.isascii() and token.isprintable() and token.strip():
            return token.strip()
        said = for_officers(envelope.message) if envelope else f"HTTP {reply.status}, not understood"
        raise AgencyUnavailable(self._name, login.operation, said, code="login_refused")


def _gives_no_token(reply: Reply) -> bool:
    return read_envelope(reply) is None
