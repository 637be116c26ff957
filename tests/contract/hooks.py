"""What schemathesis is told: how to log in, how to write a cursor, and what makes requests likely to be accepted.

Only requests meant to be valid are changed: what is sent to be refused goes out as it was made up.
"""

import asyncio
import hashlib
import re
import time
import uuid
from typing import Any

import httpx
import schemathesis
from hypothesis import strategies as st
from schemathesis import AuthContext, Case, HookContext
from schemathesis.core.parameters import ParameterLocation

from app.catalog.catalog import Catalog
from app.catalog.search import SearchCursor
from app.cursor import encode_cursor
from app.database import utc_now
from app.demo import token
from app.ids import uuid7
from app.settings import settings
from tests.harness.cases import PDF

STAYS, LEAVES = "3571024505909001", "3571011708859002"
# These end sessions: somebody else than who does everything else is logged in for them, anew each time.
ENDING = {"log_out", "end_all_my_sessions", "end_my_session", "log_officer_out", "end_officer_session"}
# Who sends what officers may: the first whose path it begins with.
OFFICERS = {
    "/v1/officer/deliveries": "operator.dpmptsp",
    "/v1/officer/cases": "supervisor.dpmptsp",
    "/v1/officer/escalations": "supervisor.dpmptsp",
    "/v1/officer/audit/": "auditor",
    "/v1/officer/": "admin.diskominfo",
}
# An access token is good for five minutes.
_FRESH_S = 200.0
_KEY = re.compile(r"^[A-Za-z0-9._:-]{8,128}$")
_kept: dict[str, tuple[float, str]] = {}
_loose: list[str] = []
_catalog = Catalog.load(settings().city)
FORMS = {
    service.slug: {name: value for name, value in form.example.items() if name not in form.file_names()}
    for service in _catalog.services()
    if service.manifest.mode == "api" and (form := _catalog.form(service.slug)) and form.example
}
CURSORS = [encode_cursor((uuid7(),)) for _ in range(5)]

# `format: cursor` is ours: only a text that a list has given is one.
schemathesis.openapi.format("cursor", st.sampled_from(CURSORS))


@schemathesis.auth(refresh_interval=None)
class LoggedIn:
    """The token that `loket demo token` prints."""

    def get(self, case: Case[Any], _: AuthContext) -> str:
        officer = next((who for path, who in OFFICERS.items() if case.path.startswith(path)), "")
        return _fresh(officer or LEAVES) if _name(case) in ENDING else _token(officer or STAYS)

    def set(self, case: Case[Any], data: str, _: AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(_: HookContext, case: Case[Any], __: dict[str, Any]) -> None:
    """Make a valid request one that has not been sent before, and that meets something that is there."""
    if _is_valid(case, ParameterLocation.HEADER) and _KEY.match(str(case.headers.get("Idempotency-Key", ""))):
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
    if _name(case) == "list_services" and case.query and case.query.get("cursor") in CURSORS:
        searched = str(case.query.get("q", "")).strip()
        case.query["cursor"] = encode_cursor(SearchCursor("all", 0, "a") if searched else ("izin", "a"))
    if _name(case) == "search_audit" and case.query and case.query.get("cursor") in CURSORS:
        case.query["cursor"] = encode_cursor((utc_now(), 1))
    if _name(case) == "list_access_log" and case.query and case.query.get("cursor") in CURSORS:
        case.query["cursor"] = encode_cursor((1,))
    likely = _LIKELY.get(_name(case))
    if likely and isinstance(case.body, dict) and _is_valid(case, ParameterLocation.BODY):
        case.body = likely(case.body)


def _likely_case(body: dict[str, Any]) -> dict[str, Any]:
    """For a service that exists; three in four with a form that fits, and with its file unless it is a draft."""
    choice = _choice(body)
    slug = sorted(FORMS)[choice % len(FORMS)]
    changed = {**body, "service": slug, "form_version": None, "attachments": []}
    if choice % 4:
        changed["form"] = dict(FORMS[slug])
        if not body.get("draft") or choice % 4 == 1:
            changed["form"]["documents"] = _file(taken=not body.get("draft"))
    return changed


def _likely_change(body: dict[str, Any]) -> dict[str, Any]:
    choice = _choice(body)
    return {"form": FORMS[sorted(FORMS)[choice % len(FORMS)]]} if choice % 4 else body


def _likely_person(body: dict[str, Any]) -> dict[str, Any]:
    """Three in four somebody who can be: born on the day that the NIK says."""
    serial = _choice(body) % 10_000
    somebody = {"nik": f"357102450590{serial:04}", "birth_date": "1990-05-05", "phone": f"081290{serial:06}"}
    return {**body, **somebody, "name": "Ayu Puspita"} if serial % 4 else body


def _likely_officer(body: dict[str, Any]) -> dict[str, Any]:
    """Three in four of an agency that the city has, where the role has one."""
    agency = None if body.get("role") in ("city_admin", "auditor") else "dlh"
    return {**body, "agency": agency, "phone": None} if _choice(body) % 4 else body


def _choice(body: dict[str, Any]) -> int:
    """A number by the body alone, so that a run can be repeated."""
    return int.from_bytes(hashlib.sha256(repr(body).encode("utf-8", "surrogatepass")).digest()[:4])


_LIKELY = {
    "open_case": _likely_case,
    "change_draft": _likely_change,
    "start_registration": _likely_person,
    "add_officer": _likely_officer,
}


def _file(*, taken: bool) -> str:
    """A file no case holds yet. A draft leaves it to the next; nobody may keep more than a hundred loose ones."""
    found = _loose.pop() if _loose else _send_file()
    if not taken:
        _loose.append(found)
    return found


def _send_file() -> str:
    answer = httpx.post(
        f"{settings().issuer}/v1/attachments",
        files={"file": ("berkas.pdf", PDF, "application/pdf")},
        headers={"Authorization": f"Bearer {_token()}", "Idempotency-Key": str(uuid.uuid4())},
        timeout=10,
    )
    answer.raise_for_status()
    return str(answer.json()["id"])


def _is_valid(case: Case[Any], location: ParameterLocation) -> bool:
    return case.meta is not None and not case.meta.is_negative_at(location)


def _name(case: Case[Any]) -> str:
    return str(case.operation.definition.raw["operationId"])


def _token(who: str = STAYS) -> str:
    made, kept = _kept.get(who, (0.0, ""))
    if time.monotonic() - made > _FRESH_S:
        kept = _fresh(who)
        _kept[who] = time.monotonic(), kept
    return kept


def _fresh(who: str) -> str:
    return asyncio.run(token(settings(), who))
