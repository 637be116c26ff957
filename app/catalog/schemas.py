"""What the public catalogue answers with."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from app.catalog.health import Availability
from app.manifest import Mode


class ModuleView(msgspec.Struct, frozen=True):
    """A service module of an agency."""

    name: str
    title: str


class AgencyView(msgspec.Struct, frozen=True):
    """An agency of the city, with the modules through which its services are asked for here."""

    id: str
    name: str
    short_name: str
    modules: list[ModuleView]
    service_count: int


class AgencyPage(msgspec.Struct, frozen=True):
    items: list[AgencyView]
    next_cursor: str | None = None


class AgencyName(msgspec.Struct, frozen=True):
    id: str
    name: str
    short_name: str


class FeeView(msgspec.Struct, frozen=True):
    """`amount_idr` in whole rupiah; null where the agency computes it, as `note` then says."""

    amount_idr: int | None
    note: str | None


class ServiceView(msgspec.Struct, frozen=True):
    """One service in a list. `url` is where a service lives that is not handed in here (`sso`, `weblink`)."""

    slug: str
    title: str
    summary: str
    agency: AgencyName
    module: str | None
    integration_mode: Mode
    url: str | None
    assurance_level: Literal[1, 2, 3]
    life_events: list[str]
    working_days: int | None
    fee: FeeView


class ServicePage(msgspec.Struct, frozen=True):
    items: list[ServiceView]
    next_cursor: str | None = None


class RequirementView(msgspec.Struct, frozen=True):
    """One thing to bring. `field` names the form's file field that takes it, null where none does."""

    text: str
    field: str | None


class FormView(msgspec.Struct, frozen=True):
    """The newest version of a service's form. `schema` is JSON Schema 2020-12 with texts; docs/forms.md tells of it."""

    version: int
    schema: dict[str, Any]


class MaintenanceView(msgspec.Struct, frozen=True):
    """When a service is out of use as planned, now or next; `ends_at` null: until further notice."""

    starts_at: datetime
    ends_at: datetime | None


class Standing(msgspec.Struct, frozen=True):
    """Whether a service is to be had, as measured and as planned."""

    availability: Availability
    maintenance: MaintenanceView | None


class ServiceDetail(ServiceView, frozen=True):
    """One service with its standard (law 25/2009, article 21). `working_days` 0 means the same day, null: no limit set.

    `availability` is measured by the calls made to the agency's system; `maintenance` is what operators planned, told
    two weeks before. While it lasts cases are taken and wait, and nothing is done at once. Both are null for `sso` and
    `weblink` services: nothing of ours calls those systems, so nothing is known of them.
    """

    requirements: list[RequirementView]
    procedure: list[str]
    product: str
    complaints: str
    legal_basis: list[str]
    delivery: Literal["queued", "immediate"]
    availability: Availability | None
    maintenance: MaintenanceView | None
    form: FormView | None
