"""The pretended puskesmas behind the sandbox, and whose tickets they find. No HTTP here."""

import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Literal

import msgspec

from integrations.standards.antrean import office
from integrations.standards.antrean.office import Clinic, Practice, Ticket


class Facility(office.Facility, frozen=True, kw_only=True):
    """One puskesmas. `status_version`: whether its status tells doctors apart (array) or not (object)."""

    status_version: Literal["array", "object"]

    def practices_on(self, clinic: Clinic, day: date) -> list[Practice]:
        if day.isoformat() in self.closed_on:
            return []
        return [practice for practice in clinic.practices if day.isoweekday() in practice.weekdays]


class Tables(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is entered once: sandbox.toml."""

    strangers: list[str]
    facilities: list[Facility]


class Office(office.Office[Facility, Ticket]):
    """Every ticket and patient of every puskesmas."""

    def __init__(self) -> None:
        raw = tomllib.loads(Path(__file__).with_name("sandbox.toml").read_text("utf-8"))
        tables = msgspec.convert(raw, Tables)
        super().__init__(tables.facilities, tables.strangers)

    def is_meant(self, ticket: Ticket, reference: str) -> bool:
        """With or without the facility."""
        return reference in (ticket.reference, ticket.reference.partition("/")[2])

    def of_person(self, facility: str, clinic: str, day: str, person: Mapping[str, str]) -> Ticket | None:
        """The newest ticket of a card or NIK that was not given back."""
        mine = [
            ticket
            for ticket in self.clinic_queues(facility, clinic, day)
            if ticket.state != "cancelled"
            and any(value and getattr(ticket, field) == value for field, value in person.items())
        ]
        return mine[-1] if mine else None
