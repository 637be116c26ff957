"""`loket keys rotate-index`: all that is found by a digest gets another, while no process of the product runs (ADR 42).

Each is made of what it stands for, and known to be right where the former key gives the stored one."""

import hashlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import msgspec

from app.assembly import build
from app.audit.actions import AuditEntry, record_on
from app.cases.casedata import CASE_DATA_COLUMNS, FORM_CONTEXT, applicant
from app.cases.handover import lane_words
from app.cases.tools import CaseTools
from app.database import AWAY, Connection
from app.delegations.counter import Person
from app.delegations.models import PERSON
from app.keyring.index_rotation import IndexRotation
from app.login.models import CONTACT, NIK
from app.privacy import CannotDecrypt, index_keys
from app.settings import Settings, SettingsError

BATCH = 1_000
TOLD_EVERY_S = 5.0
# Everything that was ever called `vault.index(kind, ...)`, and where it stands; tests/structure compares. What stands
# nowhere is in Valkey for hours, or in people's devices. `underived` stands for what nothing is to be found by.
KINDS: Mapping[str, Sequence[str]] = {
    "nik": ["citizens.nik_index", "delegations.subject_index", "challenges.nik_index", "code_tries.account"],
    "displaced": ["citizens.nik_index"],
    "phone": ["contacts.value_index"],
    "lane": ["deliveries.lane"],
    "underived": ["deliveries.lane", "delegations.subject_index"],
    "challenge": ["challenges.code_mac"],
    "tries": ["challenges.account", "code_tries.account"],
    "decoy": ["challenges.account", "code_tries.account"],
    "address": ["officer_sessions.address_index"],
    "officer": [],
    "refresh": [],
    "agency_reads": [],
    "known device": [],
}
_PEOPLE = ("contacts", "citizens")
_NOTHING = "this database stands under the first key of LOKET_INDEX_KEY: nothing to do"
_PATIENT = "SELECT set_config('statement_timeout', '0', false), set_config('lock_timeout', '10000', false)"
# A code lives five minutes: whoever waited for one asks for another. What was tried for nobody, or from a device that
# is known no more, is not counted on.
_SHORT_LIVED = (
    "UPDATE challenges SET account = '', nik_index = NULL, code_mac = '', expires_at = least(expires_at, now())",
    "UPDATE officer_sessions SET address_index = NULL WHERE address_index IS NOT NULL",
)
_TRIED = """
SELECT account, purpose, tries, last_at, nik_enc FROM code_tries JOIN citizens ON citizens.nik_index = account
"""
_TRIED_NO_MORE = "DELETE FROM code_tries"
_TRIED_AGAIN = "INSERT INTO code_tries (account, purpose, tries, last_at) VALUES ($1, $2, $3, $4)"
# Taken before anything is joined: else every batch might read and sort all that follow.
_BATCH = "WITH batch AS MATERIALIZED (SELECT * FROM {table} WHERE id > $1 ORDER BY id LIMIT $2)"
_BEFORE_ALL = str(UUID(int=0))
_WRITE = """
UPDATE {table} SET {column} = given.digest FROM unnest($1::uuid[], $2::bytea[]) AS given (key, digest)
WHERE {table}.id = given.key
"""
Say = Callable[[str], None]
Row = Mapping[str, Any]


class Walk(msgspec.Struct, frozen=True):
    """One table's rows in the order of their ids: `digest` stands in `column`; `renewed` makes it anew, or leaves it
    by None."""

    table: str
    column: str
    statement: str
    renewed: Callable[[Row], bytes | None]


