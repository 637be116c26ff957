"""Passkeys at the level of WebAuthn: options given, answers verified. Knows no citizen and no database."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import base64url_to_bytes, options_to_json_dict, parse_client_data_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from webauthn.registration.verify_registration_response import VerifiedRegistration

from app.login.passkey_schemas import CreationOptions, NewCredential, NewPasskey, RequestOptions, UsedCredential
from app.settings import Settings

_TIMEOUT_MS = 120_000
_TRANSPORTS = {each.value for each in AuthenticatorTransport}


class PasskeyRefused(Exception):
    """The answer proves nothing: wrong origin, domain, challenge, signature, or its owner was not checked."""


class Made(Protocol):
    """A passkey that was made for us, whoever's it is."""

    @property
    def credential_id(self) -> bytes: ...

    @property
    def transports(self) -> list[Any]: ...


class RelyingParty(msgspec.Struct, frozen=True):
    """Whom passkeys are bound to (`domain`), and from which pages and apps they may be used."""

    domain: str
    origins: Sequence[str]
    name: str = "Satu Loket"

    def creation_options(self, user: "PasskeyOwner", challenge: bytes, known: Sequence[Made]) -> CreationOptions:
        options = generate_registration_options(
            rp_id=self.domain,
            rp_name=self.name,
            user_id=user.handle,
            user_name=user.account,
            user_display_name=user.name,
            challenge=challenge,
            timeout=_TIMEOUT_MS,
            exclude_credentials=_descriptors(known),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                require_resident_key=True,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
        )
        return msgspec.convert(_with_transports(options_to_json_dict(options), "excludeCredentials"), CreationOptions)

    def request_options(self, challenge: bytes, allowed: Sequence[Made] = ()) -> RequestOptions:
        options = generate_authentication_options(
            rp_id=self.domain,
            challenge=challenge,
            timeout=_TIMEOUT_MS,
            allow_credentials=_descriptors(allowed),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return msgspec.convert(_with_transports(options_to_json_dict(options), "allowCredentials"), RequestOptions)

    def verify_new(self, credential: NewCredential, challenge: bytes) -> VerifiedRegistration:
        """Raises PasskeyRefused."""
        _refuse_embedded(credential.response.client_data_json)
        try:
            return verify_registration_response(
                credential=msgspec.to_builtins(credential),
                expected_challenge=challenge,
                expected_rp_id=self.domain,
                expected_origin=list(self.origins),
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, TypeError, LookupError) as error:
            raise PasskeyRefused(type(error).__name__) from None

    def verify_used(self, credential: UsedCredential, challenge: bytes, public_key: bytes) -> VerifiedAuthentication:
        """The counter is the caller's to compare: only one that was signed says anything. Raises PasskeyRefused."""
        _refuse_embedded(credential.response.client_data_json)
        try:
            return verify_authentication_response(
                credential=msgspec.to_builtins(credential),
                expected_challenge=challenge,
                expected_rp_id=self.domain,
                expected_origin=list(self.origins),
                credential_public_key=public_key,
                credential_current_sign_count=0,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, TypeError, LookupError) as error:
            raise PasskeyRefused(type(error).__name__) from None


class PasskeyOwner(msgspec.Struct, frozen=True):
    """How a device knows and shows the account. `handle` says nothing to anybody else."""

    handle: bytes
    account: str
    name: str


@lru_cache(maxsize=4)
def relying_party(settings: Settings) -> RelyingParty:
    """LOKET_PASSKEY_DOMAIN and _ORIGINS, or what the public address and the web origins say.

    Browsers bind passkeys to names only: a product that is reached by a number is used as localhost.
    """
    address = urlsplit(settings.issuer)
    host = address.hostname or ""
    domain = settings.passkey_domain or ("localhost" if _is_number(host) else host)
    port = f":{address.port}" if address.port else ""
    ours = [settings.issuer, *([f"http://localhost{port}"] if domain == "localhost" else [])]
    listed = settings.passkey_origins or settings.cors_origins
    return RelyingParty(domain, [*ours, *(origin.strip() for origin in listed.split(",") if origin.strip())])


def made_columns(given: NewPasskey, verified: VerifiedRegistration) -> dict[str, Any]:
    """What a table of passkeys keeps of a new one, whoever's it is."""
    return {
        "credential_id": verified.credential_id,
        "public_key": verified.credential_public_key,
        "sign_count": verified.sign_count,
        "name": given.name,
        "transports": list(given.credential.response.transports),
        "backed_up": verified.credential_backed_up,
    }


def is_copied(verified: VerifiedAuthentication, sign_count: int) -> bool:
    """Whether two devices sign with what should be in one: the counter did not rise (WebAuthn level 3, 6.1.1)."""
    return bool(verified.new_sign_count or sign_count) and verified.new_sign_count <= sign_count


def credential_id_of(credential: NewCredential | UsedCredential) -> bytes:
    """Raises PasskeyRefused."""
    try:
        return base64url_to_bytes(credential.raw_id)
    except ValueError:
        raise PasskeyRefused("id") from None


def user_handle_of(credential: UsedCredential) -> bytes | None:
    """Whose passkey the device says it is. Raises PasskeyRefused."""
    try:
        return base64url_to_bytes(credential.response.user_handle or "") or None
    except ValueError:
        raise PasskeyRefused("user handle") from None


def _refuse_embedded(client_data: str) -> None:
    """A page of ours inside somebody else's is no place to log in; the library does not look."""
    try:
        if parse_client_data_json(base64url_to_bytes(client_data)).cross_origin:
            raise PasskeyRefused("embedded")
    except (WebAuthnException, ValueError, TypeError, LookupError) as error:
        raise PasskeyRefused(type(error).__name__) from None


def _descriptors(passkeys: Sequence[Made]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=passkey.credential_id,
            transports=[AuthenticatorTransport(name) for name in passkey.transports if name in _TRANSPORTS],
        )
        for passkey in passkeys
    ]


def _with_transports(options: dict[str, Any], place: str) -> dict[str, Any]:
    """The library leaves out what is empty."""
    listed = [{"transports": [], **each} for each in options.get(place, [])]
    return {**options, place: listed}


def _is_number(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()
