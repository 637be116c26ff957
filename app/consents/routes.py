"""HTTP of a citizen's consents."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from app.catalog.catalog import Catalog
from app.consents.actions import give_consent, withdraw_consent
from app.consents.schemas import ConsentPage, ConsentView, NewConsent, OfferedConsent
from app.cursor import decode_cursor, encode_cursor
from app.database import Database
from app.errors import Conflict, NotFound
from app.login.guards import CITIZEN, Caller
from app.parameters import Cursor, Limit
from app.problems import problems
from app.texts import Language

_LIST = """
SELECT id, purpose, text_version, case_id, given_at, withdrawn_at FROM consents
WHERE citizen_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3
"""
_GIVEN = "SELECT purpose, text_version FROM consents WHERE citizen_id = $1 AND case_id IS NULL AND withdrawn_at IS NULL"


@get(
    "/v1/me/consents",
    opt=CITIZEN,
    operation_id="list_my_consents",
    summary="What I agreed to, and what I may agree to",
    tags=["me"],
    responses=problems(),
)
async def list_consents(
    caller: NamedDependency[Caller],
    database: NamedDependency[Database],
    catalog: NamedDependency[Catalog],
    language: NamedDependency[Language],
    limit: Limit = 20,
    cursor: Cursor = None,
) -> ConsentPage:
    after = decode_cursor(cursor, tuple[UUID])[0] if cursor is not None else None
    async with database.connection() as connection:
        rows = await connection.fetch(_LIST, caller.id, after, limit + 1)
        given = {(row["purpose"], row["text_version"]) for row in await connection.fetch(_GIVEN, caller.id)}
    shown = [_view(row, catalog, language) for row in rows[:limit]]
    offered = [
        OfferedConsent(purpose, wording.version, wording.text.into(language), (purpose, wording.version) in given)
        for purpose, wording in catalog.consents.items()
        if wording.standing
    ]
    return ConsentPage(shown, encode_cursor((shown[-1].id,)) if len(rows) > limit else None, offered)


@post(
    "/v1/me/consents",
    opt=CITIZEN,
    operation_id="give_consent",
    summary="Agree to a purpose",
    description="Needs no Idempotency-Key: given twice it is given once.",
    tags=["me"],
    responses=problems("consent_unknown", "consent_version_old", 413, 415, 422),
)
async def give(
    data: JSONBody[NewConsent],
    caller: NamedDependency[Caller],
    database: NamedDependency[Database],
    catalog: NamedDependency[Catalog],
    language: NamedDependency[Language],
) -> ConsentView:
    wording = catalog.consents.get(data.purpose)
    if wording is None:
        raise NotFound("consent_unknown")
    if wording.version != data.version:
        # Nobody agrees to words they were not shown.
        raise Conflict("consent_version_old", params={"version": wording.version})
    async with database.begin() as connection:
        row = await give_consent(connection, caller.id, data.purpose, catalog)
    return _view(row, catalog, language)


@delete(
    "/v1/me/consents/{purpose:str}",
    opt=CITIZEN,
    operation_id="withdraw_consent",
    summary="Withdraw a consent",
    tags=["me"],
    responses=problems("consent_unknown"),
)
async def withdraw(
    purpose: FromPath[str], caller: NamedDependency[Caller], database: NamedDependency[Database]
) -> None:
    async with database.begin() as connection:
        await withdraw_consent(connection, caller.id, purpose)


def _view(row: Mapping[str, Any], catalog: Catalog, language: Language) -> ConsentView:
    wording = catalog.consents.get(row["purpose"])
    words = wording.text.into(language) if wording and wording.version == row["text_version"] else None
    return ConsentView(
        row["id"],
        row["purpose"],
        row["text_version"],
        words,
        row["case_id"],
        row["given_at"],
        row["withdrawn_at"],
    )


ROUTES = [list_consents, give, withdraw]
