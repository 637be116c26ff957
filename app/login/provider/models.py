"""Agencies' applications, what citizens let each have, and the codes and tokens that came of it. Secrets are hashed."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.ids import uuid7
from app.personal import NOBODYS, Personal

AuthMethod = Literal["client_secret_basic", "private_key_jwt"]


class Client(Base):
    """One application that may ask who a citizen is. `legal_basis`: the law under which it may have the NIK, else "".

    `sector`: the host whose applications know a citizen by the same `sub`. A removed one keeps its row for the record.
    """

    __tablename__ = "clients"
    personal = NOBODYS
    __table_args__ = (
        CheckConstraint("auth_method in ('client_secret_basic', 'private_key_jwt')", name="auth_method"),
        CheckConstraint("not scopes @> '[\"nik\"]'::jsonb or legal_basis <> ''", name="nik_needs_basis"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    agency: Mapped[str]
    purpose_id: Mapped[str]
    purpose_en: Mapped[str]
    legal_basis: Mapped[str] = mapped_column(server_default="")
    sector: Mapped[str]
    scopes: Mapped[list[Any]]
    redirect_uris: Mapped[list[Any]]
    post_logout_uris: Mapped[list[Any]]
    backchannel_logout_uri: Mapped[str] = mapped_column(server_default="")
    auth_method: Mapped[str]
    secret_hash: Mapped[bytes | None]
    public_keys: Mapped[list[Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    removed_at: Mapped[datetime | None]


class ClientAssertion(Base):
    """A signed proof of a client's, seen once: the same never again while it would still count."""

    __tablename__ = "client_assertions"
    personal = NOBODYS

    jti_hash: Mapped[bytes] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Grant(Base):
    """A citizen's yes to one application, remembered until it is withdrawn."""

    __tablename__ = "client_grants"
    personal = Personal(owner="citizen_id", hold="consent_proof")
    __table_args__ = (
        Index(
            "uq_client_grants_standing",
            "citizen_id",
            "client_id",
            unique=True,
            postgresql_where=text("withdrawn_at is null"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    citizen_id: Mapped[UUID] = mapped_column(ForeignKey("citizens.id", ondelete="CASCADE"))
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"), index=True)
    scopes: Mapped[list[Any]]
    given_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    withdrawn_at: Mapped[datetime | None]


class BrowserLogin(Base):
    """A browser that is logged in at our own pages: the cookie's hash, and the session it stands for."""

    __tablename__ = "browser_logins"
    personal = Personal(owner="session_id", withheld=["token_hash"])

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    authenticated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Authorization(Base):
    """One code, and with it the family of tokens it was exchanged for. It lives no longer than session and grant."""

    __tablename__ = "client_authorizations"
    personal = Personal(owner="citizen_id", withheld=["code_hash", "code_challenge", "nonce"])

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"), index=True)
    citizen_id: Mapped[UUID] = mapped_column(ForeignKey("citizens.id", ondelete="CASCADE"), index=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    grant_id: Mapped[UUID] = mapped_column(ForeignKey("client_grants.id", ondelete="CASCADE"), index=True)
    scopes: Mapped[list[Any]]
    nonce: Mapped[str] = mapped_column(server_default="")
    redirect_uri: Mapped[str]
    code_hash: Mapped[bytes] = mapped_column(unique=True)
    code_challenge: Mapped[str]
    code_expires_at: Mapped[datetime]
    code_used_at: Mapped[datetime | None]
    assurance_level: Mapped[int]
    authenticated_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class ClientToken(Base):
    """One token of an authorization, hashed. A refresh token works once."""

    __tablename__ = "client_tokens"
    personal = Personal(owner="authorization_id", withheld=["token_hash"])
    __table_args__ = (CheckConstraint("kind in ('access', 'refresh')", name="kind"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    authorization_id: Mapped[UUID] = mapped_column(
        ForeignKey("client_authorizations.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str]
    scopes: Mapped[list[Any]]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
    retried_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class LogoutNotice(Base):
    """A client that is to be told that a session has ended. `told_at` with `outcome`: told, refused, given up."""

    __tablename__ = "logout_notices"
    personal = Personal(owner="citizen_id")
    __table_args__ = (
        CheckConstraint("outcome in ('', 'told', 'refused', 'given_up')", name="outcome"),
        Index("uq_logout_notices_session", "session_id", "client_id", unique=True),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"), index=True)
    citizen_id: Mapped[UUID]
    session_id: Mapped[UUID]
    outcome: Mapped[str] = mapped_column(server_default="")
    tries: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"), index=True)
    told_at: Mapped[datetime | None]
