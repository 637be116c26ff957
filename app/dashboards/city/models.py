"""What was measured of each service for its maturity; written by a worker, read by the city's view."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.personal import NOBODYS


class ServiceEvidence(Base):
    """`facts`: how often each thing happened in the window that ended at `measured_at`."""

    personal = NOBODYS
    __tablename__ = "service_evidence"

    service: Mapped[str] = mapped_column(primary_key=True)
    measured_at: Mapped[datetime]
    facts: Mapped[dict[str, Any]]
