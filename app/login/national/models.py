"""Logins by national identity that are under way, and which citizens are known by one."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.ids import uuid7
from app.personal import Personal

# Vault contexts.
SECRETS = "national_logins.secrets"
PROVEN = "national_logins.proven"


class NationalLogin(Base):
    """One way out to the provider and back. `app_*` are the app's: where it waits, its mark, its challenge.

    `secrets_enc` holds nonce and verifier, `proven_enc` who it turned out to be, until the app has exchanged its code.
    """

    __tablename__ = "national_logins"
    personal = Personal(matched=["proven_enc"], withheld=["state_hash", "browser_hash", "secrets_enc", "exchange_hash"])

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    provider: Mapped[str]
    state_hash: Mapped[bytes] = mapped_column(unique=True)
    browser_hash: Mapped[bytes]
    secrets_enc: Mapped[bytes]
    app_redirect: Mapped[str]
    app_state: Mapped[str] = mapped_column(server_default="")
    app_challenge: Mapped[str]
    language: Mapped[str] = mapped_column(server_default="id")
    expires_at: Mapped[datetime] = mapped_column(index=True)
    returned_at: Mapped[datetime | None]
    exchange_hash: Mapped[bytes | None] = mapped_column(unique=True)
    proven_enc: Mapped[bytes | None]
    exchanged_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class NationalLink(Base):
    """A citizen who has proven their NIK by a provider. `subject_index`: the provider's name for them, keyed."""

    __tablename__ = "national_links"
    personal = Personal(owner="citizen_id", withheld=["subject_index"])
    __table_args__ = (Index("uq_national_links_subject", "provider", "subject_index", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    citizen_id: Mapped[UUID] = mapped_column(ForeignKey("citizens.id", ondelete="CASCADE"), index=True)
    provider: Mapped[str]
    subject_index: Mapped[bytes]
    linked_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
