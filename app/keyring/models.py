"""Which keys the rows stand under: their ids, which tell nothing of them."""

from datetime import datetime

from sqlalchemy import CheckConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.personal import NOBODYS


class StandingKey(Base):
    """One row for each kind. `former_id`: some rows may still stand under that one, as a rotation has not ended."""

    __tablename__ = "standing_keys"
    personal = NOBODYS
    __table_args__ = (CheckConstraint("kind in ('index', 'names')", name="kind"),)

    kind: Mapped[str] = mapped_column(primary_key=True)
    key_id: Mapped[str]
    former_id: Mapped[str | None]
    since: Mapped[datetime] = mapped_column(server_default=text("now()"))
