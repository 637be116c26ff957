"""Social aid over HTTP: programmes, what my household receives, my matters with visit and outcome, certificates."""

import asyncio
from typing import Annotated, Any, cast
from uuid import UUID

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.openapi.spec.enums import OpenAPIFormat
from litestar.params import FromPath, QueryParameter

from app.answers import CONTENT_DISPOSITION, CONTENT_LANGUAGE, EncodedJson, representations, wanted_of
from app.cases.tools import CaseTools
from app.errors import Unavailable
from app.limits import Limiter
from app.login.guards import PUBLIC, CitizenRequest, citizen
from app.problems import problems
from app.settings import Settings
from app.telemetry import client_network
from app.texts import Language, language_of
from services.social_aid.actions import (
    CODE_PATTERN,
    NUMBER_PATTERN,
    Matters,
    check_certificate,
    check_url,
)
from services.social_aid.entitlements import read_household, read_programmes
from services.social_aid.extract import draw
from services.social_aid.pages import check_page
from services.social_aid.port import SocialAidPort
from services.social_aid.schemas import (
    CertificateCheck,
    CertificateView,
    EntitlementsView,
    MatterView,
    ProgrammeList,
)
from services.social_aid.views import (
    certificate_check,
    certificate_view,
    entitlements_view,
    matter_view,
    programme_list,
)

TAGS = ["social_aid"]
JSON, PDF, HTML = "application/json", "application/pdf", "text/html"
PROVEN = citizen(level=2)
FOR_OTHERS_TOO = citizen(level=2, acting="case")
LOOKS_PER_MINUTE = CHECKS_PER_MINUTE = 30

AnyRequest = Request[Any, Any, Any]


@get(
    "/v1/social-aid/programmes",
    opt=PUBLIC,
    operation_id="list_aid_programmes",
    summary="Programmes of social aid: what each is, whom it is for, and by which law",
    tags=TAGS,
    responses=problems(public=True),
)
async def list_programmes(request: AnyRequest, language: NamedDependency[Language]) -> ProgrammeList:
    return programme_list(await read_programmes(_port(request), _tools(request).reads), language)


@get(
    "/v1/social-aid/entitlements",
    opt=PROVEN,
    operation_id="read_entitlements",
    summary="What my household receives, period by period, and its decile",
    description=(
        "Asked of the social agency by your own NIK, for you alone; with proven identity (level 2) only. Other members "
        "who have an account here find in their access log that you looked. `stale`: the agency cannot be asked now."
    ),
    tags=TAGS,
    responses=problems(
        "assurance_level_too_low",
        "processing_restricted",
        "aid_household_unknown",
        "aid_refused",
        429,
        "agency_unavailable",
    ),
)
async def read_entitlements(request: CitizenRequest) -> Response[EntitlementsView]:
    # No dependencies: resolving three costs as much as all the rest of an answer that is known already.
    limiter: Limiter = request.app.state["limiter"]
    limiter.hit_here(f"entitlements:{request.user.id}", limit=LOOKS_PER_MINUTE, period_s=60)
    tools, port = _tools(request), _port(request)
    household, listed = await asyncio.gather(
        read_household(request.user.id, port, tools), read_programmes(port, tools.reads)
    )
    language = language_of(request.headers.get("accept-language"))
    return EncodedJson(msgspec.json.encode(entitlements_view(household, listed, language)))


@get(
    "/v1/social-aid/matters/{case_id:uuid}",
    opt=FOR_OTHERS_TOO,
    operation_id="read_aid_matter",
    summary="My proposal, objection or request: the verification visit, and the agency's decision with its reasons",
    tags=TAGS,
    responses=problems(
        "assurance_level_too_low",
        "processing_restricted",
        "case_not_found",
        "aid_matter_not_there",
        "aid_refused",
        "agency_unavailable",
    ),
)
async def read_matter(
    request: CitizenRequest, case_id: FromPath[UUID], language: NamedDependency[Language]
) -> MatterView:
    return matter_view(case_id, await _matters(request).find(case_id, request.user.id), language)


@get(
    "/v1/social-aid/matters/{case_id:uuid}/certificate",
    opt=FOR_OTHERS_TOO,
    operation_id="read_decile_certificate",
    operation_class=representations(PDF, form=OpenAPIFormat.BINARY),
    response_headers=[CONTENT_LANGUAGE, CONTENT_DISPOSITION],
    summary="My certificate of decile, proven by the agency's system now; or an extract of it as PDF",
    tags=TAGS,
    responses=problems(
        "assurance_level_too_low",
        "consent_missing",
        "processing_restricted",
        "case_not_found",
        "certificate_not_issued",
        "certificate_not_known",
        "aid_refused",
        "agency_unavailable",
    ),
)
async def read_certificate(
    request: CitizenRequest,
    case_id: FromPath[UUID],
    language: NamedDependency[Language],
    config: NamedDependency[Settings],
) -> Response[CertificateView]:
    wanted = wanted_of(request.scope, JSON, PDF)
    proof = await _matters(request).certificate(case_id, request.user.id)
    url = check_url(config.issuer, case_id, proof.seen.value.number, _tools(request).vault)
    view = certificate_view(case_id, proof, url, language)
    if wanted == JSON:
        return Response(view, media_type=JSON, headers={"Vary": "Accept, Accept-Language"})
    # Drawing takes tens of milliseconds: not on the event loop.
    extract = await asyncio.to_thread(draw, view, language)
    headers = {"Content-Disposition": 'inline; filename="decile-certificate.pdf"', "Content-Language": language}
    return cast(Response[CertificateView], Response(extract, media_type=PDF, headers=headers))


@get(
    "/v1/social-aid/certificates/check",
    opt=PUBLIC,
    responses=problems("aid_refused", 429, "agency_unavailable", public=True),
    operation_id="check_decile_certificate",
    operation_class=representations(HTML),
    summary="Is this certificate genuine and still valid; as a page for a browser that scanned its QR code",
    description="Without the code that its QR code carries, a number is of no certificate.",
    tags=TAGS,
)
async def check(
    request: AnyRequest,
    limiter: NamedDependency[Limiter],
    number: Annotated[
        str,
        QueryParameter(min_length=3, max_length=80, pattern=NUMBER_PATTERN, description="As on the certificate"),
    ],
    code: Annotated[
        str, QueryParameter(min_length=52, max_length=52, pattern=CODE_PATTERN, description="As in the QR code")
    ],
) -> Response[CertificateCheck]:
    language = language_of(request.headers.get("accept-language"))
    wanted = wanted_of(request.scope, JSON, HTML)
    await limiter.hit("certificate-check", client_network(request), limit=CHECKS_PER_MINUTE, period_s=60)
    try:
        told = certificate_check(number, await check_certificate(number, code, _port(request), _tools(request)))
    except Unavailable:
        if wanted == JSON:
            raise
        return cast(Response[CertificateCheck], check_page(number, None, language, _tools(request).catalog.timezone))
    if wanted == JSON:
        return EncodedJson(msgspec.json.encode(told), headers={"Vary": "Accept, Accept-Language"})
    return cast(Response[CertificateCheck], check_page(number, told, language, _tools(request).catalog.timezone))


def _tools(request: AnyRequest) -> CaseTools:
    tools: CaseTools = request.app.state["cases"]
    return tools


def _port(request: AnyRequest) -> SocialAidPort:
    port: SocialAidPort = request.app.state["social_aid"]
    return port


def _matters(request: AnyRequest) -> Matters:
    return Matters(_port(request), _tools(request))


ROUTES = [list_programmes, read_entitlements, read_matter, read_certificate, check]
