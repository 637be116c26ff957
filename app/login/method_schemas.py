"""What the routes of recovery, step-up, change of password and change of phone take and give."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from app.login.passkey_schemas import RequestOptions, UsedCredential
from app.login.schemas import Code, DeviceName, DeviceToken, NewPassword, Nik, Password

ChallengeId = Annotated[UUID, Meta(examples=["0192f5d0-c0de-7000-8000-000000000001"])]
METHODS: Sequence[Literal["otp", "passkey"]] = ("otp", "passkey")


class OtpAnswer(msgspec.Struct, tag_field="method", tag="otp", forbid_unknown_fields=True):
    """The one-time code."""

    code: Code


class PasskeyAnswer(msgspec.Struct, tag_field="method", tag="passkey", forbid_unknown_fields=True):
    """What the browser or phone gave for the options of the challenge."""

    credential: UsedCredential


class ForgottenPassword(msgspec.Struct, forbid_unknown_fields=True):
    """Whose password is forgotten."""

    nik: Nik
    device_name: DeviceName = ""
    device_token: DeviceToken = ""


class ForgottenStarted(msgspec.Struct):
    """The same for every NIK."""

    recovery_id: UUID
    methods: Sequence[Literal["otp", "passkey"]]
    passkey: RequestOptions
    expires_at: datetime


class OtpRecovery(msgspec.Struct, tag_field="method", tag="otp", forbid_unknown_fields=True):
    """The code from the phone, and the password to be."""

    code: Code
    password: NewPassword


class PasskeyRecovery(msgspec.Struct, tag_field="method", tag="passkey", forbid_unknown_fields=True):
    """A passkey's answer, and the password to be."""

    credential: UsedCredential
    password: NewPassword


class StepUpRequest(msgspec.Struct, forbid_unknown_fields=True):
    """How I want to prove myself once more."""

    method: Annotated[Literal["otp", "passkey"], Meta(examples=["otp"])]


class StepUpStarted(msgspec.Struct):
    """`passkey`: the options, where that was asked for; with `otp` a code is on its way instead."""

    challenge_id: UUID
    passkey: RequestOptions | None
    expires_at: datetime


class OtpStepUp(msgspec.Struct, tag_field="method", tag="otp", forbid_unknown_fields=True):
    """The one-time code."""

    challenge_id: ChallengeId
    code: Code


class PasskeyStepUp(msgspec.Struct, tag_field="method", tag="passkey", forbid_unknown_fields=True):
    """A passkey's answer."""

    challenge_id: ChallengeId
    credential: UsedCredential


class Raised(msgspec.Struct):
    """An access token for this device; its refresh token stays. `expires_in` is in seconds. `raised_until`: from then
    on the level is again the account's own."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    assurance_level: int
    raised_until: datetime | None


class PasswordChange(msgspec.Struct, forbid_unknown_fields=True):
    """The password that holds now, and the one to be."""

    password: Password
    new_password: NewPassword


class PhoneConfirmation(msgspec.Struct, forbid_unknown_fields=True):
    """The code sent to the new number and, where the old number is at hand, the one sent there."""

    code: Code
    old_code: Code | None = None


class PhoneChangeView(msgspec.Struct):
    """A change of phone. `asked`: the codes are on their way. `waiting`: the new number confirmed, the old one did not,
    and may object until `due_at`. `done`: it has taken effect. `phone` is the new number, masked."""

    phone: str
    state: Literal["asked", "waiting", "done"]
    expires_at: datetime
    due_at: datetime | None
