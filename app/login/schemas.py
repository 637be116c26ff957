"""What login's routes take and give."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from app.login.passkey_schemas import RequestOptions
from app.texts import Language

Nik = Annotated[
    str, Meta(pattern="^[0-9]{16}$", min_length=16, max_length=16, examples=["3571024505909001"], description="NIK")
]
Code = Annotated[str, Meta(pattern="^[0-9]{6}$", min_length=6, max_length=6, examples=["042917"])]
NewPassword = Annotated[str, Meta(min_length=10, max_length=128, examples=["Loket-Demo-2026"])]
Password = Annotated[str, Meta(min_length=1, max_length=256, examples=["Loket-Demo-2026"])]
PhoneNumber = Annotated[str, Meta(min_length=9, max_length=20, examples=["0812-3456-7890"])]
# No control characters, which PostgreSQL's text or a terminal would stumble over.
DeviceName = Annotated[
    str, Meta(max_length=60, pattern=r"^[^\u0000-\u001f\u007f-\u009f]*$", examples=["Redmi Note 13"])
]

DeviceToken = Annotated[
    str,
    Meta(
        max_length=128,
        pattern="^[A-Za-z0-9_=-]*$",
        examples=[""],
        description="Shows that this device has been used before: it is then counted apart from everybody else's "
        "tries, and works on while strangers' wrong tries keep new devices out.",
    ),
]


class RegistrationRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Somebody who wants an account. `birth_date` must be the one written in the NIK."""

    nik: Nik
    name: Annotated[str, Meta(min_length=1, max_length=100, examples=["Siti Aminah"])]
    birth_date: Annotated[date, Meta(examples=["1990-05-05"])]
    phone: PhoneNumber


class RegistrationStarted(msgspec.Struct):
    """The same for every NIK."""

    registration_id: UUID
    expires_at: datetime


class ConfirmRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The code from the phone, and the password to be."""

    code: Code
    password: NewPassword
    device_name: DeviceName = ""


class SessionRequest(msgspec.Struct, forbid_unknown_fields=True):
    """NIK and password; the code is asked for next."""

    nik: Nik
    password: Password
    device_name: DeviceName = ""
    device_token: DeviceToken = ""


class ChallengeAnswer(msgspec.Struct):
    """What the client must bring to `/v1/login/challenges/{id}`. The same for a wrong password and an unknown NIK."""

    challenge_id: UUID
    methods: Sequence[Literal["otp", "passkey"]]
    passkey: RequestOptions
    expires_at: datetime


class RefreshRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The refresh token of the last answer; each works once."""

    refresh_token: Annotated[str, Meta(min_length=1, max_length=256, examples=["the refresh_token of the last answer"])]


class Tokens(msgspec.Struct):
    """`expires_in` and `refresh_expires_in` are seconds. After a login, not a refresh, there is a `device_token`: keep
    it beyond the session and send it with the next login of this person on this device."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    refresh_token: str
    refresh_expires_in: int
    assurance_level: int
    device_token: str | msgspec.UnsetType = msgspec.UNSET


class ProfileChange(msgspec.Struct, forbid_unknown_fields=True):
    """The language we write in needs no proof. Another phone needs the password, and then
    `POST /v1/me/phone-change/confirm`."""

    language: Annotated[Language, Meta(examples=["en"])] | msgspec.UnsetType = msgspec.UNSET
    phone: PhoneNumber | msgspec.UnsetType = msgspec.UNSET
    password: Password | msgspec.UnsetType = msgspec.UNSET


class Device(msgspec.Struct):
    """One logged-in device. `current`: the one this request came from.

    `network` is the coarse part of the address it was last used from, no place; `same_network`: it is this request's.
    """

    id: UUID
    device_name: str
    assurance_level: int
    network: Annotated[str, Meta(examples=["103.28.*.*"])]
    same_network: bool
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    current: bool


class Devices(msgspec.Struct):
    """Newest first."""

    items: Sequence[Device]
    next_cursor: str | None


class PublicKey(msgspec.Struct):
    """A JSON Web Key (RFC 7517) of the curve P-256."""

    kid: str
    kty: str
    crv: str
    x: str
    y: str
    use: str
    alg: str


class PublicKeys(msgspec.Struct):
    keys: Sequence[PublicKey]


class ProviderMetadata(msgspec.Struct):
    """Who we are as an OpenID Provider, and what we offer (OpenID Connect Discovery 1.0, RFC 8414)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str
    introspection_endpoint: str
    revocation_endpoint: str
    end_session_endpoint: str
    jwks_uri: str
    scopes_supported: Sequence[str]
    response_types_supported: Sequence[str]
    response_modes_supported: Sequence[str]
    grant_types_supported: Sequence[str]
    subject_types_supported: Sequence[str]
    id_token_signing_alg_values_supported: Sequence[str]
    token_endpoint_auth_methods_supported: Sequence[str]
    token_endpoint_auth_signing_alg_values_supported: Sequence[str]
    introspection_endpoint_auth_methods_supported: Sequence[str]
    introspection_endpoint_auth_signing_alg_values_supported: Sequence[str]
    revocation_endpoint_auth_methods_supported: Sequence[str]
    revocation_endpoint_auth_signing_alg_values_supported: Sequence[str]
    code_challenge_methods_supported: Sequence[str]
    claims_supported: Sequence[str]
    acr_values_supported: Sequence[str]
    prompt_values_supported: Sequence[str]
    ui_locales_supported: Sequence[str]
    authorization_response_iss_parameter_supported: bool
    backchannel_logout_supported: bool
    backchannel_logout_session_supported: bool
    claims_parameter_supported: bool
    request_parameter_supported: bool
    request_uri_parameter_supported: bool
    service_documentation: str
