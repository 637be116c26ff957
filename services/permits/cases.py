"""The permits module's own rules, and handing a case over to the agency through the module's port."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path

import msgspec

from app.cases.port import Applicant, CaseData, CaseHandler, Progress, Receipt
from app.errors import FieldError
from app.manifest import Service, ServiceManifest, read_manifest
from services.permits.port import PermitApplication, PermitsPort

MODULE = "permits"
# The cities we serve keep western Indonesian time, which has no summer time; the host may lack a time zone database.
WIB = timezone(timedelta(hours=7), "WIB")

_NOT_HANDED_OVER = {"documents", "declaration"}
_HANDED_OVER_BY_NAME = set(PermitApplication.__struct_fields__)


class PermitRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a service's `rules` in the manifest may say. `period_*` name the form's fields of a period and its limit."""

    permit: str
    period_from: str = ""
    period_to: str = ""
    period_max_days: int = 0


class PermitCases(CaseHandler):
    """Permits as app.cases sees them."""

    def __init__(self, port: PermitsPort) -> None:
        self._port = port
        self._rules = {
            slug: msgspec.convert(service.rules, PermitRules)
            for slug, service in services().items()
            if service.mode == "api"
        }

    def check(self, service: str, form: Mapping[str, object], applicant: Applicant) -> Sequence[FieldError]:
        rules, today = self._rules[service], datetime.now(WIB).date()
        return [
            *_period_faults(form, rules, today),
            *_registration_faults(form, today),
            *_renewal_faults(form),
        ]

    async def submit(self, case: CaseData) -> Receipt:
        return await self._port.submit(self._application(case))

    async def find(self, case: CaseData, taken: Sequence[str]) -> Receipt | None:
        return await self._port.find(self._application(case), taken)

    async def progress(self, case: CaseData) -> Progress:
        return await self._port.progress(case.agency_reference)

    async def answer(self, case: CaseData, question: str, answer: str) -> Receipt:
        return await self._port.answer(case.agency_reference, question, answer)

    async def withdraw(self, case: CaseData, reason: str) -> Receipt:
        return await self._port.withdraw(case.agency_reference, reason)

    def _application(self, case: CaseData) -> PermitApplication:
        """The form's fields by the names the port knows; those a form has beside them go as `extra`."""
        named = {name: value for name, value in case.form.items() if name in _HANDED_OVER_BY_NAME}
        extra = {
            name: value
            for name, value in case.form.items()
            if name not in _HANDED_OVER_BY_NAME and name not in _NOT_HANDED_OVER
        }
        handed = {
            **named,
            "reference": case.number,
            "permit": self._rules[case.service].permit,
            "applicant_name": case.applicant.name,
            "applicant_phone": case.applicant.phone,
            "submitted_on": case.submitted_at.astimezone(WIB).date(),
            "submitted_at": case.submitted_at,
            "files": case.files,
            "sent_at": case.sent_at,
            "given_before": case.given_before,
            "extra": extra,
        }
        return msgspec.convert(handed, PermitApplication)


@lru_cache(maxsize=1)
def services() -> Mapping[str, Service]:
    """This module's services by their slug, as its manifest has them."""
    manifest = read_manifest(Path(__file__).with_name("manifest.toml"), ServiceManifest)
    return {service.slug: service for service in manifest.service}


def _period_faults(form: Mapping[str, object], rules: PermitRules, today: date) -> Iterator[FieldError]:
    begin, end = _day(form, rules.period_from), _day(form, rules.period_to)
    if begin and begin < today:
        yield FieldError(f"/form/{rules.period_from}", "period_in_past")
    if begin and end and end < begin:
        yield FieldError(f"/form/{rules.period_to}", "period_ends_before_start")
    elif begin and end and rules.period_max_days and (end - begin).days >= rules.period_max_days:
        yield FieldError(f"/form/{rules.period_to}", "period_too_long", {"max_days": rules.period_max_days})


def _registration_faults(form: Mapping[str, object], today: date) -> Iterator[FieldError]:
    """A practice licence ends with the registration (STR) it stands on: none is given on one that has ended."""
    until = _day(form, "registration_valid_until")
    if until and until < today:
        yield FieldError("/form/registration_valid_until", "registration_expired")


def _renewal_faults(form: Mapping[str, object]) -> Iterator[FieldError]:
    old_number = str(form.get("old_licence_number", "")).strip()
    if form.get("kind") in ("renewal", "change") and not old_number:
        yield FieldError("/form/old_licence_number", "required")
    elif old_number and not any(letter.isdigit() for letter in old_number):
        yield FieldError("/form/old_licence_number", "licence_number_invalid")


def _day(form: Mapping[str, object], field: str) -> date | None:
    """A date of the form; None where it is not there or is no date, which its JSON Schema says."""
    try:
        return date.fromisoformat(str(form.get(field, "")))
    except ValueError:
        return None
