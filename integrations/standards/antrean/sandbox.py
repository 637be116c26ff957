"""What sandboxes of Antrean do alike: facilities, tokens, the envelope with its habits, and moving tickets on."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Generic, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from app.sandbox.port import Effect, Handler, Ledger, Sandbox
from integrations.standards.antrean.office import Body, Facility, Office, Refused, State, Ticket

# A token of each kind is good for so many calls; "lasting" ones have no end.
_USES = {"one_use": 1, "five_uses": 5, "always_expired": 0}
_WARNING = (
    "<br />\n<b>Notice</b>:  Undefined index: {norm} in <b>/var/www/html/antrean/application/controllers/Api.php</b> "
    "on line <b>[214]</b><br />\n"
)
_TRACE = (
    "<h1>A PHP Error was encountered</h1><p>Severity: Error</p><p>Message: Call to a member function row() on bool</p>"
    "<p>Filename: models/M_antrean.php</p>"
)
F = TypeVar("F", bound=Facility)
T = TypeVar("T", bound=Ticket)
Answer = Callable[[F, web.Request], Awaitable[web.Response]]


class AntreanSandbox(Sandbox, Generic[F, T]):
    """Speaks below /{facility}. `counts`: fields that vendors write as a number or as text."""

    # The quirks that all know; a sandbox has these and its own.
    shared_quirks: ClassVar[Mapping[str, Sequence[str]]] = {
        "envelope": ("metadata", "metaData"),
        "code": ("number", "text"),
        "http": ("always_200", "mirrored"),
        "before": ("nothing", "warnings"),
        "status": ("works", "broken"),
        "token": ("lasting", "five_uses", "one_use", "always_expired"),
        "token_refusal": ("envelope", "http_401"),
        "patients": ("most_known", "none_known"),
        "zone": ("own", "Asia/Makassar", "Asia/Jayapura"),
    }
    hopeless: ClassVar[Sequence[tuple[str, str]]] = (("token", "always_expired"),)
    # The name and the password that a token is given for.
    account: ClassVar[tuple[str, str]]
    login_refusal: ClassVar[str]
    counts: ClassVar[Collection[str]]

    def __init__(self, ledger: Ledger, office: Office[F, T], ticket: type[T]) -> None:
        super().__init__(ledger)
        self.office = office
        self._ticket = ticket
        self._tokens: dict[str, tuple[str, int]] = {}

    def apply(self, effect: Effect) -> None:
        data = effect.data
        if effect.operation == "take":
            self.office.enter(msgspec.convert(data["ticket"], self._ticket), effect.reference)
        elif effect.operation == "register":
            patient = msgspec.convert(data["patient"], dict[str, str])
            self.office.patients[str(data["facility"]), patient["nik"]] = str(data.get("norm", ""))
        else:
            for index, state in msgspec.convert(data["moved"], dict[int, State], strict=False).items():
                self.office.tickets[index].state = state

    def clear(self) -> None:
        self.office.clear()
        self._tokens.clear()

    def work(self, reference: str | None, step: str | None) -> Sequence[str]:
        if step not in (None, "call", "serve", "cancel"):
            raise ValueError(f"no step {step!r}: call, serve, cancel")
        if reference is None and step is None:
            return self._move(self.office.rounds())
        moved: list[str] = []
        for index in self.office.matters(reference):
            moved += self._move(self.office.calls(index, step))
        return moved

    def refuse_auth(self) -> web.Response:
        return self.envelope("", 201, "Token expired or missing")

    def way(self, name: str, facility: str) -> str:
        """A quirk's way at a facility, "" for none of them."""
        return self.quirk[name]

    def headers(self) -> tuple[str, str, str]:
        """Where a caller's name, password and token stand."""
        return "x-username", "x-password", "x-token"

    def at_facility(self, answer: Answer[F]) -> Handler:
        """The facility of the address, and its refusals as it words them."""

        async def handle(request: web.Request) -> web.StreamResponse:
            facility = self.office.facilities.get(request.match_info["facility"])
            if facility is None:
                return web.Response(status=404, text="<h1>404 Not Found</h1>", content_type="text/html")
            try:
                return await answer(facility, request)
            except Refused as refused:
                return self.envelope(facility.id, refused.code, str(refused))

        return handle

    def inside(self, answer: Answer[F]) -> Answer[F]:
        """Only with a token that is still good."""

        async def handle(facility: F, request: web.Request) -> web.Response:
            username, _, header = self.headers()
            token = request.headers.get(header, "")
            owner, uses = self._tokens.get(token, ("", 0))
            allowed = _USES.get(self.way("token", facility.id))
            known = owner == facility.id and request.headers.get(username) == self.account[0]
            if not known or (allowed is not None and uses >= allowed):
                if self.way("token_refusal", facility.id) == "http_401":
                    return web.Response(status=401, text="Unauthorized")
                raise Refused("Token expired or missing")
            self._tokens[token] = (owner, uses + 1)
            return await answer(facility, request)

        return handle

    async def token(self, facility: F, request: web.Request) -> web.Response:
        username, password, _ = self.headers()
        if (request.headers.get(username), request.headers.get(password)) != self.account:
            raise Refused(self.login_refusal)
        token = f"{facility.id}.{len(self._tokens) + 1:06d}"
        self._tokens[token] = (facility.id, 0)
        return self.envelope(facility.id, 200, "Ok", {"token": token})

    def now(self, facility: F) -> datetime:
        asked = self.way("zone", facility.id)
        return datetime.now(ZoneInfo(facility.zone if asked == "own" else asked))

    def knows(self, facility: F, nik: str) -> bool:
        if (facility.id, nik) in self.office.patients:
            return True
        return self.way("patients", facility.id) == "most_known" and nik not in self.office.strangers

    def envelope(self, facility: str, code: int, message: str, response: object = None) -> web.Response:
        head = {"message": message, "code": str(code) if self.way("code", facility) == "text" else code}
        answer: dict[str, object] = {self.way("envelope", facility): head}
        if response is not None:
            answer["response"] = self._counted(response, self.way("numbers", facility))
        before = _WARNING if self.way("before", facility) == "warnings" else ""
        status = code if self.way("http", facility) == "mirrored" else 200
        body = before.encode() + msgspec.json.encode(answer)
        return web.Response(status=status, body=body, content_type="text/html" if before else "application/json")

    def broken(self) -> web.Response:
        return web.Response(status=500, text=_TRACE, content_type="text/html")

    def _move(self, moved: Mapping[int, State]) -> list[str]:
        if moved:
            self.ledger.record("work", "", {"moved": {str(index): state for index, state in moved.items()}})
        return [self.office.tickets[index].reference for index in moved]

    def _counted(self, response: object, way: str) -> object:
        """Counts as text, as numbers, or as each field's habit has them."""
        if isinstance(response, list):
            return [self._counted(row, way) for row in response]
        if not isinstance(response, dict) or way == "mixed":
            return response
        kind = str if way == "text" else int
        return {name: kind(value) if name in self.counts else value for name, value in response.items()}


async def body_of(request: web.Request) -> Body:
    """The fields sent, as text; "" for what is not there. Raises Refused."""
    try:
        sent = msgspec.json.decode(await request.read(), type=dict[str, object])
    except msgspec.DecodeError:
        raise Refused("Format JSON Tidak Sesuai") from None
    return _Fields({name: "" if value is None else str(value) for name, value in sent.items()})


class _Fields(dict[str, str]):
    def __missing__(self, _name: str) -> str:
        return ""
