"""The government service bus (SPLP, WSO2 API Manager): our place on it, how it knows us, and its faults told apart."""

import base64
import logging
import re
from collections.abc import Mapping, Sequence
from functools import partial

import msgspec

from app.agency_answers import is_unreadable, read_json
from app.agency_client import AgencyClient, Call, Reply
from app.agency_token import KeptToken, TokenRefused
from app.errors import AgencyUnavailable, OutcomeUnknown
from app.settings import BackendSettings, SettingsError
from integrations.dtsen.refusals import Fault, read_fault

log = logging.getLogger("loket.dtsen")

_TENANT = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_PART = re.compile(r"[A-Za-z0-9_.-]{1,60}(/[A-Za-z0-9_.-]{1,60}){0,3}")
_CLIMBS = re.compile(r"(^|/)\.\.?(/|$)")
# A bus that throttles and says not for how long: its counters run by the minute.
THROTTLED_S = 60.0
# Our settings that a refusal may come from; a subscription is another's to mend.
_LOOK_AT: Mapping[str, Sequence[str]] = {
    "tenant_unknown": ("TENANT", "API", "VERSION"),
    "resource_unknown": ("API", "VERSION"),
    "credentials_missing": ("ACCESS",),
    "token_kind_refused": ("ACCESS",),
    "credentials_refused": ("CONSUMER_KEY", "CONSUMER_SECRET"),
    "key_refused": ("API_KEY",),
}


