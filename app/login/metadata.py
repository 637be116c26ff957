"""HTTP of what other systems need to log citizens in with us, and to trust our tokens."""

from functools import lru_cache

import msgspec
from litestar import get
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency

from app.login.gate import Gate
from app.login.guards import PUBLIC
from app.login.keys import ALGORITHM
from app.login.provider.clients import ASSERTION_ALGORITHMS, SCOPES
from app.login.provider.requests import PROMPTS
from app.login.provider.subjects import told
from app.login.schemas import ProviderMetadata, PublicKey, PublicKeys
from app.problems import problems
from app.texts import LANGUAGES

_PROOFS = ["client_secret_basic", "private_key_jwt"]
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
    summary="Who we are as an OpenID Provider, and where our endpoints are",
    tags=["login"],
    cache_control=_CACHED,
    responses=problems(public=True),
)
async def get_provider_metadata(gate: NamedDependency[Gate]) -> ProviderMetadata:
    return _metadata(gate.issuer)


@lru_cache(maxsize=1)
def _metadata(issuer: str) -> ProviderMetadata:
    return ProviderMetadata(
        issuer=issuer,
        authorization_endpoint=f"{issuer}/oauth/authorize",
        token_endpoint=f"{issuer}/oauth/token",
        userinfo_endpoint=f"{issuer}/oauth/userinfo",
        introspection_endpoint=f"{issuer}/oauth/introspect",
        revocation_endpoint=f"{issuer}/oauth/revoke",
        end_session_endpoint=f"{issuer}/oauth/end-session",
        jwks_uri=f"{issuer}/.well-known/jwks.json",
        scopes_supported=SCOPES,
        response_types_supported=["code"],
        response_modes_supported=["query"],
        grant_types_supported=["authorization_code", "refresh_token"],
        subject_types_supported=["pairwise"],
        id_token_signing_alg_values_supported=[ALGORITHM],
        token_endpoint_auth_methods_supported=_PROOFS,
        token_endpoint_auth_signing_alg_values_supported=ASSERTION_ALGORITHMS,
        introspection_endpoint_auth_methods_supported=_PROOFS,
        introspection_endpoint_auth_signing_alg_values_supported=ASSERTION_ALGORITHMS,
        revocation_endpoint_auth_methods_supported=_PROOFS,
        revocation_endpoint_auth_signing_alg_values_supported=ASSERTION_ALGORITHMS,
        code_challenge_methods_supported=["S256"],
        claims_supported=["sub", "auth_time", "acr", "sid", *told(SCOPES)],
        acr_values_supported=["1", "2", "3"],
        prompt_values_supported=sorted(PROMPTS),
        ui_locales_supported=LANGUAGES,
        authorization_response_iss_parameter_supported=True,
        backchannel_logout_supported=True,
        backchannel_logout_session_supported=True,
        claims_parameter_supported=False,
        request_parameter_supported=False,
        request_uri_parameter_supported=False,
        service_documentation=f"{issuer}/docs",
    )


METADATA_ROUTES = [get_signing_keys, get_provider_metadata]
