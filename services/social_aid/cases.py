"""Proposals, objections and certificates as app.cases sees them: the module's own rules, and handing a case over."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec

from app.cases.photos import PHOTO_TYPES, PhotoFacts, photo_facts, without_metadata
from app.cases.port import Applicant, CaseData, CaseHandler, File, Progress, Receipt
from app.errors import FieldError
from app.manifest import Service, ServiceManifest, read_manifest
from services.social_aid.port import AidRequest, Photo, SocialAidPort

MODULE = "social_aid"
# The cities we serve keep western Indonesian time, which has no summer time; the host may lack a time zone database.
WIB = timezone(timedelta(hours=7), "WIB")
PHOTO_FIELDS = ("photo_front", "photo_inside", "photo_other")

_ASKED_FOR = ("address", "village_code", "rt", "rw", "reason", "about", "programme", "purpose")
_NOT_HANDED_OVER = {"documents", "declaration", "certificate_consent", "with_photos", "photo_consent", *PHOTO_FIELDS}
_TOLD_WITH_PHOTOS = {"photo_latitude", "photo_longitude", "photo_taken_at"}


class AidRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a service's `rules` in the manifest may say."""

    kind: Literal["proposal", "objection", "certificate"]


class SocialAidCases(CaseHandler):
    """The module's services as app.cases sees them."""

    def __init__(self, port: SocialAidPort) -> None:
        self._port = port
        self._rules = {slug: msgspec.convert(service.rules, AidRules) for slug, service in services().items()}

    def check(self, service: str, form: Mapping[str, object], applicant: Applicant) -> Sequence[FieldError]:
        now = datetime.now(WIB)
        return [*_photo_faults(form, now), *_date_faults(form, now.date())]

    def lane(self, service: str, applicant: Applicant, form: Mapping[str, object]) -> str:
        """One matter of a kind for a person at a time."""
        return f"{service}|{applicant.nik}"

    async def submit(self, case: CaseData) -> Receipt:
        return await self._port.submit(self._request(case))

    async def find(self, case: CaseData, taken: Sequence[str]) -> Receipt | None:
        return await self._port.find(self._request(case), taken)

    async def progress(self, case: CaseData) -> Progress:
        return (await self._port.matter(case.agency_reference)).progress

    async def answer(self, case: CaseData, question: str, answer: str) -> Receipt:
        return await self._port.answer(case.agency_reference, question, answer)

    async def withdraw(self, case: CaseData, reason: str) -> Receipt:
        return await self._port.withdraw(case.agency_reference, reason)

    def _request(self, case: CaseData) -> AidRequest:
        form = case.form
        left_out = {*_ASKED_FOR, *_NOT_HANDED_OVER, *_TOLD_WITH_PHOTOS}
        asked = {name: form.get(name, "") for name in _ASKED_FOR}
        return AidRequest(
            **{name: str(value) for name, value in asked.items()},
            reference=case.number,
            kind=self._rules[case.service].kind,
            applicant_nik=case.applicant.nik,
            applicant_name=case.applicant.name,
            applicant_phone=case.applicant.phone,
            submitted_at=case.submitted_at,
            photos=[_photo(file, form) for file in case.files if is_photo(file)],
            files=[bare(file) for file in case.files if not is_photo(file)],
            extra={name: value for name, value in form.items() if name not in left_out},
        )


@lru_cache(maxsize=1)
def services() -> Mapping[str, Service]:
    """This module's services by their slug, as its manifest has them."""
    manifest = read_manifest(Path(__file__).with_name("manifest.toml"), ServiceManifest)
    return {service.slug: service for service in manifest.service}


def is_photo(file: File) -> bool:
    return file.field in PHOTO_FIELDS and file.media_type in PHOTO_TYPES


def bare(file: File) -> File:
    """As others may have it: nothing but what is to be seen."""
    return msgspec.structs.replace(file, content=without_metadata(file.content))


def _photo(file: File, form: Mapping[str, object]) -> Photo:
    """What the photograph itself says comes before what its sender filled in."""
    itself, filled_in = photo_facts(file.content, WIB), _filled_in(form)
    placed = itself if itself.latitude is not None else filled_in
    timed = itself if itself.taken_at is not None else filled_in
    return Photo(
        id=file.id,
        name=file.name,
        media_type=file.media_type,
        content=without_metadata(file.content),
        latitude=placed.latitude,
        longitude=placed.longitude,
        place_source="unknown" if placed.latitude is None else "photo" if placed is itself else "citizen",
        taken_at=timed.taken_at,
        time_source="unknown" if timed.taken_at is None else "photo" if timed is itself else "citizen",
    )


def _filled_in(form: Mapping[str, object]) -> PhotoFacts:
    told = {name: form.get(f"photo_{name}") for name in PhotoFacts.__struct_fields__}
    facts = msgspec.convert({**told, "taken_at": None}, PhotoFacts)
    return msgspec.structs.replace(facts, taken_at=_moment(told["taken_at"]))


def _moment(written: object) -> datetime | None:
    """A time by the local clock; None where none was filled in, or where it is none of the calendar."""
    try:
        return datetime.strptime(str(written or ""), "%Y-%m-%dT%H:%M").replace(tzinfo=WIB)
    except ValueError:
        return None


def _photo_faults(form: Mapping[str, object], now: datetime) -> Iterator[FieldError]:
    told = [name for name in ("photo_latitude", "photo_longitude") if name in form]
    if len(told) == 1:
        missing = "photo_longitude" if told == ["photo_latitude"] else "photo_latitude"
        yield FieldError(f"/form/{missing}", "required")
    if "photo_taken_at" in form:
        taken_at = _moment(form["photo_taken_at"])
        if taken_at is None:
            yield FieldError("/form/photo_taken_at", "date_invalid")
        elif taken_at > now + timedelta(minutes=5):
            yield FieldError("/form/photo_taken_at", "photo_in_future")


def _date_faults(form: Mapping[str, object], today: date) -> Iterator[FieldError]:
    decided_on = form.get("decided_on")
    if decided_on is not None and date.fromisoformat(str(decided_on)) > today:
        yield FieldError("/form/decided_on", "decision_in_future")
