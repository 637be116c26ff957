"""Agencies' applications for tests, and a citizen's browser at the provider's pages: forms without any script."""

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx
import msgspec

from app.clients import add
from app.login.provider.clients import Application
from tests.app.login.journey import Journey
from tests.harness.people import PASSWORD, Citizen
from tests.harness.product import Api

CALLBACK = "https://{id}.example.go.id/callback"
AFTER_LOGOUT = "https://{id}.example.go.id/bye"


class Registered(msgspec.Struct, frozen=True):
    """One application, with its secret."""

    id: str
    secret: str
    callback: str
    after_logout: str


class Form(msgspec.Struct):
    """One form of a page, as a browser would send it."""

    action: str
    fields: dict[str, str]
    buttons: list[tuple[str, str]]


async def register(api: Api, name: str, /, **changed: object) -> Registered:
    """An application with every scope, unless told otherwise."""
    asked = {
        "id": name,
        "name": f"Portal {name}",
        "agency": "dinkes",
        "purpose_id": "mendaftar imunisasi",
        "purpose_en": "signing up for vaccination",
        "scopes": ("openid", "profile", "nik", "offline_access"),
        "legal_basis": "Permenkes 24/2022",
        "redirect_uris": [CALLBACK.format(id=name)],
        "post_logout_uris": [AFTER_LOGOUT.format(id=name)],
        **changed,
    }
    printed = await add(api.settings, msgspec.convert(asked, Application), "tester")
    secret = printed.split("client_secret")[1].split()[0] if "client_secret" in printed else ""
    return Registered(name, secret, asked["redirect_uris"][0], AFTER_LOGOUT.format(id=name))  # type: ignore[index] # a list


class Pkce:
    """A verifier and its challenge."""

    def __init__(self) -> None:
        self.verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(self.verifier.encode()).digest()
        self.challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def question(client: Registered, pkce: Pkce, **changed: str | None) -> dict[str, str]:
    """A right authorization request; None takes a parameter out."""
    asked = {
        "response_type": "code",
        "client_id": client.id,
        "redirect_uri": client.callback,
        "scope": "openid profile",
        "state": "a-state",
        "nonce": "a-nonce",
        "code_challenge": pkce.challenge,
        "code_challenge_method": "S256",
        **changed,
    }
    return {name: value for name, value in asked.items() if value is not None}


class Visitor:
    """A browser without scripts: cookies, forms, and never further than our own pages."""

    def __init__(self, api: Api, journey: Journey, language: str = "id") -> None:
        self.http = api.client(language=language)
        self._journey = journey

    async def close(self) -> None:
        await self.http.aclose()

    async def ask(self, asked: Mapping[str, str] | Sequence[tuple[str, str]]) -> httpx.Response:
        return await self.http.get(f"/oauth/authorize?{urlencode(asked)}")

    async def send(self, page: httpx.Response, button: str = "", **typed: str) -> httpx.Response:
        """The page's form, filled in."""
        [form] = forms(page)
        pressed = dict(each for each in form.buttons if each[1] == button)
        return await self.http.post(urljoin(str(page.url), form.action), data={**form.fields, **typed, **pressed})

    async def log_in(self, page: httpx.Response, citizen: Citizen) -> httpx.Response:
        """Through password and code; what comes then."""
        asked = await self.send(page, nik=citizen.person.nik, password=PASSWORD)
        assert 'name="code"' in asked.text, asked.text
        return await self.send(asked, code=await self._journey.code(citizen.person.phone))

    async def allowed(self, asked: Mapping[str, str], citizen: Citizen) -> dict[str, str]:
        """What the client gets once the citizen has logged in where needed, and agreed where asked."""
        answer = await self.ask(asked)
        if 'value="login"' in answer.text:
            answer = await self.log_in(answer, citizen)
        if 'value="consent"' in answer.text:
            answer = await self.send(answer, "allow")
        return returned(answer)


def returned(answer: httpx.Response) -> dict[str, str]:
    """The query that goes back to the client."""
    assert answer.status_code == 303, answer.text
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


async def exchange(api: Api, client: Registered, **form: str) -> httpx.Response:
    """A call of the token endpoint with the client's secret."""
    async with api.client() as http:
        return await http.post("/oauth/token", data=form, auth=(client.id, client.secret))


async def redeemed(api: Api, client: Registered, code: str, pkce: Pkce) -> dict[str, str]:
    """Tokens for a code."""
    answer = await exchange(
        api,
        client,
        grant_type="authorization_code",
        code=code,
        redirect_uri=client.callback,
        code_verifier=pkce.verifier,
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def forms(page: httpx.Response) -> list[Form]:
    """The forms of a page."""
    reader = _Forms()
    reader.feed(page.text)
    return reader.found


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._is_shown = True

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            # What only a script would show is not there.
            self._is_shown = "hidden" not in told
            if self._is_shown:
                self.found.append(Form(told["action"], {}, []))
        elif not self._is_shown:
            return
        elif tag == "input" and self.found:
            self.found[-1].fields[told["name"]] = told.get("value", "")
        elif tag == "button" and self.found and "name" in told:
            self.found[-1].buttons.append((told["name"], told["value"]))
