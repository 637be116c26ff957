"""What the routes of national identity take and give."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from litestar.params import QueryParameter
from msgspec import Meta

from app.login.schemas import DeviceName

AppRedirect = Annotated[
    str, QueryParameter(max_length=500, description="Where the app waits; one of those the city has registered.")
]
AppState = Annotated[
    str | None,
    QueryParameter(name="state", max_length=500, description="The app's own mark, which comes back with the answer."),
]
Challenge = Annotated[
    str,
    QueryParameter(
        min_length=43,
        max_length=43,
        pattern="^[A-Za-z0-9_-]{43}$",
        description="SHA-256 of the app's verifier, base64url (PKCE, S256).",
    ),
]
ReturnedState = Annotated[str | None, QueryParameter(name="state", max_length=200, description="As we sent it.")]
Returned = Annotated[str | None, QueryParameter(max_length=2_000, description="What the provider sends.")]
Verifier = Annotated[
    str, Meta(min_length=43, max_length=128, pattern=r"^[A-Za-z0-9._~-]+$", examples=["k3" * 24], description="PKCE")
]


class Provider(msgspec.Struct):
    """One national identity. `start_url`: open it in the phone's browser, with the app's redirect and challenge."""

    id: str
    title: str
    start_url: str


class Providers(msgspec.Struct):
    items: Sequence[Provider]


class ExchangeRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The code from the app's redirect, and the verifier that only this app has."""

    code: Annotated[str, Meta(min_length=10, max_length=100, examples=["Xo3Z0c0de-from-the-redirect"])]
    code_verifier: Verifier
    device_name: DeviceName = ""


class LoginRequest(ExchangeRequest, forbid_unknown_fields=True):
    """`claim`: the account that has my NIK is not mine. It loses the NIK, and I get a new one."""

    claim: Annotated[bool, Meta(examples=[False])] = False
