"""Fonnte's POST /send. Nothing leaves: whoever needs a one-time code reads it in the ledger."""

import re
from collections.abc import Mapping, Sequence

import msgspec
from aiohttp import web

from app.sandbox.port import Effect, Ledger, Route, Sandbox, Sending

TOKENS = ("demo-fonnte-token",)
FIRST_ID = 80_367_170
STATUSES = ("pending", "sent", "invalid", "expired")
_TARGET = re.compile(r"[0-9]{9,15}")


class FonnteSandbox(Sandbox):
    """Answers HTTP 200 whatever happens; `status` and `reason` tell."""

    name = "fonnte"

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._statuses: dict[str, str] = {}

    def routes(self) -> Sequence[Route]:
        return [Route("send", "POST", "/send", self._send), Route("status", "POST", "/status", self._status)]

    def apply(self, effect: Effect) -> None:
        self._statuses[str(effect.data["id"])] = str(effect.data.get("status", "pending"))

    def clear(self) -> None:
        self._statuses.clear()

    def work(self, reference: str | None, step: str | None) -> Sequence[str]:
        """The telephone sends: a message by Fonnte's id, or all, get to `step`, "sent" where none is named."""
        if step is not None and step not in STATUSES:
            raise ValueError(f"no step {step!r}: {', '.join(STATUSES)}")
        if reference is not None and reference not in self._statuses:
            raise KeyError(reference)
        moved = [reference] if reference else [each for each, status in self._statuses.items() if status == "pending"]
        for identity in moved:
            self.ledger.record("work", identity, {"id": identity, "status": step or "sent"})
        return moved

    def callback(self, reference: str, status: str) -> Sending:
        """As Fonnte posts to the address it was given: neither signed nor dated."""
        body = {"device": "6281200000000", "id": reference, "stateid": f"S{reference}", "status": status, "state": ""}
        return Sending("?key=demo-fonnte-callback", msgspec.json.encode(body), {"Content-Type": "application/json"})

    def refuse_auth(self) -> web.Response:
        return _refused("token invalid")

    async def _send(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization", "") not in TOKENS:
            return self.refuse_auth()
        try:
            fields = await _fields(request)
        except msgspec.DecodeError:
            return _refused("JSON format invalid")
        targets = [_international(target, fields.get("countrycode", "62")) for target in fields["target"].split(",")]
        if not fields["message"]:
            return _refused("input invalid")
        if not all(_TARGET.fullmatch(target) for target in targets):
            return _refused("target invalid")
        ids = []
        for target in targets:
            ids.append(str(FIRST_ID + len(self._statuses)))
            data = {"id": ids[-1], "target": target, "message": fields["message"]}
            self.ledger.record("send", request.headers.get("X-Reference", ""), data)
        return web.json_response(
            {
                "detail": "success! message in queue",
                "id": ids,
                "process": "pending",
                "requestid": 2_937_000 + len(self._statuses),
                "status": True,
                "target": targets,
            }
        )

    async def _status(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization", "") not in TOKENS:
            return self.refuse_auth()
        identity = (await _fields(request)).get("id", "")
        if identity not in self._statuses:
            return _refused("id not found")
        return web.json_response({"id": int(identity), "message_status": self._statuses[identity], "status": True})


async def _fields(request: web.Request) -> Mapping[str, str]:
    """Target, message and country code, from a form or from JSON. Raises msgspec.DecodeError."""
    if request.content_type == "application/json":
        posted: Mapping[str, object] = msgspec.json.decode(await request.read(), type=dict[str, object])
    else:
        posted = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    fields = {name.casefold(): str(value) for name, value in posted.items()}
    return {"target": "", "message": "", **fields}


def _international(target: str, country: str) -> str:
    """A first zero becomes the country's code, unless the country is "0"."""
    digits = re.sub(r"[^0-9]", "", target)
    return country + digits[1:] if digits.startswith("0") and country != "0" else digits


def _refused(reason: str) -> web.Response:
    return web.json_response({"reason": reason, "status": False})
