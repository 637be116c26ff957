"""Which keys the rows stand under: their ids, which tell nothing of them."""

from datetime import datetime

from sqlalchemy import ARRAY, CheckConstraint, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.personal import NOBODYS


class StandingKey(Base):
    """One row for each kind. `former_ids`: some values may still stand under those, as a rotation has not ended.

    `reached`: of a rotation of the index key, how far it has come; empty where nothing was changed yet.
    """

    __tablename__ = "standing_keys"
    personal = NOBODYS
    __table_args__ = (CheckConstraint("kind in ('data', 'index', 'names')", name="kind"),)

    kind: Mapped[str] = mapped_column(primary_key=True)
    key_id: Mapped[str]
    former_ids: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    reached: Mapped[str] = mapped_column(server_default="")
    since: Mapped[datetime] = mapped_column(server_default=text("now()"))
