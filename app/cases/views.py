"""Rows of cases as their citizen sees them."""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any, cast
from zoneinfo import ZoneInfo

from app.cases.port import Status
from app.cases.schemas import ActionCode, CaseView, DeliveryView, NextAction
from app.cases.states import FINAL, WITHDRAWABLE
from app.catalog.catalog import Catalog
from app.texts import Language, has_text, text

# All columns a CaseView needs, in one place for every query that shows cases.
VIEW_COLUMNS = (
    "id, number, module, service, agency, backend, status, delivery_state, delivery_reason, agency_reference, "
    "question, product, due_on, submitted_at, created_at, updated_at, rating, revision"
)


def case_view(row: Mapping[str, Any], catalog: Catalog, language: Language) -> CaseView:
    """One row with VIEW_COLUMNS."""
    status: Status = row["status"]
    return CaseView(
        id=row["id"],
        number=row["number"],
        service=row["service"],
        service_title=_title(row["service"], catalog, language),
        agency=row["agency"],
        status=status,
        status_text=own_words(f"status_of_case.{status}", row["module"], language),
        delivery=_delivery(row, language),
        next_action=_next_action(row, language),
        question=row["question"] if status == "needs_citizen" else None,
        due_at=_end_of_day(row["due_on"], catalog.timezone),
        submitted_at=row["submitted_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        rating=row["rating"],
        links=_links(row),
    )


def own_words(key: str, module: str, language: Language) -> str:
    """A text, in the module's own words where it has some: a ticket is not "in review"."""
    own = f"{key}.{module}"
    return text(own if has_text(own) else key, language)


def etag(revision: int) -> str:
    return f'"{revision}"'


def _title(slug: str, catalog: Catalog, language: Language) -> str:
    service = catalog.find(slug)
    return service.title.into(language) if service else slug


def _delivery(row: Mapping[str, Any], language: Language) -> DeliveryView | None:
    state = row["delivery_state"]
    if state is None:
        return None
    return DeliveryView(state, text(f"delivery.{state}", language), row["agency_reference"], _reason(row, language))


def _reason(row: Mapping[str, Any], language: Language) -> str | None:
    """Why the agency refused, in our words: its own may carry what is not for citizens."""
    code = row["delivery_reason"]
    if code is None:
        return None
    key = f"delivery_reason.{code}"
    return text(key if has_text(key) else "delivery_reason.refused", language)


def _next_action(row: Mapping[str, Any], language: Language) -> NextAction | None:
    code = _next_code(row)
    return NextAction(code, text(f"next_action.{code}", language)) if code else None


def _next_code(row: Mapping[str, Any]) -> ActionCode | None:
    status = row["status"]
    if status == "draft":
        return "submit"
    if status == "needs_citizen":
        return "answer"
    if status in FINAL:
        return "rate" if row["rating"] is None and status in ("completed", "rejected") else None
    return "wait"


def _links(row: Mapping[str, Any]) -> dict[str, str]:
    here = f"/v1/cases/{row['id']}"
    links = {"self": here, "events": f"{here}/events"}
    status = cast(Status, row["status"])
    if status == "draft":
        links["submit"] = f"{here}/submit"
    if status in WITHDRAWABLE:
        links["withdraw"] = f"{here}/withdraw"
    if status == "needs_citizen":
        links["answers"] = f"{here}/answers"
    if status in FINAL and row["rating"] is None:
        links["rating"] = f"{here}/rating"
    return links


def _end_of_day(day: date | None, zone: ZoneInfo) -> datetime | None:
    return datetime.combine(day, time(23, 59, 59), zone).astimezone(ZoneInfo("UTC")) if day else None
