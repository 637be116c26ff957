"""Answers of a sandbox changed on their way out: any value of its JSON into another, or all into something else."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

Change = Callable[[bytes], bytes]
SOAP_FAULT = (
    b'<?xml version="1.0"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><soap:Fault>'
    b"<faultcode>soap:Server</faultcode><faultstring>java.lang.NullPointerException</faultstring>"
    b"</soap:Fault></soap:Body></soap:Envelope>"
)
# What stands in place of a whole answer, whatever was asked.
INSTEAD = (
    b"",
    b"null",
    b"7",
    b'"tidak ada"',
    b"[]",
    b"{}",
    b"[[1, 2]]",
    b"[null]",
    b"[NaN]",
    b"<!DOCTYPE html><html><body>Maintenance</body></html>",
    SOAP_FAULT,
    SOAP_FAULT[:150],
    b'<am:fault xmlns:am="http://wso2.org/apimanager"><am:code>none</am:code><am:message/></am:fault>',
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    b'{"resourceType": "OperationOutcome", "issue": [{"severity": "fatal", "code": "exception"}]}',
    b'{"resourceType": "Bundle", "total": 1, "entry": [{"resource": {"resourceType": "Patient"}}]}',
    b"\xff\xfe{}",
    b"\x00" * 1000,
    b"[" * 50_000 + b"]" * 50_000,
    b'{"a":' * 50_000,
)
# What stands in place of one value.
JUNK: tuple[object, ...] = (
    None,
    True,
    0,
    -1,
    1e300,
    10**30,
    "",
    "0",
    "-",
    "x" * 5000,
    "a\x00b",
    "2026-99-99",
    "<b>",
    [],
    {},
    [None],
    [[[]]],
    {"": {"": None}},
)


class Spoiler:
    """Middleware of a sandbox's application. `change`: what becomes of each answer of the system's own addresses;
    `status`: what they are answered with, where it is set."""

    def __init__(self) -> None:
        self.change: Change | None = None
        self.status: int | None = None

    def add_to(self, app: web.Application) -> None:
        @web.middleware
        async def spoil(request: web.Request, handler: Handler) -> web.StreamResponse:
            answer = await handler(request)
            if self.change is None or "/_sandbox/" in request.path or not isinstance(answer, web.Response):
                return answer
            body = answer.body if isinstance(answer.body, bytes) else b""
            return web.Response(
                status=self.status or answer.status, body=self.change(body), content_type=answer.content_type
            )

        app.middlewares.append(spoil)


def one_value(chance: random.Random) -> Change:
    """One value of an answer, anywhere in it, becomes another, or is gone. What is no JSON has some bytes changed."""

    def change(body: bytes) -> bytes:
        start = min((at for at in (body.find(b"{"), body.find(b"[")) if at >= 0), default=-1)
        try:
            answer = json.loads(body[start:]) if start >= 0 else None
        except ValueError:
            answer = None
        places = list(_places(answer))
        if not places:
            return some_bytes(chance)(body)
        holder, key = chance.choice(places)
        if isinstance(holder, dict) and chance.random() < 0.25:
            del holder[key]
        else:
            holder[key] = chance.choice(JUNK)
        return body[:start] + json.dumps(answer).encode()

    return change


def some_bytes(chance: random.Random) -> Change:
    """A few bytes of it become others, or its end is missing."""

    def change(body: bytes) -> bytes:
        if not body or chance.random() < 0.3:
            return body[: chance.randrange(len(body) + 1)]
        changed = bytearray(body)
        for _ in range(chance.randint(1, 6)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        return bytes(changed)

    return change


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value that holds one: its holder, and the key or index there."""
    keys: Any = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from _places(value[key])
