"""What comes next for an authorization request: logging in, agreeing, or the answer to the client."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.database import utc_now
from app.errors import FieldError, NotFound, Unprocessable
from app.login import entry
from app.login.gate import Gate
from app.login.limits import count
from app.login.provider.authorizations import make_code
from app.login.provider.browsers import Browser, LoggedIn, keep_login, login_of, note_use
from app.login.provider.grants import give_grant, standing_grant, standing_scopes
from app.login.provider.requests import AuthorizationRequest, Returned
from app.login.provider.signed import read_hint
from app.login.provider.subjects import subject
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


async def ask_code(gate: Gate, form: Mapping[str, str], address: str, language: Language) -> UUID:
    """NIK and password as the API's login takes them, under the same limits; the challenge that the code will meet."""
    nik, password = form.get("nik", "").replace(" ", ""), form.get("password", "")
    if not _NIK.fullmatch(nik):
        raise Unprocessable(errors=[FieldError("/nik", "nik_invalid")])
    if not 0 < len(password) <= _LONGEST_PASSWORD:
        raise Unprocessable(errors=[FieldError("/password", "required")])
    keys = {"address": address, "account": gate.vault.index("nik", nik).hex()}
    await count(gate.limiter, "sessions", keys)
    attempt = entry.Attempt(nik, password, text("provider.device", language))
    asked = await entry.ask_code(gate, attempt, language)
    return asked.challenge_id


async def answer_code(gate: Gate, form: Mapping[str, str], address: str) -> LoggedIn:
    """The login that the right code gives. Raises what the API's second step raises."""
    challenge_id, code = challenge_of(form), form.get("code", "").replace(" ", "")
    if not _CODE.fullmatch(code):
        raise Unprocessable("code_wrong", errors=[FieldError("/code", "code_wrong")])
    await count(gate.limiter, "challenges", {"address": address, "account": str(challenge_id)})
    opened = await entry.answer_code(gate, challenge_id, code)
    return login_of(opened.citizen_id, opened.session_id, opened.assurance_level)


def challenge_of(form: Mapping[str, str]) -> UUID:
    """Raises NotFound."""
    try:
        return UUID(form.get("challenge", ""))
    except ValueError:
        raise NotFound from None


async def logged_in(session: AsyncSession, browser: Browser, login: LoggedIn) -> Browser:
    """The browser with a new cookie."""
    return browser.logged_in(await keep_login(session, login), login)


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
