"""An authorization request, read strictly: which faults are shown on a page, and which go back to the client."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from app.login.provider.clients import SCOPES, Registered, find_client
from app.texts import LANGUAGES, Language

PROMPTS = frozenset({"none", "login", "consent", "select_account"})
_KNOWN = (
    *("client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "code_challenge"),
    *("code_challenge_method", "prompt", "max_age", "ui_locales", "id_token_hint", "acr_values", "login_hint"),
    *("display", "request", "request_uri", "registration", "claims"),
)
# Not carried from page to page: a hint may hold a NIK, and nothing of ours reads it.
_DROPPED = frozenset({"login_hint"})
_LONGEST_QUERY = 8_000
_LONGEST = {"state": 2_000, "nonce": 500, "id_token_hint": 4_000}
_LONGEST_ELSE = 1_000
_MOST_FIELDS = 40
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_UNREADABLE = re.compile(r"[\x00-\x1f\x7f]")


class Shown(Exception):
    """A fault told on a page of ours: nothing may be sent to an address that nobody registered. `code` names a text."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Returned(Exception):
    """A fault told to the client, by its registered address (RFC 6749, 4.1.2.1)."""

    def __init__(self, error: str, description: str, to: "Way") -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.to = to


class Way(msgspec.Struct, frozen=True):
    """The way back: an address that is registered, and the client's own mark."""

    redirect_uri: str
    state: str | None

    def url(self, issuer: str, **answer: str) -> str:
        """With the answer, the client's state and our name (RFC 9207) in the query."""
        given = {**answer, **({} if self.state is None else {"state": self.state}), "iss": issuer}
        return with_query(self.redirect_uri, given)

    @property
    def origin(self) -> str:
        parts = urlsplit(self.redirect_uri)
        return f"{parts.scheme}://{parts.netloc}"


class AuthorizationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request of a registered client that is right in every part. `query` is all of it that matters, in our order."""

    client: Registered
    way: Way
    scopes: Sequence[str]
    nonce: str
    code_challenge: str
    prompts: frozenset[str]
    max_age_s: int | None
    id_token_hint: str
    language: Language | None
    query: str


async def read_request(session: AsyncSession, query: str) -> AuthorizationRequest:
    """Raises Shown, Returned."""
    given, repeated = read_form(query)
    client_id, redirect_uri = given.get("client_id", ""), given.get("redirect_uri", "")
    client = None if "client_id" in repeated else await find_client(session, client_id)
    if client is None:
        raise Shown("client_unknown")
    # Letter by letter (RFC 9700, 2.1): no prefix, no other port, no other case, nothing decoded.
    if "redirect_uri" in repeated or redirect_uri not in client.redirect_uris:
        raise Shown("redirect_unknown")
    way = Way(redirect_uri, None if "state" in repeated else given.get("state"))
    if repeated & set(_KNOWN):
        raise Returned("invalid_request", "a parameter is repeated", way)
    for name in _KNOWN:
        value = given.get(name, "")
        if len(value) > _LONGEST.get(name, _LONGEST_ELSE) or _UNREADABLE.search(value):
            raise Returned("invalid_request", f"{name} is too long or not readable", Way(redirect_uri, None))
    _refuse_other_ways(given, way)
    return AuthorizationRequest(
        client=client,
        way=way,
        scopes=_scopes(given.get("scope", ""), client, way),
        nonce=given.get("nonce", ""),
        code_challenge=_challenge(given, way),
        prompts=_prompts(given.get("prompt", ""), way),
        max_age_s=_max_age_s(given.get("max_age", ""), way),
        id_token_hint=given.get("id_token_hint", ""),
        language=wanted_language(given.get("ui_locales", "")),
        query=urlencode([(name, given[name]) for name in _KNOWN if name in given and name not in _DROPPED]),
    )


def read_form(text: str) -> tuple[Mapping[str, str], frozenset[str]]:
    """The parameters of a query or form, and which were repeated. Raises Shown where it cannot be read."""
    if len(text) > _LONGEST_QUERY:
        raise Shown("request_malformed")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except (ValueError, UnicodeDecodeError):
        raise Shown("request_malformed") from None
    names = [name for name, _ in pairs]
    # An empty parameter is as one not sent (RFC 6749, 3.1).
    return {name: value for name, value in pairs if value}, frozenset(n for n in names if names.count(n) > 1)


def with_query(address: str, more: Mapping[str, str]) -> str:
    """An address with more in its query; what it has already stays as it is."""
    parts = urlsplit(address)
    query = "&".join(each for each in (parts.query, urlencode(more)) if each)
    return urlunsplit(parts._replace(query=query))


def wanted_language(ui_locales: str) -> Language | None:
    """The first of our languages among those a client asks for."""
    primaries = [tag.split("-")[0].lower() for tag in ui_locales.split()]
    return next((language for tag in primaries for language in LANGUAGES if language == tag), None)


def _refuse_other_ways(given: Mapping[str, str], way: Way) -> None:
    """Everything but the code flow by the query."""
    if given.get("response_type") != "code":
        error = "unsupported_response_type" if given.get("response_type") else "invalid_request"
        raise Returned(error, "response_type must be code", way)
    if given.get("response_mode", "query") != "query":
        raise Returned("invalid_request", "response_mode must be query", way)
    for name in ("request", "request_uri", "registration"):
        if name in given:
            raise Returned(f"{name}_not_supported", f"{name} is not supported", way)


def _scopes(asked: str, client: Registered, way: Way) -> Sequence[str]:
    """In our order. What nobody knows is left out, as the specification has it; what is not the client's is refused."""
    wanted = set(asked.split(" ")) & set(SCOPES)
    if "openid" not in wanted:
        raise Returned("invalid_scope", "scope must have openid", way)
    if not wanted <= set(client.scopes):
        raise Returned("invalid_scope", "the client is not registered for a scope it asks for", way)
    return [scope for scope in SCOPES if scope in wanted]


def _challenge(given: Mapping[str, str], way: Way) -> str:
    challenge = given.get("code_challenge", "")
    # A missing method means `plain` (RFC 7636, 4.3), which protects nothing.
    if given.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise Returned("invalid_request", "PKCE with code_challenge_method S256 is required", way)
    return challenge


def _prompts(asked: str, way: Way) -> frozenset[str]:
    prompts = frozenset(asked.split())
    if not prompts <= PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise Returned("invalid_request", "prompt is none, or some of login, consent, select_account", way)
    return prompts


def _max_age_s(asked: str, way: Way) -> int | None:
    if asked and not re.fullmatch(r"[0-9]{1,9}", asked):
        raise Returned("invalid_request", "max_age is a number of seconds", way)
    return int(asked) if asked else None
