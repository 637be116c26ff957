"""The pretended government bus before the sandbox: /dtsen/oauth2/token and /dtsen/t/<tenant>/<api>/<version>/...

It answers as WSO2's API Manager does where it lets nothing through, in each of the ways its versions write a fault.
"""

import base64
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from xml.sax.saxutils import escape

from aiohttp import web

CONSUMER = base64.b64encode(b"demo-loket-consumer:demo-dtsen-consumer-secret").decode()
API_KEY = "demo-dtsen-api-key"
PLACE = ("kedirikota.go.id", "dtsen", "1.0")
# A real one counts by the minute or the day.
THROTTLED_S = 3
# A token of each kind is good for so many calls; "lasting" ones until they are ended.
_USES = {"five_uses": 5, "always_expired": 0}
_AUTH_WORDS = {
    900901: "Invalid Credentials",
    900902: "Missing Credentials",
    900903: "Access Token Expired",
}
# What is wrong with our subscription, and how the bus says so.
_SUBSCRIPTIONS = {
    "none": (403, 900908, "Resource forbidden"),
    "inactive": (401, 900909, "The subscription to the API is inactive"),
    "scope_missing": (403, 900910, "The access token does not allow you to access the requested resource"),
    "wrong_token_kind": (401, 900905, "Incorrect Access Token Type is provided"),
    "resource_gone": (403, 900906, "No matching resource found in the API for the given request"),
    "blocked": (401, 900907, "The requested API is temporarily blocked"),
    "api_blocked": (503, 700700, "API blocked"),
    "key_manager_down": (500, 900900, "Unclassified Authentication Failure"),
    "agency_not_reached": (503, 303001, "Runtime Error"),
}

BUS_QUIRKS: Mapping[str, Sequence[str]] = {
    "faults": ("bare", "nested", "xml"),
    "token": ("lasting", "five_uses", "always_expired"),
    "subscription": ("active", *_SUBSCRIPTIONS),
    "throttling": ("none", "with_retry_after", "next_access_in_body", "without_a_time"),
}
BUS_HOPELESS: Sequence[tuple[str, str]] = (
    ("token", "always_expired"),
    *(("subscription", way) for way in _SUBSCRIPTIONS),
    *(("throttling", way) for way in BUS_QUIRKS["throttling"][1:]),
)


class PretendedBus:
    """Its tokens, and whom it stops. How it behaves is the sandbox's `quirk`, given with each call."""

    def __init__(self) -> None:
        self._uses: dict[str, int] = {}

    def clear(self) -> None:
        """End every token."""
        self._uses.clear()

    async def token(self, request: web.Request) -> web.Response:
        """A token by client credentials."""
        if request.headers.get("Authorization") != f"Basic {CONSUMER}":
            told = {"error": "invalid_client", "error_description": "Client Authentication failed."}
            return web.json_response(told, status=401)
        if (await request.post()).get("grant_type") != "client_credentials":
            return web.json_response({"error": "unsupported_grant_type"}, status=400)
        token = secrets.token_hex(16)
        self._uses[token] = 0
        told = {"access_token": token, "scope": "default", "token_type": "Bearer"}
        return web.json_response({**told, "expires_in": 3600})

    def stop(self, request: web.Request, quirk: Mapping[str, str]) -> web.Response | None:
        """Its fault where it lets a call not through: no such API, nobody who may, or too often."""
        at = request.match_info
        if (at["tenant"], at["api"], at["version"]) != PLACE:
            gone = f"The requested resource (/t/{at['tenant']}/{at['api']}) is not available."
            return _fault(quirk["faults"], (404, 404, "Not Found"), gone)
        return _refuse_subscription(quirk) or self._refuse_caller(request, quirk) or _throttle(quirk)

    def refuse_auth(self, way: str) -> web.Response:
        return _fault(way, (401, 900901, _AUTH_WORDS[900901]))

    def _refuse_caller(self, request: web.Request, quirk: Mapping[str, str]) -> web.Response | None:
        key, bearer = request.headers.get("Apikey"), request.headers.get("Authorization", "")
        if key is None and not bearer:
            return _fault(quirk["faults"], (401, 900902, _AUTH_WORDS[900902]))
        if key is not None:
            return None if key == API_KEY else self.refuse_auth(quirk["faults"])
        token, allowed = bearer.removeprefix("Bearer "), _USES.get(quirk["token"])
        uses = self._uses.get(token)
        if uses is None or (allowed is not None and uses >= allowed):
            # Older versions, which write XML, know a code of its own for a token that ended.
            code = 900903 if uses is not None and quirk["faults"] == "xml" else 900901
            return _fault(quirk["faults"], (401, code, _AUTH_WORDS[code]))
        self._uses[token] = uses + 1
        return None


def _refuse_subscription(quirk: Mapping[str, str]) -> web.Response | None:
    wrong = _SUBSCRIPTIONS.get(quirk["subscription"])
    return None if wrong is None else _fault(quirk["faults"], wrong)


def _throttle(quirk: Mapping[str, str]) -> web.Response | None:
    way = quirk["throttling"]
    if way == "none":
        return None
    until = datetime.now(UTC) + timedelta(seconds=THROTTLED_S)
    more = {"nextAccessTime": f"{until:%Y-%b-%d %H:%M:%S}+0000 UTC"} if way == "next_access_in_body" else {}
    fault = (429, 900800, "Message throttled out")
    refused = _fault(quirk["faults"], fault, "You have exceeded your quota", more)
    if way == "with_retry_after":
        refused.headers["Retry-After"] = format_datetime(until, usegmt=True)
    return refused


def _fault(
    way: str, fault: tuple[int, int, str], description: str = "", more: Mapping[str, str] | None = None
) -> web.Response:
    """A fault page (HTTP status, code, message) as this version of the bus writes them."""
    status, code, message = fault
    told = {
        "message": message,
        "description": description or f"{message}. Make sure the call is right.",
        **(more or {}),
    }
    if way == "xml":
        inner = "".join(
            f"<am:{name}>{escape(words)}</am:{name}>" for name, words in {"code": str(code), **told}.items()
        )
        page = f'<am:fault xmlns:am="http://wso2.org/apimanager">{inner}</am:fault>'
        return web.Response(status=status, text=page, content_type="application/xml")
    if way == "nested":
        return web.json_response({"fault": {"code": code, "type": "Status report", **told}}, status=status)
    return web.json_response({"code": str(code), **told}, status=status)
