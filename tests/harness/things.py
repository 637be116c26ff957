"""What belongs to citizen A, or to agency A's officers, made afresh for whoever tries to reach it."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Any
from uuid import uuid4

import msgspec

from app.callbacks.strays import SIGN_CONTEXT
from app.delegations.counter import Person, Sought, seek
from app.login.sessions import open_session
from tests.harness.aid import objection
from tests.harness.callers import HERE, Callers
from tests.harness.cases import SERVICE, hand_in, new_key, send_pdf
from tests.harness.officers import Officers
from tests.harness.tables import Tables
from tests.harness.tickets import SERVICE as TICKET
from tests.harness.tickets import ticket_form

_NEW_MESSAGE = """
INSERT INTO messages (id, citizen_id, key, params) VALUES (gen_random_uuid(), $1, 'inbox.case_completed', '{}')
RETURNING id::text
"""
_NEW_GRANT = """
WITH client AS (
    INSERT INTO clients (id, name, agency, purpose_id, purpose_en, sector, scopes, redirect_uris, post_logout_uris,
        auth_method, public_keys)
    VALUES ('matrix-' || gen_random_uuid(), 'Portal', 'dinkes', 'a', 'b', 'x.example', '["openid"]', '[]', '[]',
        'private_key_jwt', '[]') RETURNING id
)
INSERT INTO client_grants (id, citizen_id, client_id, scopes) SELECT gen_random_uuid(), $1, id, '["openid"]' FROM client
RETURNING id::text
"""
_NEW_PASSKEY = """
INSERT INTO passkeys (id, citizen_id, credential_id, public_key, sign_count, backed_up)
VALUES (gen_random_uuid(), $1, gen_random_uuid()::text::bytea, '', 0, false) RETURNING id::text
"""
_NEW_CONSENT = """
INSERT INTO consents (id, citizen_id, purpose, text_version, withdrawn_at)
VALUES (gen_random_uuid(), $1, 'health-membership', 1, now()) RETURNING id::text
"""
_NEW_DELEGATION = """
WITH asker AS (
    INSERT INTO citizens (id, nik_enc, nik_index, name_enc, birth_date_enc)
    SELECT gen_random_uuid(), nik_enc, uuid_send(gen_random_uuid()), name_enc, birth_date_enc FROM citizens
    WHERE id = $1 RETURNING id
)
INSERT INTO delegations (id, relation, delegate_id, subject_index, services, days, asked_until)
SELECT gen_random_uuid(), 'other', asker.id, nik_index, '{outdoor-advertising}', 30, now() + interval '7 days'
FROM asker, citizens WHERE citizens.id = $1 RETURNING id::text
"""
_NEW_VIEW = """
INSERT INTO officer_views (id, officer_id, name, filters) VALUES (gen_random_uuid(), $1, $2, '{}') RETURNING id::text
"""
_NEW_STRAY = """
INSERT INTO stray_callbacks (id, backend, agency, digest, about, reference, sign_enc)
VALUES (gen_random_uuid(), 'sicantik', $1, uuid_send(gen_random_uuid()), 'case', $2, $3) RETURNING id::text
"""
_NEW_REQUEST = """
INSERT INTO data_requests (id, citizen_id, kind, field, state, places, due_at)
VALUES (gen_random_uuid(), $1, 'correction', 'name', 'waiting',
    '[{"agency": "dinkes", "system": "sicantik", "state": "pending", "since": "2026-01-01T00:00:00Z"}]',
    now() + interval '72 hours')
