"""What both yardsticks stand on: their settings, tables, rows and access tokens."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import jwt
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

POOL_SIZE = 10
TOKEN_S = 3600
AUDIENCE = "bench"
TABLES = """
CREATE SCHEMA IF NOT EXISTS bench;
DROP TABLE IF EXISTS bench.events, bench.cases;
CREATE TABLE bench.cases (
    id uuid PRIMARY KEY,
    number text NOT NULL UNIQUE,
    citizen_id uuid NOT NULL,
    service text NOT NULL,
    status text NOT NULL,
    delivery text NOT NULL,
    form jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX ON bench.cases (citizen_id, id DESC);
CREATE TABLE bench.events (
    id uuid PRIMARY KEY,
    case_id uuid NOT NULL REFERENCES bench.cases,
    seq int NOT NULL,
    kind text NOT NULL,
    label text NOT NULL,
    at timestamptz NOT NULL,
    UNIQUE (case_id, seq)
);
"""
Row = tuple[Any, ...]
READERS = 200
CASES_EACH = 25
EPOCH = datetime(2026, 1, 2, tzinfo=UTC)
SERVICES = ("izin-reklame", "izin-praktik-perawat", "izin-penelitian")
STATUSES = ("submitted", "in_review", "approved", "completed")
EVENT_KINDS = (
    "submitted",
    "delivered",
    "received",
    "checked",
    "surveyed",
    "weighed",
    "drafted",
    "signed",
    "issued",
    "done",
)


class Settings(msgspec.Struct, frozen=True):
    """What a yardstick's process needs to know, as JSON on its command line."""

    port: int
    database_url: str
    valkey_url: str
    public_key: str
    agency_port: int


class Ground(msgspec.Struct, frozen=True):
    """What a run of the bench needs to know of the rows: whose they are, which cases have a whole timeline."""

    readers: Sequence["Reader"]
    public_key: str


class Reader(msgspec.Struct, frozen=True):
    """A citizen of the run: an access token, and cases that are this citizen's own."""

    token: str
    cases: Sequence[UUID]


def owner_of(number: int, cases: int) -> int:
    """Whose the case of this number is: CASES_EACH for each of the first READERS, ten for each of the rest."""
    if number < min(READERS * CASES_EACH, cases):
        return number // CASES_EACH
    return READERS + number % max(1, cases // 10 - READERS)


def readers_of(cases: int) -> int:
    """How many citizens have CASES_EACH."""
    return max(1, min(READERS, cases // CASES_EACH))


async def prepare(database_url: str, *, cases: int, form: str) -> Ground:
    """Make the tables anew with `cases` rows, each with a timeline of ten events."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(TABLES)
        rows = [_case(number, _id(0, owner_of(number, cases)), form) for number in range(cases)]
        await connection.copy_records_to_table("cases", schema_name="bench", records=rows)
        await connection.copy_records_to_table(
            "events", schema_name="bench", records=(e for number, row in enumerate(rows) for e in _events(row, number))
        )
        await connection.execute("VACUUM ANALYZE bench.cases")
        await connection.execute("VACUUM ANALYZE bench.events")
    finally:
        await connection.close()
    return _ground(rows, [_id(0, number) for number in range(readers_of(cases))])


def _ground(rows: Sequence["Row"], readers: Sequence[UUID]) -> Ground:
    key = ec.generate_private_key(ec.SECP256R1())
    owned: dict[UUID, list[UUID]] = {citizen: [] for citizen in readers}
    for row in rows:
        if row[2] in owned:
            owned[row[2]].append(row[0])
    public_key = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Ground([Reader(_token(key, citizen), cases) for citizen, cases in owned.items()], public_key.decode())


def _token(key: ec.EllipticCurvePrivateKey, citizen: UUID) -> str:
    claims = {"sub": str(citizen), "sid": str(uuid4()), "aud": AUDIENCE, "exp": int(time.time()) + TOKEN_S, "acr": "2"}
    return jwt.encode(claims, key, algorithm="ES256")


def _case(number: int, citizen: UUID, form: str) -> Row:
    at = EPOCH + timedelta(minutes=number)
    return (
        _id(1, number),
        f"KDR-2026-{number:07d}",
        citizen,
        SERVICES[number % len(SERVICES)],
        STATUSES[number % len(STATUSES)],
        "delivered",
        form,
        at,
        at + timedelta(hours=9),
    )


def _events(case: Row, number: int) -> Sequence[Row]:
    return [
        (_id(2, number * 10 + seq), case[0], seq, kind, f"Langkah {seq + 1}: {kind}", case[7] + timedelta(hours=seq))
        for seq, kind in enumerate(EVENT_KINDS)
    ]


def _id(kind: int, number: int) -> UUID:
    """Ids that rise with the number, as UUIDv7 do with time."""
    return UUID(int=(kind << 96) | (7 << 76) | (1 << 63) | number)
