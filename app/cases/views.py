"""Rows of cases as their citizen sees them."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from app.backends.controls import Controls
from app.cases.port import Status
from app.cases.schemas import ActionCode, CaseView, DeliveryState, DeliveryView, NextAction
from app.cases.states import FINAL, WITHDRAWABLE
from app.cases.tools import CaseTools
from app.catalog.catalog import Catalog
from app.texts import Language, has_text, text

# What a CaseView is made of; reading JSON that a list does not show would cost it a tenth.
SHOWN_COLUMNS = (
    "id, number, module, service, agency, backend, status, delivery_state, delivery_reason, agency_reference, "
    "question, due_on, submitted_at, created_at, updated_at, rating"
)
# The same with what a single case's answer or change needs beside.
VIEW_COLUMNS = f"{SHOWN_COLUMNS}, product, revision"


class Standing(msgspec.Struct, frozen=True):
    """All that the words for a case depend on."""

    status: Status
    delivery: DeliveryState | None
    reason: str | None
    rated: bool
    module: str


class Words(msgspec.Struct, frozen=True):
    """What a case's standing means to its citizen, in one language."""

    status: str
    delivery: str
    reason: str | None
    next_action: NextAction | None
    links: tuple[str, ...]


def case_view(row: Mapping[str, Any], tools: CaseTools, language: Language) -> CaseView:
    """One row with SHOWN_COLUMNS."""
    catalog = tools.catalog
    status: Status = row["status"]
    state: DeliveryState | None = row["delivery_state"]
    words = _words(Standing(status, state, row["delivery_reason"], row["rating"] is not None, row["module"]), language)
    slug, here = row["service"], f"/v1/cases/{row['id']}"
    links = {"self": here}
    for name in words.links:
        links[name] = f"{here}/{name}"
    # In the order of its fields: named, they would cost a list of twenty as much as reading the rows does.
    return CaseView(
        row["id"],
        row["number"],
        slug,
        _title(slug, catalog, language),
        row["agency"],
        status,
        words.status,
        _delivery(row, words, tools.backends.controls, language) if state else None,
        words.next_action,
        tools.vault.unseal(row["question"] or "") or None if status == "needs_citizen" else None,
        _end_of_day(row["due_on"], catalog.timezone) if row["due_on"] else None,
        row["submitted_at"],
        row["created_at"],
        row["updated_at"],
        row["rating"],
        links,
    )


def _delivery(row: Mapping[str, Any], words: Words, controls: Controls, language: Language) -> DeliveryView:
    state: DeliveryState = row["delivery_state"]
    standing = controls.maintenance(row["backend"], row["service"]) if state in ("queued", "delivering") else None
    if standing is None:
        return DeliveryView(state, words.delivery, row["agency_reference"], words.reason)
    told = text("delivery.maintenance", language)
    return DeliveryView(state, told, row["agency_reference"], words.reason, "maintenance", standing.ends_at)


def etag(revision: int) -> str:
    return f'"{revision}"'


def _title(slug: str, catalog: Catalog, language: Language) -> str:
    service = catalog.find(slug)
    return service.title.into(language) if service else slug


@lru_cache(maxsize=2048)
def _words(standing: Standing, language: Language) -> Words:
    """The same for all cases that stand alike; twenty of them are shown at once."""
    code = _next_code(standing.status, rated=standing.rated)
    return Words(
        _status_text(standing, language),
        text(f"delivery.{standing.delivery}", language) if standing.delivery else "",
        _reason(standing.reason, language) if standing.reason else None,
        NextAction(code, text(f"next_action.{code}", language)) if code else None,
        tuple(_links(standing.status, rated=standing.rated)),
    )


def _status_text(standing: Standing, language: Language) -> str:
    """In the module's own words where it has some: a ticket is not "in review"."""
    key = f"status_of_case.{standing.status}"
    own = f"{key}.{standing.module}"
    return text(own if has_text(own) else key, language)


def _reason(code: str, language: Language) -> str:
    """Why the agency refused, in our words: its own may carry what is not for citizens."""
    key = f"delivery_reason.{code}"
    return text(key if has_text(key) else "delivery_reason.refused", language)


def _next_code(status: Status, *, rated: bool) -> ActionCode | None:
    if status == "draft":
        return "submit"
    if status == "needs_citizen":
        return "answer"
    if status in FINAL:
        return "rate" if not rated and status in ("completed", "rejected") else None
    return "wait"


def _links(status: Status, *, rated: bool) -> Iterator[str]:
    yield "events"
    if status == "draft":
        yield "submit"
    if status in WITHDRAWABLE:
        yield "withdraw"
    if status == "needs_citizen":
        yield "answers"
    if status in FINAL and not rated:
        yield "rating"
    if status in FINAL:
        yield "survey"


@lru_cache(maxsize=512)
def _end_of_day(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(23, 59, 59), zone).astimezone(UTC)