class Reindexer:
    """Makes everything anew on one connection. `officer`: who has it done, on record; without one it only looks whether
    it could be. `underived` counts what could not; `unreadable` names what stops a rotation."""

    def __init__(self, connection: Connection, tools: CaseTools, say: Say, officer: str = "") -> None:
        self._connection, self._tools, self._vault = connection, tools, tools.vault
        self._say, self._officer = say, officer
        self._rotation = IndexRotation(connection, tools.vault)
        self.underived: Counter[str] = Counter()
        self.unreadable: set[str] = set()

    async def look_at_people(self) -> None:
        """Whether any of them would stop a rotation, which could not be left half-way."""
        for walk in self._walks():
            if walk.table in _PEOPLE:
                await self._walk(walk, "", "")

    async def run(self, reached: str) -> None:
        """From where it was to its end. People's own digests go last: what is found by them is found until then."""
        walks = self._walks()
        if not reached:
            reached = walks[0].table
            await self._first(reached)
        table, _, last = reached.partition(" ")
        names = [*(walk.table for walk in walks), ""]
        for at, walk in enumerate(walks):
            if at >= names.index(table):
                await self._walk(walk, last if walk.table == table else "", names[at + 1])

    async def _first(self, reached: str) -> None:
        """What is short-lived, in one transaction with the first word that something was changed."""
        async with self._connection.transaction():
            tried = await self._connection.fetch(_TRIED)
            anew = [(self._of_nik(row["account"], row["nik_enc"]), row) for row in tried]
            if not self._officer:
                return
            await self._rotation.step("", reached)
            await record_on(self._connection, self._entry())
            for statement in (*_SHORT_LIVED, _TRIED_NO_MORE):
                await self._connection.execute(statement)
            kept = [(digest, row["purpose"], row["tries"], row["last_at"]) for digest, row in anew if digest]
            await self._connection.executemany(_TRIED_AGAIN, kept)

    async def _walk(self, walk: Walk, last: str, following: str) -> None:
        reached = f"{walk.table} {last}".strip()
        total = await self._connection.fetchval(f"SELECT count(*) FROM {walk.table}")  # noqa: S608 - names of ours
        done, told_at = 0, time.monotonic()
        while True:
            async with self._connection.transaction():
                rows = await self._connection.fetch(walk.statement, last or _BEFORE_ALL, BATCH)
                digests = [(row["id"], digest) for row in rows if (digest := walk.renewed(row))]
                is_last = len(rows) < BATCH
                last = last if is_last else str(rows[-1]["id"])
                if self._officer:
                    await self._write(walk, digests)
                    before, reached = reached, following if is_last else f"{walk.table} {last}"
                    await (self._rotation.step(before, reached) if reached else self._rotation.end(before))
            done += len(rows)
            if is_last or time.monotonic() - told_at > TOLD_EVERY_S:
                self._say(f"{done:9} of {total} {walk.table}")
                told_at = time.monotonic()
            if is_last:
                return

    def _entry(self) -> AuditEntry:
        return AuditEntry(
            actor_kind="officer",
            actor_id=self._officer,
            action="key.index_rotated",
            subject_id=None,
            object_kind="key",
            object_id=self._vault.standing["index"][0],
            purpose="keys",
            legal_basis="",
        )

    async def _write(self, walk: Walk, digests: Sequence[tuple[Any, bytes]]) -> None:
        statement = _WRITE.format(table=walk.table, column=walk.column)
        await self._connection.execute(statement, *([each[at] for each in digests] for at in (0, 1)))

    def _walks(self) -> Sequence[Walk]:
        return (
            Walk("delegations", "subject_index", _DELEGATIONS, self._delegation),
            Walk("contacts", "value_index", _CONTACTS, self._contact),
            Walk("deliveries", "lane", _DELIVERIES, self._lane),
            Walk("citizens", "nik_index", _CITIZENS, self._citizen),
        )

    def _delegation(self, row: Row) -> bytes:
        """Of the account that has the NIK, or of the person as their papers say. A question about a NIK that nobody
        has stays, so that nothing is told by it, and is found by nobody who comes to have it."""
        for sealed, context in ((row["named_enc"], NIK), (row["subject_enc"], NIK), (row["person_enc"], PERSON)):
            words = self._opened(sealed, context)
            nik = msgspec.json.decode(words, type=Person).nik if words and context == PERSON else words
            if nik and self._vault.former_index("nik", nik) == row["digest"]:
                return self._vault.index("nik", nik)
        self.underived["delegations"] += 1
        return self._vault.index("underived", f"delegation|{row['id']}")

    def _contact(self, row: Row) -> bytes | None:
        phone = self._opened(row["value_enc"], CONTACT)
        if self._vault.former_index("phone", phone) == row["digest"]:
            return self._vault.index("phone", phone)
        self._unreadable(f"contacts.value of {row['id']}")
        return None

    def _lane(self, row: Row) -> bytes | None:
        """Of the form. Where that was changed since, or its applicant deleted, those of one lane keep one, which none
        that comes after them has."""
        if row["is_own"]:
            # The case's own id, under no key: what only a person gets on with, and the demo's past.
            return None
        try:
            form = msgspec.json.decode(self._vault.decrypt(row["form_enc"], FORM_CONTEXT))
            handler = self._tools.modules[row["module"]].handler
            words = lane_words(handler, row, applicant(row, self._tools), form)
        except (CannotDecrypt, LookupError, TypeError, ValueError):
            words = ""
        if words and self._vault.former_index("lane", words) == row["lane"]:
            return self._vault.index("lane", words)
        self.underived["deliveries"] += 1
        return self._vault.index("underived", f"lane|{row['lane'].hex()}")

    def _citizen(self, row: Row) -> bytes | None:
        own = str(row["id"])
        if row["digest"] == hashlib.sha256(f"deleted {own}".encode()).digest():
            return None
        if row["digest"] == self._vault.former_index("displaced", own):
            return self._vault.index("displaced", own)
        digest = self._of_nik(row["digest"], row["nik_enc"])
        if digest is None:
            self._unreadable(f"citizens.nik of {own}")
        return digest

    def _of_nik(self, digest: bytes, nik_enc: bytes) -> bytes | None:
        nik = self._opened(nik_enc, NIK)
        return self._vault.index("nik", nik) if self._vault.former_index("nik", nik) == digest else None

    def _opened(self, sealed: bytes | None, context: str) -> str:
        """ "" where there is nothing, or nobody can read it."""
        try:
            return self._vault.decrypt(sealed, context).decode() if sealed else ""
        except CannotDecrypt:
            return ""

    def _unreadable(self, what: str) -> None:
        """A person whom nobody would find any more."""
        if self._officer:
            raise SettingsError(f"{what} does not give what it is found by. Run this again once it does")
        self.unreadable.add(what)


