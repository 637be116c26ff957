"""Citizens, how they prove themselves, what they are logged in with. Personal data stands here only encrypted."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.ids import uuid7
from app.personal import NOBODYS, Personal

# Vault contexts: what is encrypted is bound to its column.
NIK = "citizens.nik"
NAME = "citizens.name"
BIRTH_DATE = "citizens.birth_date"
CONTACT = "contacts.value"
APPLICATION = "registrations.person"
SUCCESSOR = "refresh_tokens.successor"
PRIVATE_KEY = "signing_keys.private_key"
NEW_PHONE = "phone_changes.phone"

_TRIED = (
    "account = ANY($2::bytea[]) OR account IN "
    "(SELECT account FROM challenges WHERE citizen_id = ANY($1::uuid[]) AND account <> '')"
)
_OF_INDEXES = "nik_index = ANY($2::bytea[]) OR account = ANY($2::bytea[])"

KeyState = Literal["next", "active", "retired"]
Purpose = Literal["registration", "login", "recovery", "step_up", "passkey", "new_phone", "old_phone"]


class Citizen(Base):
    """One person. Only the NIK identifies; `nik_index` finds it without reading it.

    `displaced_at`: somebody else has proven to be whom this NIK belongs to. The index then finds this row no more.
    `restricted_at`: at their wish nothing is done with their data. `deleted_at`: nothing is left but the id.
    """

    __tablename__ = "citizens"
    personal = Personal(owner="id", withheld=["nik_index"])
    __table_args__ = (
        CheckConstraint("assurance_level between 1 and 3", name="assurance_level"),
        CheckConstraint("language in ('id', 'en')", name="language"),
        Index("ix_citizens_merged_into", "merged_into", postgresql_where=text("merged_into is not null")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    nik_enc: Mapped[bytes]
    nik_index: Mapped[bytes] = mapped_column(unique=True)
    name_enc: Mapped[bytes]
    birth_date_enc: Mapped[bytes]
    assurance_level: Mapped[int] = mapped_column(server_default="1")
    language: Mapped[str] = mapped_column(server_default="id")
    displaced_at: Mapped[datetime | None]
    merged_into: Mapped[UUID | None] = mapped_column(ForeignKey("citizens.id"))
    restricted_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class IdentityCheck(Base):
    """What the population register said of a citizen; `pending` while it has yet to be asked (again)."""

    __tablename__ = "identity_checks"
    personal = Personal(owner="citizen_id")
    __table_args__ = (
        CheckConstraint(
            "standing in ('pending', 'matched', 'differs', 'unknown', 'deceased', 'double', 'inactive')",
            name="standing",
        ),
    )

    citizen_id: Mapped[UUID] = mapped_column(ForeignKey("citizens.id", ondelete="CASCADE"), primary_key=True)
    standing: Mapped[str]
    tries: Mapped[int] = mapped_column(server_default="0")
    checked_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class RegisterDay(Base):
    """How many questions the population register was asked on one of its days: its quota is counted by them."""

    __tablename__ = "register_days"
    personal = NOBODYS

    day: Mapped[date] = mapped_column(primary_key=True)
    asked: Mapped[int]


class CodeTries(Base):
    """Codes tried for one account since the last right one. `account` is a keyed index, so that what is tried for an
    account that does not exist is counted like any other: the same work, and nothing told."""

    __tablename__ = "code_tries"
    personal = Personal(where=_TRIED, withheld=["account"])

    account: Mapped[bytes] = mapped_column(primary_key=True)
    purpose: Mapped[str] = mapped_column(primary_key=True)
    tries: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(server_default=text("now()"), index=True)


class Credential(Base):
    """One way a citizen proves who they are. `secret` of a password is its argon2id hash."""

    __tablename__ = "credentials"
    personal = Personal(owner="citizen_id", withheld=["secret"])
    __table_args__ = (
        CheckConstraint("kind in ('password')", name="kind"),
        Index("uq_credentials_password", "citizen_id", unique=True, postgresql_where=text("kind = 'password'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    citizen_id: Mapped[UUID] = mapped_column(ForeignKey("citizens.id", ondelete="CASCADE"))
    kind: Mapped[str]
    secret: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Contact(Base):
    """Where a citizen is reached. A family may share a phone: it never says who somebody is.

    `proven_at`: when a code that was sent there last came back.
    """

    __tablename__ = "contacts"
    personal = Personal(owner="citizen_id", withheld=["value_index"])
    __table_args__ = (
        CheckConstraint("kind in ('phone')", name="kind"),
        Index(
            "uq_contacts_confirmed",
            "citizen_id",
            "kind",
            unique=True,
            postgresql_where=text("confirmed_at is not null"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    citizen_id: Mapped[UUID] = mapped_column(ForeignKey("citizens.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    value_enc: Mapped[bytes]
    value_index: Mapped[bytes] = mapped_column(index=True)
    confirmed_at: Mapped[datetime | None]
    proven_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Challenge(Base):
    """One one-time code. `code_mac` is bound to this row; for whom nobody may be let in, it is the MAC of no code.

    `account` is whose tries are counted together (CodeTries); empty where they are counted for this code alone.
    `nik_index`: of a recovery, whose NIK was given; a worker looks whether it has an account.
    """

    __tablename__ = "challenges"
    personal = Personal(owner="citizen_id", where=_OF_INDEXES, withheld=["code_mac", "account", "nik_index"])
    __table_args__ = (
        CheckConstraint(
            "purpose in ('registration', 'login', 'recovery', 'step_up', 'passkey', 'new_phone', 'old_phone')",
            name="purpose",
        ),
        CheckConstraint("tries between 0 and 5", name="tries"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    purpose: Mapped[str]
    citizen_id: Mapped[UUID | None] = mapped_column(ForeignKey("citizens.id", ondelete="CASCADE"), index=True)
    account: Mapped[bytes] = mapped_column(server_default="")
    known_device: Mapped[bool] = mapped_column(server_default=text("false"))
    nik_index: Mapped[bytes | None]
    device_name: Mapped[str] = mapped_column(server_default="")
    code_mac: Mapped[bytes]
    tries: Mapped[int] = mapped_column(server_default="0")
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Registration(Base):
    """Somebody who asks for an account and has yet to type the code. `person_enc` is the whole of what was given."""

    __tablename__ = "registrations"
    personal = Personal(matched=["person_enc"], withheld=["person_enc"])

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    challenge_id: Mapped[UUID] = mapped_column(ForeignKey("challenges.id", ondelete="CASCADE"), unique=True)
    person_enc: Mapped[bytes]
    language: Mapped[str]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class PhoneChange(Base):
    """A new phone a citizen asked for. `due_at`: it was confirmed, the old one was not, and may object until then."""

    __tablename__ = "phone_changes"
    personal = Personal(owner="citizen_id")
    __table_args__ = (Index("ix_phone_changes_due_at", "due_at", postgresql_where=text("due_at is not null")),)

    citizen_id: Mapped[UUID] = mapped_column(ForeignKey("citizens.id", ondelete="CASCADE"), primary_key=True)
    phone_enc: Mapped[bytes]
    new_challenge_id: Mapped[UUID | None] = mapped_column(ForeignKey("challenges.id", ondelete="SET NULL"))
    old_challenge_id: Mapped[UUID | None] = mapped_column(ForeignKey("challenges.id", ondelete="SET NULL"))
    expires_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Passkey(Base):
    """One passkey (WebAuthn credential). Nothing of it is secret: the private key never leaves the device."""

    __tablename__ = "passkeys"
    personal = Personal(owner="citizen_id")

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    citizen_id: Mapped[UUID] = mapped_column(ForeignKey("citizens.id", ondelete="CASCADE"), index=True)
    credential_id: Mapped[bytes] = mapped_column(unique=True)
    public_key: Mapped[bytes]
    sign_count: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(server_default="")
    transports: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))
    backed_up: Mapped[bool]
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Session(Base):
    """One device that is logged in: the family of its refresh tokens.

    `proved_at`: when its citizen last proved themselves on it; `raised_until`: until when that counts for level 3.
    `network`: the coarse part of the address it was last used from.
    """

    __tablename__ = "sessions"
    personal = Personal(owner="citizen_id")
    __table_args__ = (
        CheckConstraint("assurance_level between 1 and 3", name="assurance_level"),
        Index("ix_sessions_revoked_at", "revoked_at", postgresql_where=text("revoked_at is not null")),
        Index("ix_sessions_citizen_id_id", "citizen_id", "id", postgresql_where=text("revoked_at is null")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    citizen_id: Mapped[UUID] = mapped_column(ForeignKey("citizens.id", ondelete="CASCADE"))
    assurance_level: Mapped[int]
    device_name: Mapped[str] = mapped_column(server_default="")
    network: Mapped[str] = mapped_column(server_default="")
    proved_at: Mapped[datetime | None] = mapped_column(server_default=text("now()"))
    raised_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    last_used_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime] = mapped_column(index=True)
    revoked_at: Mapped[datetime | None]
    revoked_because: Mapped[str] = mapped_column(server_default="")


class RefreshToken(Base):
    """One refresh token, hashed. A used one keeps its successor, encrypted, for one honest retry."""

    __tablename__ = "refresh_tokens"
    personal = Personal(owner="session_id", withheld=["token_hash", "successor_enc"])

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
    retried_at: Mapped[datetime | None]
    successor_id: Mapped[UUID | None] = mapped_column(ForeignKey("refresh_tokens.id", ondelete="SET NULL"))
    successor_enc: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class SigningKey(Base):
    """A key that signs access tokens. The next is published before it signs, the retired until its tokens ended."""

    __tablename__ = "signing_keys"
    personal = NOBODYS
    __table_args__ = (
        CheckConstraint("state in ('next', 'active', 'retired')", name="state"),
        Index("uq_signing_keys_active", "state", unique=True, postgresql_where=text("state = 'active'")),
        Index("uq_signing_keys_next", "state", unique=True, postgresql_where=text("state = 'next'")),
    )

    kid: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    public_jwk: Mapped[dict[str, Any]]
    private_key_enc: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    retired_at: Mapped[datetime | None]
