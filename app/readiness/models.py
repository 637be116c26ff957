"""The workers' sign of life."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.personal import NOBODYS


class WorkerBeat(Base):
    """One row a worker process, renewed every few seconds; old rows are removed by the next beat."""

    __tablename__ = "worker_beats"
    personal = NOBODYS

    worker_id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=text("now()"), index=True)
