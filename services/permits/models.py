"""What the permits module keeps: the last proof of an issued licence, for when the agency cannot be asked."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.personal import Personal

# Vault context: what is encrypted is bound to its column.
HOLDER = "permit_licences.holder"


class PermitLicence(Base):
    """A case's licence as the agency's system proved it at `proven_at`."""

    __tablename__ = "permit_licences"
    personal = Personal(owner="case_id", hold="archive")

    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[str]
    permit: Mapped[str]
    holder_enc: Mapped[bytes]
    issued_on: Mapped[date | None]
    valid_until: Mapped[date | None]
    proven_at: Mapped[datetime]
