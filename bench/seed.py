"""The product's people and cases for a run: bulk rows as the product itself writes them, encrypted as it does."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from app.cases.casedata import FORM_CONTEXT
from app.cases.files import FileStore
from app.database import Database, driver_url
from app.ids import uuid7
from app.login.keys import KeyRing
from app.login.models import BIRTH_DATE, CONTACT, NAME, NIK
from app.login.sessions import open_session
from app.login.tokens import AccessTokens
from app.privacy import Vault
from bench.forms import FORM, SERVICE
from bench.ground import owner_of, readers_of

Row = tuple[Any, ...]
LEVEL = 2
EPOCH = datetime(2026, 1, 2, tzinfo=UTC)
STATUSES = ("submitted", "in_review", "approved", "completed")
STEPS = (
    "Pendaftaran",
    "Verifikasi berkas",
    "Survei",
    "Rekomendasi",
    "Pengetikan",
    "Pemeriksaan",
    "Paraf",
    "Tanda tangan",
)
# The smallest file that app.cases.attachments takes for a PDF.
DOCUMENT = b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\nstartxref\n9\n%%EOF\n"


class Reader(msgspec.Struct, frozen=True):
    """A citizen of the run with cases of their own and a logged-in session."""

    id: UUID
    session_id: UUID
    cases: Sequence[UUID]


async def seed(database_url: str, vault: Vault, cases: int) -> list[Reader]:
    """Citizens, their contacts, and `cases` cases with ten events each. Returns those who will read."""
    connection = await asyncpg.connect(driver_url(database_url))
    try:
        citizens = [uuid7() for _ in range(owner_of(cases - 1, cases) + 1 + cases // 10)]
        owners = [citizens[owner_of(number, cases)] for number in range(cases)]
        ids = [uuid7() for _ in range(cases)]
        await _copy(connection, "citizens", (_citizen(n, one, vault) for n, one in enumerate(citizens)))
        await _copy(connection, "contacts", (_contact(n, one, vault) for n, one in enumerate(citizens)))
        form = msgspec.json.encode(FORM)
        sealed = (vault.encrypt(form, FORM_CONTEXT) for _ in ids)
        rows = (_case(n, one, owners[n], next(sealed)) for n, one in enumerate(ids))
        await _copy(connection, "cases", rows)
        await _copy(connection, "case_events", (event for n, one in enumerate(ids) for event in _events(n, one)))
        for table in ("citizens", "contacts", "cases", "case_events"):
            await connection.execute(f"VACUUM ANALYZE {table}")
    finally:
        await connection.close()
    return await _log_in(database_url, citizens[: readers_of(cases)], ids, owners)


async def seed_persons(database_url: str, vault: Vault, niks: Sequence[str]) -> list[Reader]:
    """Citizens whom an agency's sandbox knows, by their NIKs, each logged in and without cases."""
    connection = await asyncpg.connect(driver_url(database_url))
    known = [uuid7() for _ in niks]
    try:
        rows = ({**_citizen(n, one, vault), **_nik(niks[n], vault)} for n, one in enumerate(known))
        await _copy(connection, "citizens", rows)
        await connection.execute("VACUUM ANALYZE citizens")
    finally:
        await connection.close()
    return await _log_in(database_url, known, (), ())


async def tokens(database_url: str, vault: Vault, issuer: str, readers: Sequence[Reader]) -> list[str]:
    """A fresh access token for each: they live five minutes, a run lives longer."""
    database = Database(driver_url(database_url), pool_size=1, name="bench")
    try:
        keys = KeyRing(database, vault)
        await keys.open()
        issue = AccessTokens(keys, issuer).issue
        return [issue(reader.id, reader.session_id, LEVEL) for reader in readers]
    finally:
        await database.close()


async def documents(database_url: str, files: FileStore, vault: Vault, owners: Sequence[UUID]) -> list[UUID]:
    """One uploaded PDF for each of `owners`, in that order: a submission uses up one."""
    ids = [uuid7() for _ in owners]
    name = vault.encrypt(b"berkas.pdf", "attachments.name")
    rows = [
        {
            "id": one,
            "citizen_id": owner,
            "name_enc": name,
            "media_type": "application/pdf",
            "size": len(DOCUMENT),
            "sha256": bytes(32),
        }
        for one, owner in zip(ids, owners, strict=True)
    ]
    for one in ids:
        await files.put(one, DOCUMENT)
    connection = await asyncpg.connect(driver_url(database_url))
    try:
        await _copy(connection, "attachments", rows)
    finally:
        await connection.close()
    return ids


