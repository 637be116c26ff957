"""Officers of the agencies, what they prove themselves with, and where they are logged in."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.ids import uuid7
from app.personal import NOBODYS

# Vault contexts: what is encrypted is bound to its column.
FULL_NAME = "officers.full_name"
PHONE = "officers.phone"
TOTP = "officers.totp"

State = Literal["invited", "active", "disabled"]
SessionKind = Literal["page", "token"]
ChallengePurpose = Literal["login", "passkey"]
RecoveryState = Literal["asked", "approved", "refused"]

# The city's own roles have no agency, all others have one.
_CITY_WIDE = "(role in ('city_admin', 'auditor')) = (agency = '')"


class OfficerAccount(Base):
    """One officer. `totp_step` is the last step whose code was used: none is used twice."""

    __tablename__ = "officers"
    personal = NOBODYS
    __table_args__ = (
        CheckConstraint("role in ('operator', 'supervisor', 'agency_head', 'city_admin', 'auditor')", name="role"),
        CheckConstraint("state in ('invited', 'active', 'disabled')", name="state"),
        CheckConstraint("language in ('id', 'en')", name="language"),
        CheckConstraint(_CITY_WIDE, name="agency"),
        CheckConstraint("state <> 'active' or (password_hash <> '' and totp_enc is not null)", name="two_factors"),
        Index("ix_officers_agency_name", "agency", "name"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    name: Mapped[str] = mapped_column(unique=True)
    full_name_enc: Mapped[bytes]
    phone_enc: Mapped[bytes | None]
    agency: Mapped[str]
    role: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="invited")
    language: Mapped[str] = mapped_column(server_default="id")
    password_hash: Mapped[str] = mapped_column(server_default="")
    totp_enc: Mapped[bytes | None]
    totp_step: Mapped[int] = mapped_column(server_default="0")
    failed_codes: Mapped[int] = mapped_column(server_default="0")
    locked_until: Mapped[datetime | None]
    invitation_hash: Mapped[bytes | None] = mapped_column(unique=True)
    invited_until: Mapped[datetime | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class OfficerSession(Base):
    """One place an officer is logged in: pages by a cookie, whose hash stands here, or the API by tokens."""

    __tablename__ = "officer_sessions"
    personal = NOBODYS
    __table_args__ = (
        CheckConstraint("kind in ('page', 'token')", name="kind"),
        CheckConstraint("(kind = 'page') = (cookie_hash is not null)", name="cookie"),
        Index("ix_officer_sessions_officer_id_id", "officer_id", "id", postgresql_where=text("revoked_at is null")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    officer_id: Mapped[UUID] = mapped_column(ForeignKey("officers.id", ondelete="CASCADE"))
    kind: Mapped[str]
    cookie_hash: Mapped[bytes | None] = mapped_column(unique=True)
    device_name: Mapped[str] = mapped_column(server_default="")
    address_index: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    last_used_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime] = mapped_column(index=True)
    revoked_at: Mapped[datetime | None]
    revoked_because: Mapped[str] = mapped_column(server_default="")


class OfficerChallenge(Base):
    """One login waiting for its second proof, or a passkey being made. Without an officer, which the client is not
    told, nothing meets it."""

    __tablename__ = "officer_challenges"
    personal = NOBODYS
    __table_args__ = (
        CheckConstraint("tries between 0 and 5", name="tries"),
        CheckConstraint("purpose in ('login', 'passkey')", name="purpose"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    purpose: Mapped[str] = mapped_column(server_default="login")
    officer_id: Mapped[UUID | None] = mapped_column(ForeignKey("officers.id", ondelete="CASCADE"), index=True)
    tries: Mapped[int] = mapped_column(server_default="0")
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class OfficerPasskey(Base):
    """One passkey (WebAuthn credential) of an officer. Nothing of it is secret: the private key stays in the device."""

    __tablename__ = "officer_passkeys"
    personal = NOBODYS

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    officer_id: Mapped[UUID] = mapped_column(ForeignKey("officers.id", ondelete="CASCADE"), index=True)
    credential_id: Mapped[bytes] = mapped_column(unique=True)
    public_key: Mapped[bytes]
    sign_count: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(server_default="")
    transports: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))
    backed_up: Mapped[bool]
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class OfficerRecovery(Base):
    """An officer who lost what they log in with: one city admin asks, another decides, and neither for themselves."""

    __tablename__ = "officer_recoveries"
    personal = NOBODYS
    __table_args__ = (
        CheckConstraint("state in ('asked', 'approved', 'refused')", name="state"),
        CheckConstraint("asked_by <> officer_id", name="not_ones_own"),
        CheckConstraint("decided_by is null or decided_by not in (officer_id, asked_by)", name="four_eyes"),
        CheckConstraint("(state = 'asked') = (decided_by is null)", name="decided"),
        Index("uq_officer_recoveries_asked", "officer_id", unique=True, postgresql_where=text("state = 'asked'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    officer_id: Mapped[UUID] = mapped_column(ForeignKey("officers.id", ondelete="CASCADE"))
    reason: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="asked")
    asked_by: Mapped[UUID] = mapped_column(ForeignKey("officers.id", ondelete="CASCADE"), index=True)
    asked_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("officers.id", ondelete="CASCADE"), index=True)
    decided_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]


class SentForm(Base):
    """A form that was carried out, by its mark and fields, and the page that it led to. Kept for a day."""

    __tablename__ = "officer_forms"
    personal = NOBODYS

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    officer_id: Mapped[UUID] = mapped_column(ForeignKey("officers.id", ondelete="CASCADE"))
    location: Mapped[str]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class OfficerKey(Base):
    """An Idempotency-Key of an officer's client, with the first answer. Kept at least 7 days."""

    __tablename__ = "officer_keys"
    personal = NOBODYS
    __table_args__ = (PrimaryKeyConstraint("officer_id", "key"), Index(None, "created_at"))

    officer_id: Mapped[UUID] = mapped_column(ForeignKey("officers.id", ondelete="CASCADE"))
    key: Mapped[str]
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int] = mapped_column(SmallInteger)
    headers: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    body_enc: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