_DELEGATIONS = f"""
{_BATCH.format(table="delegations")}
SELECT batch.id, subject_index AS digest, person_enc, named.nik_enc AS named_enc, subject.nik_enc AS subject_enc
FROM batch LEFT JOIN citizens AS named ON named.nik_index = subject_index
LEFT JOIN citizens AS subject ON subject.id = subject_id ORDER BY batch.id
"""  # noqa: S608 - constants of ours
_CONTACTS = f"{_BATCH.format(table='contacts')} SELECT id, value_enc, value_index AS digest FROM batch ORDER BY id"  # noqa: S608 - constants of ours
_DELIVERIES = f"""
{_BATCH.format(table="deliveries")}
SELECT batch.id, lane, lane = uuid_send(case_id) AS is_own, cases.backend, {CASE_DATA_COLUMNS}
FROM batch JOIN cases ON cases.id = case_id JOIN citizens ON citizens.id = cases.citizen_id ORDER BY batch.id
"""  # noqa: S608 - constants of ours
_CITIZENS = f"{_BATCH.format(table='citizens')} SELECT id, nik_enc, nik_index AS digest FROM batch ORDER BY id"  # noqa: S608 - constants of ours


async def rotate_index(settings: Settings, say: Say, officer: str) -> None:
    """Raises SettingsError where a process is still there, a key is not the database's, or somebody could not be found
    any more."""
    async with _alone(settings) as (connection, tools):
        rotation, reindexer = IndexRotation(connection, tools.vault), Reindexer(connection, tools, say, officer)
        reached = await rotation.reached()
        if reached is None:
            say(_NOTHING)
            return
        if reached:
            say(f"going on where the last run ended: {reached}")
        else:
            await rotation.require_alone()
            say("looking whether everybody can be found by another key")
            looking = Reindexer(connection, tools, say)
            await looking.look_at_people()
            _refuse_unreadable(looking)
            await rotation.announce()
            say("from now on no process starts before this has ended")
        await reindexer.run(reached)
    _tell_underived(reindexer, say)
    say("everything stands under the new index key: name it alone, and start the processes")


async def tell_reindexing(settings: Settings, say: Say) -> None:
    """What a rotation would come upon; nothing is changed, and the product may run. Raises SettingsError where it would
    be stopped."""
    async with _alone(settings) as (connection, tools):
        if await IndexRotation(connection, tools.vault).reached() is None:
            say(_NOTHING)
            return
        reindexer = Reindexer(connection, tools, say)
        await reindexer.run("")
    _tell_underived(reindexer, say)
    _refuse_unreadable(reindexer)
    say("nothing was changed")


@asynccontextmanager
async def _alone(settings: Settings) -> AsyncIterator[tuple[Connection, CaseTools]]:
    """The one connection that all is done on."""
    if not settings.index_key:
        raise SettingsError("LOKET_INDEX_KEY is not set: name the new key and the former one, as `new,former`")
    keys = index_keys(settings)
    if len(keys) != 2 or keys[0] == keys[1]:
        raise SettingsError("LOKET_INDEX_KEY must name two keys here, the new one first: `new,former`")
    product = build(settings, "rotate-index")
    try:
        async with product.database.connection() as connection:
            await connection.fetchval(_PATIENT)
            yield connection, product.cases
    except AWAY as error:
        raise SettingsError(f"the database went away ({type(error).__name__}): run this again, it goes on") from None
    finally:
        await product.close()


def _tell_underived(reindexer: Reindexer, say: Say) -> None:
    for table, count in sorted(reindexer.underived.items()):
        say(f"{count:9} of {table} cannot be derived (docs/operations.md says what that means)")


def _refuse_unreadable(reindexer: Reindexer) -> None:
    if reindexer.unreadable:
        first = min(reindexer.unreadable)
        raise SettingsError(
            f"{len(reindexer.unreadable)} do not give what they are found by, {first}: nothing was changed"
        )
