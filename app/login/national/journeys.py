"""Out to the provider and back: bound to one browser, good once, and at its end a code for the app that waits."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import utc_now
from app.errors import AgencyError, AgencyRejected, BadRequest, LoketError, Unprocessable
from app.login.gate import Gate
from app.login.national.models import PROVEN, SECRETS, NationalLogin
from app.login.port import NationalIdentity, NationalPort, NationalReturn, NationalStart
from app.texts import Language

# For logging in there, with whatever that asks; then for the app to take up its code.
JOURNEY_S = 900
EXCHANGE_S = 300


class Wish(msgspec.Struct, frozen=True):
    """What an app asks for: where it waits, its own mark, and the challenge of its own PKCE."""

    redirect: str
    state: str
    challenge: str
    language: Language


class Begun(msgspec.Struct, frozen=True):
    """Where the browser goes, and the cookie it must come back with."""

    address: str
    browser_token: str


class Came(msgspec.Struct, frozen=True):
    """A browser that came back, with what the provider gave it."""

    state: str
    code: str
    issuer: str | None
    error: str
    browser_token: str


class _Secrets(msgspec.Struct, frozen=True):
    nonce: str
    code_verifier: str


async def begin(gate: Gate, port: NationalPort, wish: Wish) -> Begun:
    """Raises AgencyUnavailable where the provider would not be there."""
    state, browser_token = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    ours = _Secrets(secrets.token_urlsafe(32), secrets.token_urlsafe(48))
    start = NationalStart(callback_of(gate, port), state, ours.nonce, challenge_of(ours.code_verifier))
    address = await port.begin(start)
    async with gate.database.transaction() as session:
        session.add(
            NationalLogin(
                provider=port.provider,
                state_hash=_hash(state),
                browser_hash=_hash(browser_token),
                secrets_enc=gate.vault.encrypt(msgspec.json.encode(ours), SECRETS),
                app_redirect=wish.redirect,
                app_state=wish.state,
                app_challenge=wish.challenge,
                language=wish.language,
                expires_at=utc_now() + timedelta(seconds=JOURNEY_S),
            )
        )
    return Begun(address, browser_token)


async def come_back(gate: Gate, port: NationalPort, came: Came) -> str:
    """The app's address with its code, or with why there is none. Raises BadRequest where the journey is not this
    browser's, has ended or was never begun: then nobody is sent anywhere."""
    login = await _taken(gate, port, came)
    if not came.code:
        return _address(login, error="access_denied" if came.error == "access_denied" else "identity_refused")
    ours = msgspec.json.decode(gate.vault.decrypt(login.secrets_enc, SECRETS), type=_Secrets)
    back = NationalReturn(came.code, came.issuer, callback_of(gate, port), ours.nonce, ours.code_verifier)
    try:
        proven = await port.finish(back)
    except AgencyRejected:
        return _address(login, error="identity_refused")
    except AgencyError:
        return _address(login, error="temporarily_unavailable")
    code = secrets.token_urlsafe(32)
    async with gate.database.transaction() as session:
        await session.execute(
            update(NationalLogin)
            .where(NationalLogin.id == login.id)
            .values(
                exchange_hash=_hash(code),
                proven_enc=gate.vault.encrypt(msgspec.json.encode(proven), PROVEN),
                expires_at=utc_now() + timedelta(seconds=EXCHANGE_S),
            )
        )
    return _address(login, code=code)


async def proven_by(session: AsyncSession, gate: Gate, code: str, verifier: str) -> NationalIdentity | LoketError:
    """Who an app's code stands for; the caller uses it up with `use_up`. A wrong verifier uses it up at once, so the
    transaction must commit whatever comes of this."""
    login = await _exchangeable(session, code)
    if login is None or login.proven_enc is None:
        return Unprocessable("exchange_code_invalid")
    if not hmac.compare_digest(challenge_of(verifier), login.app_challenge):
        await use_up(session, code)
        return Unprocessable("exchange_code_invalid")
    return msgspec.json.decode(gate.vault.decrypt(login.proven_enc, PROVEN), type=NationalIdentity)


async def use_up(session: AsyncSession, code: str) -> None:
    """Nothing of who it was is kept."""
    await session.execute(
        update(NationalLogin)
        .where(NationalLogin.exchange_hash == _hash(code))
        .values(exchanged_at=func.now(), proven_enc=None)
    )


def challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def callback_of(gate: Gate, port: NationalPort) -> str:
    """Our address at the provider."""
    return f"{gate.issuer}/v1/login/{port.provider}/callback"


async def _taken(gate: Gate, port: NationalPort, came: Came) -> NationalLogin:
    """The journey, which now has ended: by one statement, so that a state comes back once."""
    async with gate.database.transaction() as session:
        login: NationalLogin | None = await session.scalar(
            update(NationalLogin)
            .where(
                NationalLogin.state_hash == _hash(came.state),
                NationalLogin.browser_hash == _hash(came.browser_token),
                NationalLogin.provider == port.provider,
                NationalLogin.returned_at.is_(None),
                NationalLogin.expires_at > func.now(),
            )
            .values(returned_at=func.now())
            .returning(NationalLogin)
        )
    if login is None:
        raise BadRequest("national_login_unknown")
    return login


async def _exchangeable(session: AsyncSession, code: str) -> NationalLogin | None:
    found: NationalLogin | None = await session.scalar(
        select(NationalLogin)
        .where(
            NationalLogin.exchange_hash == _hash(code),
            NationalLogin.exchanged_at.is_(None),
            NationalLogin.expires_at > func.now(),
        )
        .with_for_update()
    )
    return found


def _address(login: NationalLogin, **answer: str) -> str:
    given: Mapping[str, str] = {**answer, **({"state": login.app_state} if login.app_state else {})}
    parts = urlsplit(login.app_redirect)
    query = "&".join(each for each in (parts.query, urlencode(given)) if each)
    return urlunsplit(parts._replace(query=query))


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