async def _log_in(
    database_url: str, readers: Sequence[UUID], ids: Sequence[UUID], owners: Sequence[UUID]
) -> list[Reader]:
    owned: dict[UUID, list[UUID]] = {reader: [] for reader in readers}
    for case, owner in zip(ids, owners, strict=True):
        if owner in owned:
            owned[owner].append(case)
    database = Database(driver_url(database_url), pool_size=1, name="bench")
    try:
        async with database.transaction() as session:
            opened = [await open_session(session, reader, LEVEL, "bench") for reader in readers]
    finally:
        await database.close()
    return [Reader(one.citizen_id, one.session_id, owned[one.citizen_id]) for one in opened]


async def _copy(
    connection: "asyncpg.Connection[Any]", table: str, rows: Iterator[Mapping[str, Any]] | Sequence[Any]
) -> None:
    found = iter(rows)
    first = next(found)
    records = (tuple(row.values()) for row in found)
    await connection.copy_records_to_table(
        table, columns=list(first), records=itertools.chain([tuple(first.values())], records)
    )


def _citizen(number: int, citizen: UUID, vault: Vault) -> Mapping[str, Any]:
    born = date(1950, 1, 1) + timedelta(days=number % 18_000)
    # Serials from 9001 on are fictitious people.
    nik = f"357101{born:%d%m%y}{9001 + number // 18_000:04d}"
    return {
        "id": citizen,
        **_nik(nik, vault),
        "name_enc": vault.encrypt(f"Warga Uji {_letters(number)}".encode(), NAME),
        "birth_date_enc": vault.encrypt(born.isoformat().encode(), BIRTH_DATE),
        "assurance_level": LEVEL,
    }


def _nik(nik: str, vault: Vault) -> Mapping[str, bytes]:
    return {"nik_enc": vault.encrypt(nik.encode(), NIK), "nik_index": vault.index("nik", nik)}


def _contact(number: int, citizen: UUID, vault: Vault) -> Mapping[str, Any]:
    phone = f"+62812900{number:06d}"
    return {
        "id": uuid7(),
        "citizen_id": citizen,
        "kind": "phone",
        "value_enc": vault.encrypt(phone.encode(), CONTACT),
        "value_index": vault.index("phone", phone),
        "confirmed_at": EPOCH,
    }


def _case(number: int, case: UUID, citizen: UUID, form: bytes) -> Mapping[str, Any]:
    at = EPOCH + timedelta(seconds=number)
    status = STATUSES[number % len(STATUSES)]
    return {
        "id": case,
        "number": f"3571-26-{number:08d}-B",
        "citizen_id": citizen,
        "module": "permits",
        "service": SERVICE,
        "agency": "dpmptsp",
        "backend": "sicantik",
        "status": status,
        "form_version": 1,
        "form_enc": form,
        "last_event": len(STEPS) + 2,
        "delivery_state": "delivered",
        "agency_reference": f"B{number:015d}",
        "submitted_at": at,
        "created_at": at,
        "updated_at": at,
    }


def _events(number: int, case: UUID) -> Iterator[Mapping[str, Any]]:
    told: list[tuple[str, str | None, str]] = [("submitted", None, "{}"), ("delivered", None, '{"reference": "B000"}')]
    told += [("step", f"s{at}", f'{{"label": "{label}", "state": "done"}}') for at, label in enumerate(STEPS)]
    for seq, (kind, key, data) in enumerate(told, 1):
        at = EPOCH + timedelta(seconds=number, hours=seq)
        yield {
            "case_id": case,
            "seq": seq,
            "at": at,
            "kind": kind,
            "status": "in_review",
            "step_key": key,
            "data": data,
        }


def _letters(number: int) -> str:
    """A name's last word, another for every number: agencies' systems take no digits in names."""
    word = ""
    while True:
        number, rest = divmod(number, 26)
        word = chr(ord("a") + rest) + word
        if number == 0:
            return word.capitalize()
