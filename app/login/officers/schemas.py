"""What officers' routes take and give."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from app.login.guards import Role
from app.login.officers.accounts import Listed
from app.login.officers.devices import OfficerDevice
from app.login.officers.models import State
from app.login.officers.recoveries import Recovery
from app.login.passkey_schemas import RequestOptions, UsedCredential
from app.login.schemas import Code, DeviceName
from app.texts import Language
from app.words import SAID_ON_ONE_LINE

OfficerName = Annotated[
    str, Meta(pattern=r"^[a-z][a-z0-9]*([._-][a-z0-9]+)*$", min_length=3, max_length=60, examples=["operator.dlh"])
]
FullName = Annotated[str, Meta(min_length=2, max_length=100, pattern=SAID_ON_ONE_LINE, examples=["Rina Kartika"])]
Reason = Annotated[
    str,
    Meta(min_length=5, max_length=300, pattern=SAID_ON_ONE_LINE, examples=["Ponsel hilang"]),
]


class OfficerLogin(msgspec.Struct, forbid_unknown_fields=True):
    """Name and password; the code is asked for next."""

    name: Annotated[str, Meta(min_length=1, max_length=60, examples=["operator.dpmptsp"])]
    password: Annotated[str, Meta(min_length=1, max_length=256, examples=["Loket-Demo-2026"])]
    device_name: DeviceName = ""


class OfficerChallengeAnswer(msgspec.Struct):
    """What to bring to `/v1/officer/login/{id}`. The same for a wrong password and an unknown name."""

    challenge_id: UUID
    methods: Sequence[Literal["totp", "passkey"]]
    expires_at: datetime
    passkey: RequestOptions


class OfficerCode(msgspec.Struct, tag_field="method", tag="totp", forbid_unknown_fields=True):
    """The authenticator's code."""

    code: Code
    device_name: DeviceName = ""


class OfficerCredential(msgspec.Struct, tag_field="method", tag="passkey", forbid_unknown_fields=True):
    """What the browser gave for the options of the challenge."""

    credential: UsedCredential
    device_name: DeviceName = ""


class OfficerToken(msgspec.Struct):
    """`expires_in` is in seconds. The session ends after 30 minutes without use, and after 12 hours at the latest."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int


class OfficerProfile(msgspec.Struct):
    """Who this token belongs to. `agency` is null for the roles of the whole city."""

    id: UUID
    name: str
    agency: str | None
    role: Role


class OfficerDevices(msgspec.Struct):
    """Newest first."""

    items: Sequence[OfficerDevice]
    next_cursor: str | None


class OfficerRequested(msgspec.Struct, forbid_unknown_fields=True):
    """A new officer. `agency` is null for `city_admin` and `auditor`, and an agency's id for every other role."""

    name: OfficerName
    full_name: FullName
    role: Annotated[Role, Meta(examples=["operator"])]
    agency: Annotated[str, Meta(min_length=2, max_length=40, examples=["dlh"])] | None = None
    phone: Annotated[str, Meta(min_length=9, max_length=20, examples=["0812-3456-7890"])] | None = None
    language: Annotated[Language, Meta(examples=["id"])] = "id"


class OfficerInvited(msgspec.Struct):
    """The invitation is shown this once. Hand it to the officer, who uses it at /dashboard/enrolment."""

    id: UUID
    name: str
    state: State
    invitation: str
    expires_at: datetime


class OfficerList(msgspec.Struct):
    """By name."""

    items: Sequence[Listed]
    next_cursor: str | None


class RecoveryRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Why an officer needs a new password and a new second proof."""

    reason: Reason


class RecoveryList(msgspec.Struct):
    """Those that wait for a decision, the oldest first."""

    items: Sequence[Recovery]
    next_cursor: str | None


class InvitationShown(msgspec.Struct):
    """Shown this once."""

    invitation: str
    expires_at: datetime