RETURNING id::text
"""
_NEW_DELETION = """
INSERT INTO data_requests (id, citizen_id, kind, run_at, due_at)
VALUES (gen_random_uuid(), $1, 'deletion', now() + interval '1 day', now() + interval '72 hours') RETURNING id::text
"""
_NEW_OFFICER_PASSKEY = """
INSERT INTO officer_passkeys (id, officer_id, credential_id, public_key, sign_count, backed_up)
VALUES (gen_random_uuid(), $1, gen_random_uuid()::text::bytea, '', 0, false) RETURNING id::text
"""
_NEW_COPY = """
INSERT INTO data_copies (id, request_id, part, size, sha256, expires_at)
VALUES ($1, $2::text::uuid, 1, 1, '', now() + interval '1 day')
"""
_FOR_AN_OFFICER = """
UPDATE deliveries SET state = 'needs_operator', reason = 'no_answer' WHERE case_id = $1 RETURNING id::text
"""

_NEW_MAINTENANCE = """
INSERT INTO maintenance_windows (id, backend, service, starts_at, ends_at, reason, officer)
VALUES (gen_random_uuid(), 'sicantik', 'nothing', now() + interval '1 day', now() + interval '2 days', 'Uji', 'x')
RETURNING id::text
"""


class Thing(msgspec.Struct, frozen=True):
    """One of them: its id, the row that must not change, the headers its owner needs; `beside`: what else
    its path names; `owner`: see `Things.owns`."""

    id: str
    table: str
    owner: str
    headers: Mapping[str, str] = {}
    beside: Mapping[str, str] = {}


class Things:
    """Makers by name; each gives something new."""

    def __init__(self, callers: Callers, officers: Officers, tables: Tables) -> None:
        self._callers, self._officers, self._tables = callers, officers, tables
        self.secrets: set[str] = set()
        self._makers: Mapping[str, Callable[[], Awaitable[Thing]]] = {
            "draft": self._draft,
            "case": self._case,
            "asked case": lambda: self._case("needs_citizen"),
            "finished case": lambda: self._case("completed"),
            "ticket case": self._ticket,
            "aid case": self._aid,
            "attachment": self._attachment,
            "message": self._message,
            "session": self._session,
            "application": self._application,
            "passkey": self._passkey,
            "consent": self._consent,
            "asked delegation": self._asked_delegation,
            "delegation to confirm": self._delegation_to_confirm,
            "data request": self._data_request,
            "data copy": self._data_copy,
            "correction": lambda: self._data_request(""),
            "deletion": self._deletion,
            "step-up": self._step_up,
            "delivery": self._delivery,
            "agency case": self._agency_case,
            "case file": self._case_file,
            "officer view": self._officer_view,
            "backend": self._backend,
            "stray callback": self._stray_callback,
            "maintenance": self._maintenance,
            "officer": self._officer,
            "invited officer": lambda: self._officer("invited"),
            "recovery": self._recovery,
            "officer session": lambda: self._officer_session("token"),
            "page session": lambda: self._officer_session("page"),
            "officer passkey": self._officer_passkey,
            "page passkey": self._officer_passkey,
        }

    async def make(self, name: str) -> Thing:
        thing = await self._makers[name]()
        if thing.table:
            self.secrets.add(thing.id)
        return thing

    async def row(self, thing: Thing) -> str:
        """The whole row as text, "" where it is gone."""
        if not thing.table:
            return ""
        statement = f"SELECT t::text FROM {thing.table} t WHERE id::text = $1"
        return str(await self._tables.value(statement, thing.id) or "")

    async def _draft(self) -> Thing:
        body = {"service": SERVICE, "form": {"purpose": "Rahasia"}, "draft": True}
        return self._shown(await self._callers.citizen_a.post("/v1/cases", body, key=new_key()))

    async def _case(self, status: str = "") -> Thing:
        handed = await hand_in(self._callers.citizen_a)
        if status:
            asked = "question = 'Apa?'" if status == "needs_citizen" else "question = NULL"
            await self._tables.run(f"UPDATE cases SET status = $2, {asked} WHERE id::text = $1", handed["id"], status)
        self.secrets.add(handed["number"])
        return Thing(handed["id"], "cases", "A")

    async def _ticket(self) -> Thing:
        """One not yet taken: that is enough to tell its owner more than "not found"."""
        body = {"service": TICKET, "form": ticket_form(), "draft": True}
        return self._shown(await self._callers.citizen_a.post("/v1/cases", body, key=new_key()))

    async def _aid(self) -> Thing:
        """One not handed in: what it asks for is kept from everybody else all the same."""
        body = {"service": "aid-objection", "form": objection(), "draft": True}
        return self._shown(await self._callers.citizen_a.post("/v1/cases", body, key=new_key()))

    def _shown(self, answer: Any) -> Thing:
        assert answer.status_code == 201, answer.text
        self.secrets.add(answer.json()["number"])
        return Thing(answer.json()["id"], "cases", "A", {"If-Match": answer.headers["etag"]})

    async def _attachment(self) -> Thing:
        return Thing(await send_pdf(self._callers.citizen_a), "attachments", "A")

    async def _message(self) -> Thing:
        return Thing(await self._tables.value(_NEW_MESSAGE, self._callers.citizen_a.id), "messages", "A")

    async def _session(self) -> Thing:
        async with self._callers.product.database.transaction() as session:
            opened = await open_session(session, self._callers.citizen_a.id, 2, "another")
        return Thing(str(opened.session_id), "sessions", "A")

    async def _application(self) -> Thing:
        return Thing(await self._tables.value(_NEW_GRANT, self._callers.citizen_a.id), "client_grants", "A")

    async def _passkey(self) -> Thing:
        return Thing(await self._tables.value(_NEW_PASSKEY, self._callers.citizen_a.id), "passkeys", "A")

    async def _consent(self) -> Thing:
        return Thing(await self._tables.value(_NEW_CONSENT, self._callers.citizen_a.id), "consents", "A")

    async def _asked_delegation(self) -> Thing:
        """Asked of citizen A, by somebody who is no caller."""
        return Thing(await self._tables.value(_NEW_DELEGATION, self._callers.citizen_a.id), "delegations", "A")

    async def _data_request(self, owner: str = "A") -> Thing:
        return Thing(await self._tables.value(_NEW_REQUEST, self._callers.citizen_a.id), "data_requests", owner)

    async def _data_copy(self) -> Thing:
        """A part that can be fetched, file and all."""
        asked = await self._data_request()
        part_id = uuid4()
        await self._callers.product.cases.files.put(part_id, b"Rahasia")
        await self._tables.run(_NEW_COPY, part_id, asked.id)
        return asked

    async def _deletion(self) -> Thing:
        """Somebody else's each time: one has one of them only."""
        citizen = await self._callers.people.make()
        return Thing(await self._tables.value(_NEW_DELETION, citizen.id), "data_requests", "")

    async def _delegation_to_confirm(self) -> Thing:
        """For a child whom no register knows, at agency A's counter."""
        person = Person("3571020106159996", "Anak Rahasia", date(2015, 6, 1))
        sought = Sought(
            person=person,
            relation="child",
            services=[SERVICE],
            days=30,
            agency=HERE,
            delegate_id=self._callers.citizen_a.id,
        )
        product = self._callers.product
        async with product.database.begin() as connection:
            return Thing(str(await seek(connection, product.gate, sought)), "delegations", HERE)

    async def _step_up(self) -> Thing:
        """A code on its way to citizen A."""
        started = await self._callers.citizen_a.post("/v1/me/step-up/options", {"method": "otp"})
        assert started.status_code < 300, started.text
        return Thing(started.json()["challenge_id"], "challenges", "A")

    async def _delivery(self) -> Thing:
        case = await self._case()
        found = await self._tables.value(_FOR_AN_OFFICER.replace("$1", "$1::text::uuid"), case.id)
        return Thing(found, "deliveries", HERE)

    async def _agency_case(self) -> Thing:
        """Citizen A's case, as the agency's that handles it."""
        return Thing((await self._case()).id, "cases", HERE)

    async def _case_file(self) -> Thing:
        case = await self._case()
        found = await self._tables.value("SELECT id::text FROM attachments WHERE case_id::text = $1", case.id)
        return Thing(found, "attachments", HERE, beside={"case_id": case.id})

    async def _officer_view(self) -> Thing:
        name = f"view-{new_key()}"
        found = await self._tables.value(_NEW_VIEW, self._callers.officer_a.id, name)
        self.secrets.add(name)
        return Thing(found, "officer_views", f"officer {self._callers.officer_a.id}")

    async def _backend(self) -> Thing:
        return Thing("sicantik", "", HERE)

    async def _stray_callback(self) -> Thing:
        reference = f"asing-{uuid4()}"
        self.secrets.add(reference)
        said = self._callers.product.vault.encrypt(b"received", SIGN_CONTEXT)
        return Thing(await self._tables.value(_NEW_STRAY, HERE, reference, said), "stray_callbacks", HERE)

    async def _maintenance(self) -> Thing:
        return Thing(await self._tables.value(_NEW_MAINTENANCE), "maintenance_windows", HERE)

    async def _officer(self, state: str = "active") -> Thing:
        made = await self._officers.make("operator", HERE)
        if state != "active":
            await self._tables.run("UPDATE officers SET state = $2 WHERE id = $1", made.id, state)
        self.secrets.add(made.name)
        return Thing(str(made.id), "officers", HERE)

    async def _recovery(self) -> Thing:
        lost, asker = await self._officer(), await self._officers.make("city_admin")
        asked = await asker.post(f"/v1/officer/officers/{lost.id}/recovery", {"reason": "Ponsel hilang"})
        assert asked.status_code == 201, asked.text
        return Thing(asked.json()["id"], "officer_recoveries", "")

    async def _officer_passkey(self) -> Thing:
        officer_id = self._callers.officer_a.id
        # One has a few at most.
        await self._tables.run("DELETE FROM officer_passkeys WHERE officer_id = $1", officer_id)
        made = await self._tables.value(_NEW_OFFICER_PASSKEY, officer_id)
        return Thing(made, "officer_passkeys", f"officer {officer_id}")

    async def _officer_session(self, kind: str) -> Thing:
        caller = self._callers.officer(self._callers.officer_a)
        made = await self._callers.anew(msgspec.structs.replace(caller, kind="officer"))
        found = await self._tables.value(
            "SELECT id::text FROM officer_sessions WHERE officer_id = $1 ORDER BY created_at DESC LIMIT 1", made.id
        )
        return Thing(found, "officer_sessions", f"officer {self._callers.officer_a.id}")
