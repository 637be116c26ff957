"""Idempotency keys: one key of one citizen, or officer, gives one answer, also when two requests run at once."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response

from app.answers import EncodedJson
from app.database import Connection
from app.errors import BadRequest, Conflict, Unprocessable
from app.privacy import Vault

KEY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
KEPT_DAYS = 8

_WELL_FORMED = re.compile(r"^[A-Za-z0-9._:-]{8,128}$")
_CONTEXT = "idempotency_keys.body"
# hashtextextended gives 64 bits: two different keys that share a lock only make one of them answer 409 and come again.
_CLAIM = "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 7))"


class Kept(msgspec.Struct, frozen=True):
    """The statements of one table of keys."""

    find: str
    keep: str
    change: str
    forget: str
    forget_old: str


def _kept(table: str, owner: str) -> Kept:
    mine = f"WHERE {owner} = $1 AND key = $2"
    return Kept(
        find=f"SELECT fingerprint, status, headers, body_enc FROM {table} {mine}",  # noqa: S608 - constants of ours
        keep=f"INSERT INTO {table} ({owner}, key, fingerprint, status, headers, body_enc) "  # noqa: S608 - as above
        "VALUES ($1, $2, $3, $4, $5::jsonb, $6) ON CONFLICT DO NOTHING RETURNING 1",
        change=f"UPDATE {table} SET status = $3, headers = $4::jsonb, body_enc = $5 {mine}",  # noqa: S608 - as above
        forget=f"DELETE FROM {table} {mine}",  # noqa: S608 - as above
        forget_old=f"DELETE FROM {table} WHERE created_at < now() - interval '{KEPT_DAYS} days'",  # noqa: S608 - as above
    )


CITIZENS = _kept("idempotency_keys", "citizen_id")
# Apart: what row-level security shows of a citizen's keys hangs on whose they are, and no officer's key is a citizen's.
OFFICERS = _kept("officer_keys", "officer_id")


class KeyedRequest(msgspec.Struct, frozen=True):
    """A request under a key of `owner_id`. `fingerprint` is of its method, path and body."""

    owner_id: UUID
    key: str
    fingerprint: bytes
    kept: Kept = CITIZENS


class FirstAnswer(msgspec.Struct, frozen=True):
    """The answer the first request with this key got, to the byte."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


def fingerprint(method: str, path: str, body: bytes) -> bytes:
    return hashlib.sha256(b"\0".join((method.encode(), path.encode(), body))).digest()


def read_key(given: str | None, *, required: bool) -> str | None:
    """The header's value. Raises BadRequest where it is missing though required, or malformed."""
    if given is None:
        if required:
            raise BadRequest("idempotency_key_missing")
        return None
    if not _WELL_FORMED.match(given):
        raise BadRequest("idempotency_key_invalid")
    return given


async def first_answer(connection: Connection, request: KeyedRequest, vault: Vault) -> FirstAnswer | None:
    """The stored answer, or None where this request is the first: then the key is ours until the transaction ends.

    Raises Conflict while another request with the key runs, Unprocessable where the key was used for something else.
    """
    if not await connection.fetchval(_CLAIM, f"{request.owner_id}:{request.key}"):
        raise Conflict("idempotency_key_in_use", retry_after_s=1)
    return await stored_answer(connection, request, vault)


async def stored_answer(connection: Connection, request: KeyedRequest, vault: Vault) -> FirstAnswer | None:
    """The answer the key has, if any. Raises Unprocessable where the key was used for something else."""
    row = await connection.fetchrow(request.kept.find, request.owner_id, request.key)
    return None if row is None else answer_of(row, request, vault)


def answer_of(row: Mapping[str, Any], request: KeyedRequest, vault: Vault) -> FirstAnswer:
    """A row with fingerprint, status, headers and body_enc of the request's key. Raises Unprocessable as
    `stored_answer`."""
    if row["fingerprint"] != request.fingerprint:
        raise Unprocessable("idempotency_key_reused")
    return FirstAnswer(row["status"], vault.decrypt(row["body_enc"], _CONTEXT), row["headers"])


async def change_answer(connection: Connection, request: KeyedRequest, answer: FirstAnswer, vault: Vault) -> None:
    """Put the last answer in the place of the first one, which was given before the end was known."""
    sealed, headers = vault.encrypt(answer.body, _CONTEXT), json.dumps(dict(answer.headers))
    await connection.execute(request.kept.change, request.owner_id, request.key, answer.status, headers, sealed)


async def forget_answer(connection: Connection, request: KeyedRequest) -> None:
    """The key is as if never used: the next request with it is tried."""
    await connection.execute(request.kept.forget, request.owner_id, request.key)


async def keep_answer(connection: Connection, request: KeyedRequest, answer: FirstAnswer, vault: Vault) -> None:
    """Store the answer in the transaction of what it tells. Raises Conflict where another request was quicker."""
    values = key_values(request, answer, vault)
    if await connection.fetchval(request.kept.keep, request.owner_id, *values) is None:
        raise Conflict("idempotency_key_in_use", retry_after_s=1)


def key_values(request: KeyedRequest, answer: FirstAnswer, vault: Vault) -> tuple[object, ...]:
    """What `key, fingerprint, status, headers, body_enc` are given."""
    headers = json.dumps(dict(answer.headers))
    return request.key, request.fingerprint, answer.status, headers, vault.encrypt(answer.body, _CONTEXT)


async def forget_old(connection: Connection) -> None:
    """Remove what is past its time."""
    for kept in (CITIZENS, OFFICERS):
        await connection.execute(kept.forget_old)


def answered(answer: FirstAnswer, *, replayed: bool = False) -> Response[Any]:
    """The stored bytes as a response."""
    headers = dict(answer.headers)
    media_type = headers.pop("Content-Type", None)
    if replayed:
        headers[REPLAYED_HEADER] = "true"
    if not answer.body:
        return Response(None, status_code=answer.status, headers=headers)
    if media_type is not None:
        return Response(answer.body, status_code=answer.status, media_type=media_type, headers=headers)
    return EncodedJson(answer.body, status_code=answer.status, headers=headers)
