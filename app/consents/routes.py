"""HTTP of a citizen's consents."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from app.catalog.catalog import Catalog
from app.catalog.flows import CatalogFlow, Receiver
from app.consents.actions import give_consent
from app.consents.schemas import ConsentPage, ConsentProof, ConsentView, FlowView, NewConsent, OfferedConsent
from app.cursor import decode_cursor, encode_cursor
from app.database import Database
from app.errors import Conflict, NotFound
from app.login.guards import CITIZEN, Caller
from app.parameters import Cursor, Limit
from app.problems import problems
from app.texts import Language, text

_LIST = """
SELECT id, consents.purpose, text_version, case_id, given_at, withdrawn_at, words_id, words_en
FROM consents LEFT JOIN consent_wordings AS words ON words.purpose = consents.purpose AND version = text_version
WHERE citizen_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3
"""
_PROOF = """
SELECT id, consents.purpose, text_version, case_id, session_id, given_at, withdrawn_at, words_id, words_en, digest
FROM consents JOIN consent_wordings AS words ON words.purpose = consents.purpose AND version = text_version
WHERE id = $1 AND citizen_id = $2
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
    shown = [_view(row, language) for row in rows[:limit]]
    offered = [
        OfferedConsent(purpose, wording.version, wording.text.into(language), (purpose, wording.version) in given)
        for purpose, wording in catalog.consents.items()
        if wording.standing
    ]
    cursor_after = encode_cursor((shown[-1].id,)) if len(rows) > limit else None
    return ConsentPage(shown, cursor_after, offered, [_flow(each, catalog, language) for each in catalog.flows])


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
        row = await give_consent(connection, caller, data.purpose, catalog)
    return _view(row, language)


@get(
    "/v1/me/consents/{consent_id:uuid}/proof",
    opt=CITIZEN,
    operation_id="prove_consent",
    summary="The proof of one consent: its exact words, when it was given and through which login",
    description="`digest` is SHA-256 over the JSON array of purpose, version and the words in Indonesian and English.",
    tags=["me"],
    responses=problems("consent_unknown"),
)
async def prove(
    consent_id: FromPath[UUID], caller: NamedDependency[Caller], database: NamedDependency[Database]
) -> ConsentProof:
    async with database.connection() as connection:
        row = await connection.fetchrow(_PROOF, consent_id, caller.id)
    if row is None:
        raise NotFound("consent_unknown")
    return ConsentProof(
        row["id"],
        row["purpose"],
        row["text_version"],
        row["words_id"],
        row["words_en"],
        row["digest"].hex(),
        row["given_at"],
        row["session_id"],
        row["case_id"],
        row["withdrawn_at"],
    )


def _flow(each: CatalogFlow, catalog: Catalog, language: Language) -> FlowView:
    flow = each.flow
    return FlowView(
        flow.purpose,
        flow.text.into(language),
        [_receiver(receiver, catalog, language) for receiver in each.receivers],
        list(flow.sends),
        [text(f"audit.field.{part}", language) for part in flow.sends],
        list(flow.receives),
        list(flow.services),
        "law" if flow.law else "consent",
        text(f"audit.basis.{flow.law or 'consent'}", language),
    )


def _receiver(receiver: Receiver, catalog: Catalog, language: Language) -> str:
    """The agency's name and its system's; the system's alone where the city has no such agency."""
    known = {agency.id: agency for agency in catalog.agencies()}
    agency = known.get(receiver.agency)
    return f"{agency.name.into(language)} ({receiver.title})" if agency else receiver.title


def _view(row: Mapping[str, Any], language: Language) -> ConsentView:
    words = row["words_en"] if language == "en" else row["words_id"]
    return ConsentView(
        row["id"],
        row["purpose"],
        row["text_version"],
        words,
        row["case_id"],
        row["given_at"],
        row["withdrawn_at"],
    )


ROUTES = [list_consents, give, prove]
