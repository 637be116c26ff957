"""A form as a citizen filled it in: what it must hold, and the case it becomes. Nothing is read or written here."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec

from app.cases.casedata import FORM_CONTEXT
from app.cases.due import due_on, today
from app.cases.numbers import case_number
from app.cases.port import Applicant, Status
from app.cases.schemas import NewCase
from app.cases.tools import CaseTools
from app.cases.writes import CaseRow
from app.catalog.catalog import CatalogService
from app.errors import FieldError, Forbidden, Unprocessable
from app.forms import Form
from app.ids import uuid7
from app.login.guards import Caller
from app.tracing import note

# What a half-filled form may still lack: a field, a tick, the statement's consent.
_NOT_YET = {"required", "choice_missing", "min_items", "not_accepted"}


class Filled(msgspec.Struct, frozen=True):
    """A form as a citizen filled it in, and attachments beside those it names."""

    service: CatalogService
    form: Form
    data: Mapping[str, Any]
    loose: Sequence[UUID] = ()


def filled_in(caller: Caller, new: NewCase, tools: CaseTools) -> Filled:
    service = service_for(new.service, caller, tools)
    note({"loket.service": service.slug, "loket.agency": service.agency_id})
    filled = Filled(service, form_for(service, new.form_version, tools), new.form, new.attachments)
    check_schema(filled, draft=new.draft)
    return filled


def service_for(slug: str, caller: Caller, tools: CaseTools) -> CatalogService:
    service = tools.catalog.find(slug)
    if service is None:
        raise Unprocessable(errors=[FieldError("/service", "service_unknown")])
    if service.module not in tools.modules or service.manifest.mode != "api":
        raise Unprocessable("service_elsewhere", params={"url": service.manifest.url})
    if caller.acting is not None and slug not in caller.acting.services:
        raise Forbidden("delegation_not_for_service")
    if caller.assurance_level < service.manifest.assurance_level:
        raise Forbidden("assurance_level_too_low", params={"level": service.manifest.assurance_level})
    return service


def form_for(service: CatalogService, version: int | None, tools: CaseTools) -> Form:
    form = tools.catalog.form(service.slug, version)
    if form is None:
        raise Unprocessable(errors=[FieldError("/form_version", "form_version_unknown")])
    return form


def check_schema(filled: Filled, *, draft: bool) -> None:
    # A draft may lack what is not filled in yet; what is there must already fit.
    if faults := filled.form.errors(filled.data, "/form", forgiven=_NOT_YET if draft else ()):
        raise Unprocessable(errors=faults)


def check_rules(filled: Filled, applicant: Applicant, tools: CaseTools) -> None:
    handler = tools.modules[filled.service.module].handler
    if faults := handler.check(filled.service.slug, filled.data, applicant):
        raise Unprocessable(errors=faults)


def files_of(form: Form, data: Mapping[str, Any]) -> set[UUID]:
    return {field.attachment_id for field in form.file_fields(data)}


def attachments_of(filled: Filled) -> list[UUID]:
    return [*filled.loose, *files_of(filled.form, filled.data)]


def check_files(filled: Filled, taken: Mapping[UUID, Mapping[str, Any]]) -> None:
    faults = []
    for field in filled.form.file_fields(filled.data):
        row = taken[field.attachment_id]
        if row["media_type"] not in field.accept:
            faults.append(FieldError(f"/form/{field.name}", "file_type", {"accept": ", ".join(field.accept)}))
        elif row["size"] > field.max_bytes:
            faults.append(FieldError(f"/form/{field.name}", "file_size", {"limit": field.max_bytes // 1000}))
    if faults:
        raise Unprocessable(errors=faults)


def new_row(caller: Caller, filled: Filled, running: int, status: Status, tools: CaseTools) -> CaseRow:
    handed_in = status == "submitted"
    service = filled.service
    return CaseRow(
        id=uuid7(),
        number=case_number(tools.catalog.region, today(tools.catalog.timezone), running),
        citizen_id=caller.id,
        module=service.module,
        service=service.slug,
        agency=service.agency_id,
        backend=backend_of(filled, tools),
        status=status,
        form_version=filled.form.version,
        form_enc=tools.vault.encrypt(msgspec.json.encode(filled.data), FORM_CONTEXT),
        delivery_state="queued" if handed_in else None,
        due_on=due_for(service, tools) if handed_in else None,
        submitted_at=datetime.now(UTC) if handed_in else None,
    )


def backend_of(filled: Filled, tools: CaseTools) -> str:
    """ "" for a draft that does not say yet which facility it is for."""
    module = tools.modules[filled.service.module]
    return module.backends.get(module.handler.facility(filled.data), "")


def due_for(service: CatalogService, tools: CaseTools) -> date | None:
    days = service.manifest.promised_days
    return due_on(today(tools.catalog.timezone), days) if days is not None else None
