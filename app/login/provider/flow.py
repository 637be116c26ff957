"""What comes next for an authorization request: logging in, agreeing, or the answer to the client."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import utc_now
from app.errors import FieldError, NotFound, Unprocessable
from app.login import entry
from app.login.gate import Gate
from app.login.known_devices import known_device
from app.login.limits import count
from app.login.passkey_schemas import UsedCredential
from app.login.proofs import Brought
from app.login.provider.authorizations import make_code
from app.login.provider.browsers import Browser, LoggedIn, keep_login, note_use
from app.login.provider.grants import give_grant, standing_grant, standing_scopes
from app.login.provider.requests import AuthorizationRequest, Returned
from app.login.provider.signed import read_hint
from app.login.provider.subjects import subject
from app.login.sessions import Opened
from app.texts import Language, text

Next = Literal["login", "consent", "answer"]
_NIK = re.compile(r"[0-9]{16}")
_CODE = re.compile(r"[0-9]{6}")
_LONGEST_PASSWORD = 256


async def next_step(
    session: AsyncSession, gate: Gate, request: AuthorizationRequest, browser: Browser, *, is_fresh: bool = False
) -> Next:
    """`is_fresh`: logged in for this very request. Raises Returned where the client asked for silence, in vain."""
    login = browser.login
    is_silent = "none" in request.prompts
    if login is None or not await _satisfies(gate, request, login, is_fresh=is_fresh):
        if is_silent or is_fresh:
            raise Returned("login_required", "the citizen is not logged in, or is another than expected", request.way)
        return "login"
    given = await standing_scopes(session, login.citizen_id, request.client.id)
    if "consent" in request.prompts or not set(request.scopes) <= given:
        if is_silent:
            raise Returned("consent_required", "the citizen has not agreed to this yet", request.way)
        return "consent"
    return "answer"


class Came(msgspec.Struct, frozen=True):
    """Where a form came from: the network that is counted, that which the citizen is shown, and what shows that the
    account has been used in this browser before."""

    network: str
    shown_network: str
    device_token: str


async def ask_code(gate: Gate, form: Mapping[str, str], came: Came, language: Language) -> UUID:
    """NIK and password as the API's login takes them, under the same limits; the challenge that the code will meet."""
    nik, password = form.get("nik", "").replace(" ", ""), form.get("password", "")
    if not _NIK.fullmatch(nik):
        raise Unprocessable(errors=[FieldError("/nik", "nik_invalid")])
    if not 0 < len(password) <= _LONGEST_PASSWORD:
        raise Unprocessable(errors=[FieldError("/password", "required")])
    nik_index = gate.vault.index("nik", nik)
    device_id = known_device(gate.vault, nik_index, came.device_token)
    strangers = {"address": came.network, "account": nik_index.hex()}
    known = {"device": entry.tried_under(gate.vault, nik_index, device_id).hex()}
    await count(gate.limiter, "sessions", known if device_id else strangers)
    attempt = entry.Attempt(nik, password, text("provider.device", language), device_id)
    return (await entry.ask_code(gate, attempt, language)).challenge_id


async def answer_code(gate: Gate, form: Mapping[str, str], came: Came) -> Opened:
    """The session that the right code opens. Raises what the API's second step raises."""
    challenge_id, code = challenge_of(form), form.get("code", "").replace(" ", "")
    if not _CODE.fullmatch(code):
        raise Unprocessable("code_wrong", errors=[FieldError("/code", "code_wrong")])
    await count(gate.limiter, "challenges", {"address": came.network, "account": str(challenge_id)})
    return await entry.answer(gate, Brought(challenge_id, code), came.shown_network)


async def answer_passkey(gate: Gate, form: Mapping[str, str], came: Came) -> Opened:
    """The session that a passkey opens. Raises what the API's second step raises."""
    challenge_id = challenge_of(form)
    try:
        credential = msgspec.json.decode(form.get("credential", ""), type=UsedCredential)
    except msgspec.DecodeError:
        raise Unprocessable("passkey_wrong") from None
    await count(gate.limiter, "challenges", {"address": came.network, "account": str(challenge_id)})
    return await entry.answer(gate, Brought(challenge_id, credential=credential), came.shown_network)


def challenge_of(form: Mapping[str, str]) -> UUID:
    """Raises NotFound."""
    try:
        return UUID(form.get("challenge", ""))
    except ValueError:
        raise NotFound from None


async def logged_in(session: AsyncSession, opened: Opened) -> Browser:
    """The browser with a new cookie, and the mark by which this account knows it next time."""
    login = LoggedIn(opened.citizen_id, opened.session_id, opened.assurance_level, utc_now())
    return Browser(await keep_login(session, login), is_new=True, login=login, device_token=opened.device_token)


async def agree(session: AsyncSession, gate: Gate, request: AuthorizationRequest, login: LoggedIn) -> str:
    """Remember the citizen's yes; the address with the code that it gives."""
    await give_grant(session, login.citizen_id, request.client, request.scopes)
    return await answer(session, gate, request, login)


async def answer(session: AsyncSession, gate: Gate, request: AuthorizationRequest, login: LoggedIn) -> str:
    """The client's address with a code. Raises Returned where the yes was withdrawn this moment."""
    grant_id = await standing_grant(session, login.citizen_id, request.client.id)
    if grant_id is None:
        raise Returned("consent_required", "the citizen has just withdrawn", request.way)
    await note_use(session, login)
    code = await make_code(session, request, login, grant_id)
    return request.way.url(gate.issuer, code=code)


async def _satisfies(gate: Gate, request: AuthorizationRequest, login: LoggedIn, *, is_fresh: bool) -> bool:
    """Whether a login is new enough, and of the person that the client expects."""
    if not is_fresh:
        if request.prompts & {"login", "select_account"}:
            return False
        if request.max_age_s is not None:
            oldest = utc_now() - timedelta(seconds=request.max_age_s)
            if login.authenticated_at < oldest:
                return False
    hint = await read_hint(gate, request.id_token_hint)
    expected = subject(gate.vault, request.client.sector, login.citizen_id)
    return hint is None or hint.aud != request.client.id or hint.sub == expected
