"""Every kind of caller there is, logged in or not, as headers to send: for the authorisation matrix and attacks."""

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Literal
from uuid import UUID

import jwt
import msgspec

from app.assembly import Product
from app.ids import uuid7
from app.login.guards import Role
from app.login.keys import ALGORITHM
from app.login.officers.browsers import SESSION, form_mark
from app.login.officers.sessions import Place, open_officer_session
from app.login.tokens import TOKEN_TYPE
from tests.harness.officers import OfficerAtWork, Officers
from tests.harness.people import Citizen, People

HERE, ELSEWHERE = "dpmptsp", "dinkes"
AGENCY_ROLES: Sequence[Role] = ("operator", "supervisor", "agency_head")
Kind = Literal["anonymous", "citizen", "officer", "page"]


class Caller(msgspec.Struct, frozen=True):
    """Who asks. `refused`: the code that every closed route has for a token like theirs, "" for a good one."""

    name: str
    kind: Kind
    headers: Mapping[str, str]
    refused: str = ""
    role: Role | None = None
    agency: str = ""
    level: int = 0
    id: UUID | None = None
    mark: str = ""


class Callers:
    """Makes them. `citizen_a` and `officer_a` own what is tried; everybody else must not see it."""

    def __init__(self, product: Product, people: People, officers: Officers, url: str) -> None:
        self.product, self.people, self._officers, self._url = product, people, officers, url

    async def every_kind(self) -> Sequence[Caller]:
        self.citizen_a = await self.people.make(name="Pemilik Rahasia")
        self.officer_a = await self._officers.make("operator", HERE)
        citizens = [
            self.citizen("citizen A", self.citizen_a, 2),
            self.citizen("citizen B", await self.people.make(), 2),
            self.citizen("citizen at level 1", await self.people.make(assurance_level=1), 1),
        ]
        made = [await self._officers.make(role, place) for place in (HERE, ELSEWHERE) for role in AGENCY_ROLES[1:]]
        made += [self.officer_a, await self._officers.make("operator", ELSEWHERE)]
        made += [await self._officers.make(role) for role in ("city_admin", "auditor")]
        return [
            Caller("anonymous", "anonymous", {}, "token_missing"),
            Caller("garbage", "anonymous", bearer("not.a.token"), "token_invalid"),
            # What an agency's application holds is opaque, and for /oauth alone.
            Caller("an application's token", "anonymous", bearer(secrets.token_urlsafe(32)), "token_invalid"),
            *citizens,
            *await self._broken(),
            *[self.officer(each) for each in made],
            *[await self.page(each) for each in made],
        ]

    def citizen(self, name: str, citizen: Citizen, level: int) -> Caller:
        return Caller(name, "citizen", bearer(citizen.token), level=level, id=citizen.id)

    def officer(self, officer: OfficerAtWork, token: str = "") -> Caller:
        where = officer.agency or "city"
        return Caller(
            f"{officer.role} of {where}",
            "officer",
            bearer(token or officer.token),
            role=officer.role,
            agency=officer.agency,
            id=officer.id,
        )

    async def page(self, officer: OfficerAtWork) -> Caller:
        """The officer at the pages, with all that a form of ours brings along."""
        async with self.product.database.transaction() as session:
            opened = open_officer_session(session, self.product.vault, officer.id, "page", Place("test", ""))
        headers = {"Cookie": f"{SESSION}={opened.cookie}", "Origin": self._url, "Sec-Fetch-Site": "same-origin"}
        mark = form_mark(self.product.gate, opened.cookie)
        told = self.officer(officer)
        return msgspec.structs.replace(
            told, name=f"{told.name} at a page", kind="page", headers=headers, mark=mark, refused="token_missing"
        )

    def lasting(self, caller: Caller) -> Caller:
        """The same with a token of this moment, where a good one would end before a long run does."""
        if caller.kind != "citizen" or caller.refused or caller.id is None:
            return caller
        old = caller.headers["Authorization"].removeprefix("Bearer ")
        session_id = UUID(jwt.decode(old, options={"verify_signature": False})["sid"])
        token = self.product.gate.tokens.issue(caller.id, session_id, caller.level)
        if caller.id == self.citizen_a.id:
            self.citizen_a.client.headers.update(bearer(token))
        return msgspec.structs.replace(caller, headers=bearer(token))

    async def anew(self, caller: Caller) -> Caller:
        """Somebody of that kind whose sessions may be ended: another citizen, the same officer once more."""
        if caller.kind == "citizen":
            return self.citizen(caller.name, await self.people.make(assurance_level=caller.level), caller.level)
        if caller.id is None:
            return caller
        kind: Literal["page", "token"] = "page" if caller.kind == "page" else "token"
        async with self.product.database.transaction() as session:
            made = open_officer_session(session, self.product.vault, caller.id, kind, Place("anew", ""))
        if kind == "page":
            headers = {**caller.headers, "Cookie": f"{SESSION}={made.cookie}"}
            return msgspec.structs.replace(caller, headers=headers, mark=form_mark(self.product.gate, made.cookie))
        return msgspec.structs.replace(caller, headers=bearer(self._signed("/v1/officer", caller.id, made.session_id)))

    async def _broken(self) -> Sequence[Caller]:
        """Tokens that were good: too old, or of a session that was ended."""
        citizen, officer = await self.people.make(), await self._officers.make("operator", HERE)
        async with citizen.client as client:
            assert (await client.post("/v1/login/logout")).status_code == 204
        async with officer.client as client:
            assert (await client.post("/v1/officer/logout")).status_code == 204
        late = {
            kind: self._signed(f"/v1{path}", who, uuid7(), age_s=4_000)
            for kind, path, who in (("citizen", "", self.citizen_a.id), ("officer", "/officer", self.officer_a.id))
        }
        return [
            Caller("expired citizen", "citizen", bearer(late["citizen"]), "token_expired"),
            Caller("revoked citizen", "citizen", bearer(citizen.token), "session_revoked"),
            Caller("expired officer", "officer", bearer(late["officer"]), "token_expired"),
            Caller("revoked officer", "officer", bearer(officer.token), "session_revoked"),
        ]

    def _signed(self, audience: str, who: UUID, session_id: UUID, age_s: int = 0) -> str:
        """A token as the product signs it, `age_s` ago."""
        if not audience.startswith("/v1"):
            raise ValueError(audience)
        signer, issuer = self.product.gate.keys.signer, self.product.settings.issuer
        now = int(time.time()) - age_s
        claims = {"iss": issuer, "aud": issuer + audience, "sub": str(who), "sid": str(session_id), "acr": "2"}
        claims |= {"jti": secrets.token_hex(8)}
        times = {"iat": now, "exp": now + 300}
        return jwt.encode({**claims, **times}, signer.key, ALGORITHM, headers={"kid": signer.kid, "typ": TOKEN_TYPE})


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
