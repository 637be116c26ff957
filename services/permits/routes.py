"""Issued licences over HTTP: the citizen's own, as JSON or as a PDF extract, and the public check of a number."""

import asyncio
from typing import Annotated, Any, cast
from uuid import UUID

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.openapi.spec.enums import OpenAPIFormat
from litestar.params import FromPath, QueryParameter

from app.agency_reads import Reads
from app.answers import CONTENT_DISPOSITION, CONTENT_LANGUAGE, EncodedJson, representations, wanted_of
from app.database import Database
from app.errors import Unavailable
from app.limits import Limiter
from app.login.guards import PUBLIC, Caller, citizen
from app.privacy import Vault
from app.problems import problems
from app.settings import Settings
from app.telemetry import client_network
from app.texts import Language, language_of
from services.permits.actions import (
    NUMBER_PATTERN,
    Licences,
    Proof,
    check,
    check_url,
    recent_check,
    validity,
)
from services.permits.cases import services
from services.permits.extract import draw
from services.permits.pages import check_page
from services.permits.port import PermitsPort
from services.permits.schemas import LicenceCheck, LicenceView

JSON, PDF, HTML = "application/json", "application/pdf", "text/html"
CHECKS_PER_MINUTE = 30

AnyRequest = Request[Any, Any, Any]


def provide_licences(
    permits: NamedDependency[PermitsPort],
    reads: NamedDependency[Reads],
    database: NamedDependency[Database],
    vault: NamedDependency[Vault],
) -> Licences:
    return Licences(permits, reads, database, vault)


@get(
    "/v1/permits/{case_id:uuid}/licence",
    opt=citizen(acting="case"),
    dependencies={"licences": Provide(provide_licences, sync_to_thread=False)},
    responses=problems(
        "case_not_found", "licence_not_issued", "licence_not_known", "processing_restricted", "agency_unavailable"
    ),
    operation_id="get_licence",
    operation_class=representations(PDF, form=OpenAPIFormat.BINARY),
    response_headers=[CONTENT_LANGUAGE, CONTENT_DISPOSITION],
    summary="My issued licence, proven by the agency's system now; or an extract of it as PDF",
    tags=["permits"],
)
async def get_licence(
    request: AnyRequest,
    case_id: FromPath[UUID],
    caller: NamedDependency[Caller],
    language: NamedDependency[Language],
    licences: NamedDependency[Licences],
    config: NamedDependency[Settings],
) -> Response[LicenceView]:
    wanted = wanted_of(request.scope, JSON, PDF)
    proof = await licences.prove(case_id, caller.id)
    view = _view(case_id, proof, language, check_url(config.issuer, proof.licence.number))
    if wanted == JSON:
        return Response(view, media_type=JSON, headers={"Vary": "Accept, Accept-Language"})
    # Drawing takes tens of milliseconds: not on the event loop.
    extract = await asyncio.to_thread(draw, view, language)
    headers = {"Content-Disposition": 'inline; filename="licence-extract.pdf"', "Content-Language": language}
    return cast(Response[LicenceView], Response(extract, media_type=PDF, headers=headers))


@get(
    "/v1/permits/check",
    opt=PUBLIC,
    responses=problems("agency_unavailable", public=True),
    operation_id="check_licence",
    operation_class=representations(HTML),
    summary="Is this licence number genuine and still valid; as a page for a browser that scanned its QR code",
    tags=["permits"],
)
async def check_licence(
    request: AnyRequest,
    number: Annotated[
        str,
        QueryParameter(min_length=3, max_length=80, pattern=NUMBER_PATTERN, description="As printed on the licence"),
    ],
) -> Response[LicenceCheck]:
    # No dependencies: whoever scans a QR code waits for this, and resolving three costs as much as all the rest.
    state = request.app.state
    language = language_of(request.headers.get("accept-language"))
    wanted = wanted_of(request.scope, JSON, HTML)
    try:
        reads: Reads = state["cases"].reads
        told = recent_check(number, reads)
        if told is None:
            limiter: Limiter = state["limiter"]
            await limiter.hit("permit-check", client_network(request), limit=CHECKS_PER_MINUTE, period_s=60)
            told = await check(number, state["permits"], reads)
    except Unavailable:
        if wanted == JSON:
            raise
        return cast(Response[LicenceCheck], check_page(number, None, language, state["cases"].catalog.timezone))
    if wanted == JSON:
        return EncodedJson(msgspec.json.encode(told), headers={"Vary": "Accept, Accept-Language"})
    return cast(Response[LicenceCheck], check_page(number, told, language, state["cases"].catalog.timezone))


def _view(case_id: UUID, proof: Proof, language: Language, check_url: str) -> LicenceView:
    licence = proof.licence
    return LicenceView(
        case_id=case_id,
        case_number=proof.case_number,
        service=proof.service,
        title=services()[proof.service].title.into(language),
        number=licence.number,
        permit=licence.permit,
        holder=licence.holder,
        issued_on=licence.issued_on,
        valid_until=licence.valid_until,
        validity=validity(licence),
        state=proof.state,
        as_of=licence.proven_at,
        check_url=check_url,
    )


ROUTES = [get_licence, check_licence]