class BusClient:
    """Calls below one API of one tenant. Raises SettingsError for a place or an access that cannot be."""

    def __init__(self, client: AgencyClient) -> None:
        self._client = client
        self._name = client.backend.name
        self._below = _place(client.backend)
        self._access = client.backend.settings["access"]
        if self._access not in ("oauth2", "apikey"):
            raise SettingsError(f"LOKET_{self._name.upper()}_ACCESS is oauth2 or apikey")
        self._token = KeptToken(self._name, self._log_in)
        self._complained = ""

    async def ask(self, call: Call) -> Reply:
        """What the service behind the bus answered, whatever its status. `path` is below the API's version.

        Raises AgencyUnavailable where the bus let nothing through, OutcomeUnknown where it cannot say so of an unsafe
        call. A token that ended is renewed once, then the call is made again.
        """
        if self._access == "oauth2":
            reply = await self._token.use(call.operation, partial(self._with_token, call))
        else:
            reply = await self._with_key(call)
        self._complained = ""
        return reply

    async def _with_token(self, call: Call, token: str) -> Reply:
        return await self._asked(call, {"Authorization": f"Bearer {token}"})

    async def _with_key(self, call: Call) -> Reply:
        try:
            return await self._asked(call, {"Apikey": self._client.backend.credentials["api_key"]})
        except TokenRefused:
            raise self._mis_set(call.operation, "key_refused", "the bus does not take our key") from None

    async def _asked(self, call: Call, access: Mapping[str, str]) -> Reply:
        headers = {"Accept": "application/json", **call.headers, **access}
        try:
            sent = msgspec.structs.replace(call, path=self._below + call.path, headers=headers, is_fault=_is_failure)
            reply = await self._client.call(sent)
        except (AgencyUnavailable, OutcomeUnknown) as error:
            fault = read_fault(error.answered)
            if fault is None:
                raise
            raise self._failure(call.operation, fault, error) from None
        fault = _fault_of(reply)
        if fault is not None:
            raise self._failure(call.operation, fault)
        return reply

    def _failure(
        self, operation: str, fault: Fault, plain: AgencyUnavailable | OutcomeUnknown | None = None
    ) -> Exception:
        """The error for a fault. `plain`: what the answer's status alone had said."""
        said = f"bus {fault.code}: {fault.words}"
        known_s = plain.retry_after_s if isinstance(plain, AgencyUnavailable) else None
        match fault.meaning:
            case "token":
                return TokenRefused()
            case "settings":
                return self._mis_set(operation, fault.reason, said)
            case "throttled":
                wait_s = known_s if known_s is not None else fault.wait_s
                return self._unavailable(operation, said, "throttled", THROTTLED_S if wait_s is None else wait_s)
            case "not_reached":
                return self._unavailable(operation, said, fault.reason, known_s)
        if self._client.manifest.operations[operation].safe or isinstance(plain, AgencyUnavailable):
            return self._unavailable(operation, said, fault.reason, known_s)
        return OutcomeUnknown(self._name, operation, said, code=fault.reason)

    def _unavailable(self, operation: str, detail: str, code: str, wait_s: float | None = None) -> AgencyUnavailable:
        return AgencyUnavailable(self._name, operation, detail, code=code, retry_after_s=wait_s)

    def _mis_set(self, operation: str, code: str, detail: str) -> AgencyUnavailable:
        """Nothing that waiting mends: an operator is told, once until it works again, and with each delivery."""
        ours = [f"LOKET_{self._name.upper()}_{name}" for name in _LOOK_AT.get(code, ())]
        told = f"{detail}; look at {', '.join(ours) or 'our subscription in the portal of the bus'}"
        if self._complained != code:
            self._complained = code
            log.error("%s is not reached as it is set: %s (%s)", self._name, told, code)
        return self._unavailable(operation, told, code)

    async def _log_in(self) -> str:
        """A token by client credentials (RFC 6749, 4.4)."""
        credentials = self._client.backend.credentials
        pair = f"{credentials['consumer_key']}:{credentials['consumer_secret']}".encode()
        headers = {"Authorization": f"Basic {base64.b64encode(pair).decode()}", "Accept": "application/json"}
        login = Call(
            operation="token",
            method="POST",
            path="/oauth2/token",
            form=(("grant_type", "client_credentials"),),
            headers=headers,
            is_fault=lambda reply: reply.status >= 400 or is_unreadable(reply),
        )
        try:
            reply = await self._client.call(login)
        except AgencyUnavailable as error:
            fault = read_fault(error.answered)
            if fault is None:
                raise
            raise self._failure("token", fault, error) from None
        return self._token_of(reply)

    def _token_of(self, reply: Reply) -> str:
        answer = read_json(reply.body)
        told = answer if isinstance(answer, dict) else {}
        token, kind = told.get("access_token"), str(told.get("token_type", "Bearer"))
        if reply.status == 200 and isinstance(token, str) and _is_token(token) and kind.lower() == "bearer":
            return token
        fault = read_fault(reply.body)
        if fault is not None and fault.meaning == "settings":
            raise self._mis_set("token", fault.reason, f"bus {fault.code}: {fault.words}")
        if reply.status in (400, 401, 403):
            raise self._mis_set("token", "credentials_refused", "the bus gives no token for our credentials")
        raise self._unavailable("token", f"HTTP {reply.status}, no token in its answer", "no_token")


def _place(backend: BackendSettings) -> str:
    """`/t/<tenant>/<api>/<version>`; without a tenant (a bus of the city's own) `/<api>/<version>`."""
    tenant, prefix = backend.settings["tenant"], f"LOKET_{backend.name.upper()}"
    if tenant not in ("", "-") and not _TENANT.fullmatch(tenant):
        raise SettingsError(f"{prefix}_TENANT is a domain such as kedirikota.go.id, or - for none")
    for name in ("api", "version"):
        value = backend.settings[name]
        if not _PART.fullmatch(value) or _CLIMBS.search(value):
            raise SettingsError(f"{prefix}_{name.upper()} is a name such as stands in an address")
    below = f"/{backend.settings['api']}/{backend.settings['version']}"
    return below if tenant in ("", "-") else f"/t/{tenant}{below}"


def _fault_of(reply: Reply) -> Fault | None:
    return read_fault(reply.body) if reply.status >= 400 else None


def _is_failure(reply: Reply) -> bool:
    """A token that ended is nothing out of order; every other fault means that the agency is not reached, and so does
    an answer that nobody can read."""
    fault = _fault_of(reply)
    if fault is None:
        return reply.status != 413 and not isinstance(read_json(reply.body), dict)
    return fault.meaning != "token"


def _is_token(token: str) -> bool:
    return token.isascii() and token.isprintable() and " " not in token and 0 < len(token) <= 8192
