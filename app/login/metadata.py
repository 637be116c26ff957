"""HTTP of what other systems need to trust our tokens. Says only what exists: the provider's endpoints come later."""

import msgspec
from litestar import get
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency

from app.login.gate import Gate
from app.login.guards import PUBLIC
from app.login.schemas import ProviderMetadata, PublicKey, PublicKeys
from app.problems import problems
from app.texts import LANGUAGES

# The next key is published long before it signs, so a copy may be this old.
_CACHED = CacheControlHeader(public=True, max_age=300)


@get(
    "/.well-known/jwks.json",
    opt=PUBLIC,
    operation_id="get_signing_keys",
    summary="Keys that access tokens are signed with",
    tags=["login"],
    cache_control=_CACHED,
    responses=problems(public=True),
)
async def get_signing_keys(gate: NamedDependency[Gate]) -> PublicKeys:
    return PublicKeys([msgspec.convert(key, PublicKey) for key in gate.keys.published])


@get(
    "/.well-known/openid-configuration",
    opt=PUBLIC,
    operation_id="get_provider_metadata",
    summary="Who we are as an issuer of tokens",
    tags=["login"],
    cache_control=_CACHED,
    responses=problems(public=True),
)
async def get_provider_metadata(gate: NamedDependency[Gate]) -> ProviderMetadata:
    return ProviderMetadata(
        issuer=gate.issuer,
        jwks_uri=f"{gate.issuer}/.well-known/jwks.json",
        response_types_supported=[],
        ui_locales_supported=LANGUAGES,
        service_documentation=f"{gate.issuer}/docs",
    )


METADATA_ROUTES = [get_signing_keys, get_provider_metadata]
