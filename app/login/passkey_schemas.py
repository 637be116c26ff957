"""What browsers give and take for passkeys (WebAuthn level 3): the JSON of `PublicKeyCredential.toJSON()` and of the
options for `parseCreationOptionsFromJSON` and `parseRequestOptionsFromJSON`, with their own field names."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

_BASE64URL = "^[A-Za-z0-9_-]+$"
CredentialId = Annotated[
    str, Meta(pattern=_BASE64URL, min_length=1, max_length=1364, examples=["o2FkZGVkLWJ5LXRoZS1icm93c2Vy"])
]
Binary = Annotated[str, Meta(pattern=_BASE64URL, min_length=1, max_length=4096, examples=["eyJ0eXBlIjoid2ViYXV0aG4"])]
Attestation = Annotated[
    str, Meta(pattern=_BASE64URL, min_length=1, max_length=65_536, examples=["o2NmbXRkbm9uZWdhdHRTdG10oA"])
]
Transport = Annotated[str, Meta(min_length=1, max_length=32, examples=["internal"])]
# Never looked at: what a browser reports of extensions nobody asked for.
Extensions = Annotated[dict[str, Any], Meta(max_length=16, examples=[{}])]
Attachment = Annotated[Literal["platform", "cross-platform"] | None, Meta(examples=["platform"])]
PasskeyName = Annotated[str, Meta(max_length=60, pattern=r"^[^\u0000-\u001f\u007f-\u009f]*$", examples=["Ponsel saya"])]


class AttestationResponse(msgspec.Struct, forbid_unknown_fields=True):
    """A new passkey's proof."""

    client_data_json: Binary = msgspec.field(name="clientDataJSON")
    attestation_object: Attestation = msgspec.field(name="attestationObject")
    authenticator_data: Attestation | None = msgspec.field(name="authenticatorData", default=None)
    public_key: Binary | None = msgspec.field(name="publicKey", default=None)
    public_key_algorithm: Annotated[int, Meta(examples=[-7])] | None = msgspec.field(
        name="publicKeyAlgorithm", default=None
    )
    transports: Annotated[list[Transport], Meta(max_length=8, examples=[["internal"]])] = []


class NewCredential(msgspec.Struct, forbid_unknown_fields=True):
    """What `navigator.credentials.create()` gave."""

    id: CredentialId
    raw_id: CredentialId = msgspec.field(name="rawId")
    type: Annotated[Literal["public-key"], Meta(examples=["public-key"])]
    response: AttestationResponse
    client_extension_results: Extensions = msgspec.field(name="clientExtensionResults", default_factory=dict)
    authenticator_attachment: Attachment = msgspec.field(name="authenticatorAttachment", default=None)


class AssertionResponse(msgspec.Struct, forbid_unknown_fields=True):
    """A passkey's signature over our challenge."""

    client_data_json: Binary = msgspec.field(name="clientDataJSON")
    authenticator_data: Binary = msgspec.field(name="authenticatorData")
    signature: Binary
    user_handle: Annotated[str, Meta(max_length=128, examples=["dXNlci1oYW5kbGU"])] | None = msgspec.field(
        name="userHandle", default=None
    )


class UsedCredential(msgspec.Struct, forbid_unknown_fields=True):
    """What `navigator.credentials.get()` gave."""

    id: CredentialId
    raw_id: CredentialId = msgspec.field(name="rawId")
    type: Annotated[Literal["public-key"], Meta(examples=["public-key"])]
    response: AssertionResponse
    client_extension_results: Extensions = msgspec.field(name="clientExtensionResults", default_factory=dict)
    authenticator_attachment: Attachment = msgspec.field(name="authenticatorAttachment", default=None)


class PasskeyDescriptor(msgspec.Struct):
    """One passkey that may be used, or is there already."""

    type: Literal["public-key"]
    id: str
    transports: Sequence[str]


class RequestOptions(msgspec.Struct):
    """For `navigator.credentials.get()`. `allowCredentials` is empty at login, for everybody: passkeys are found by the
    device itself, and nobody learns from us whether an account has any."""

    challenge: str
    rp_id: str = msgspec.field(name="rpId")
    timeout: int
    user_verification: Literal["required"] = msgspec.field(name="userVerification")
    allow_credentials: Sequence[PasskeyDescriptor] = msgspec.field(name="allowCredentials")


class PasskeyParty(msgspec.Struct):
    """Whom a passkey is for: the domain it is bound to."""

    id: str
    name: str


class PasskeyUser(msgspec.Struct):
    """How the device shows the account: the NIK masked."""

    id: str
    name: str
    display_name: str = msgspec.field(name="displayName")


class KeyKind(msgspec.Struct):
    """One kind of key we understand, by its COSE number."""

    type: Literal["public-key"]
    alg: int


class DeviceDemands(msgspec.Struct):
    """What the device must do: keep the passkey itself, and check that it is its owner."""

    resident_key: Literal["required"] = msgspec.field(name="residentKey")
    require_resident_key: bool = msgspec.field(name="requireResidentKey")
    user_verification: Literal["required"] = msgspec.field(name="userVerification")


class CreationOptions(msgspec.Struct):
    """For `navigator.credentials.create()`."""

    rp: PasskeyParty
    user: PasskeyUser
    challenge: str
    pub_key_cred_params: Sequence[KeyKind] = msgspec.field(name="pubKeyCredParams")
    timeout: int
    exclude_credentials: Sequence[PasskeyDescriptor] = msgspec.field(name="excludeCredentials")
    authenticator_selection: DeviceDemands = msgspec.field(name="authenticatorSelection")
    attestation: Literal["none"]


class PasskeyStarted(msgspec.Struct):
    """Options for a new passkey; they are good once, until `expires_at`."""

    challenge_id: UUID
    options: CreationOptions
    expires_at: datetime


class NewPasskey(msgspec.Struct, forbid_unknown_fields=True):
    """The passkey that was made, and what its owner calls it."""

    challenge_id: Annotated[UUID, Meta(examples=["0192f5d0-c0de-7000-8000-000000000001"])]
    credential: NewCredential
    name: PasskeyName = ""


class PasskeyView(msgspec.Struct):
    """One passkey of mine. `backed_up`: its maker keeps a copy for the owner's other devices."""

    id: UUID
    name: str
    backed_up: bool
    created_at: datetime
    last_used_at: datetime | None


class Kept(Protocol):
    """A passkey as a table keeps it."""

    id: Any
    name: Any
    backed_up: Any
    created_at: Any
    last_used_at: Any


def passkey_view(passkey: Kept) -> PasskeyView:
    return PasskeyView(passkey.id, passkey.name, passkey.backed_up, passkey.created_at, passkey.last_used_at)


class Passkeys(msgspec.Struct):
    """All of mine, newest first."""

    items: Sequence[PasskeyView]
    next_cursor: str | None = None
