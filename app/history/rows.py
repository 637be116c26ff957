"""A story as rows of the product's tables, sealed as the product seals them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from app.cases.casedata import FORM_CONTEXT
from app.cases.numbers import case_number
from app.history.clock import Clock
from app.history.moments import id_at, moment
from app.history.stories import Event, Offer, Story
from app.history.templates import Template
from app.privacy import Vault
from app.surveys.elements import COLUMNS

Row = tuple[Any, ...]
# In the order in which they are written: each names rows of those before it.
COLUMNS_OF: Mapping[str, Sequence[str]] = {
    "citizens": ("id", "nik_enc", "nik_index", "name_enc", "birth_date_enc", "assurance_level", "created_at"),
    "contacts": ("id", "citizen_id", "kind", "value_enc", "value_index", "confirmed_at"),
    "cases": (
        "id",
        "number",
        "citizen_id",
        "module",
        "service",
        "agency",
        "backend",
        "status",
        "form_version",
        "form_enc",
        "revision",
        "last_event",
        "delivery_state",
        "delivery_reason",
        "agency_reference",
        "question",
        "product",
        "due_on",
        "rating",
        "created_at",
        "updated_at",
        "submitted_at",
        "refreshed_at",
        "assignee_id",
    ),
    "case_events": ("case_id", "seq", "at", "kind", "status", "step_key", "data"),
    "deliveries": (
        "id",
        "case_id",
        "backend",
        "operation",
        "lane",
        "state",
        "attempts",
        "fence",
        "created_at",
        "first_tried_at",
        "sent_at",
        "finished_at",
        "reference",
        "reason",
    ),
    "delivery_attempts": (
        "delivery_id",
        "number",
        "operation",
        "backend",
        "unknown",
        "started_at",
        "finished_at",
        "outcome",
        "reason",
        "calls",
        "http_status",
    ),
    "surveys": ("case_id", "answered_at", *COLUMNS),
}

_WORKED_ON = ("submitted", "in_review", "needs_citizen", "approved")
_WAITING = ("needs_citizen", "answered")
_GIVEN = 0.6
CASE_TABLES = [table for table in COLUMNS_OF if table not in ("citizens", "contacts")]


class Place(msgspec.Struct, frozen=True):
    """Where a service's cases belong. `backends` by facility, under "" the one for all."""

    offer: Offer
    module: str
    agency: str
    form_version: int
    backends: Mapping[str, str]
    templates: Sequence[Template]


class Told(NamedTuple):
    """One story with all that its rows have in common."""

    place: Place
    story: Story
    running: int
    citizen: UUID
    case_id: UUID
    on: date
    backend: str
    form: bytes

    @property
    def reference(self) -> str:
        """The agency's own number."""
        return f"{self.on:%Y%m%d}{self.running:08d}"


class Writer:
    """Turns stories into rows, which gather by table until `taken` takes them."""

    def __init__(self, vault: Vault, clock: Clock, region: str, rng: Random) -> None:
        self._vault, self._clock, self._region, self._rng = vault, clock, region, rng
        # Officers by their agency: most of what is open has been given to one.
        self.officers: Mapping[str, Sequence[UUID]] = {}
        self._sealed: dict[str, str] = {}
        self._rows: dict[str, list[Row]] = {table: [] for table in CASE_TABLES}

    def taken(self) -> Mapping[str, Sequence[Row]]:
        """What has gathered. The next words are sealed anew: the same ones stand alike within one batch alone."""
        taken, self._rows = self._rows, {table: [] for table in CASE_TABLES}
        self._sealed.clear()
        return taken

    def add(self, place: Place, running: int, citizen: UUID, story: Story) -> None:
        """One case with all that belongs to it."""
        template, began = self._rng.choice(place.templates), story.events[0].at
        on = date.fromordinal(self._clock.day_of(began))
        form = self._vault.encrypt(template.filled(on), FORM_CONTEXT)
        backend = place.backends.get(template.facility) or next(iter(place.backends.values()))
        told = Told(place, story, running, citizen, id_at(began, self._rng), on, backend, form)
        self._rows["cases"].append(self._case(told))
        self._rows["case_events"] += self._events(told)
        if story.receipt:
            self._delivery(told, story.receipt)
        if story.answers:
            answered_at = moment(story.events[-1].at)
            self._rows["surveys"].append((told.case_id, answered_at, *story.answers))

    def _case(self, told: Told) -> Row:
        events, last = told.story.events, told.story.events[-1]
        place, at = told.place, moment(told.story.events[0].at)
        is_draft, is_known = last.status == "draft", told.story.receipt == "delivered"
        # What the agency took back is free again.
        freed = place.offer.immediate and last.status == "withdrawn"
        waited = [event.at for event in events if event.kind in _WAITING]
        days = None if is_draft else place.offer.days
        promised = None if days is None else self._clock.due(events[0].at, days, waited)
        asked = self._said(last.words) if last.status == "needs_citizen" else None
        return (
            told.case_id,
            case_number(self._region, told.on, told.running),
            told.citizen,
            place.module,
            place.offer.slug,
            place.agency,
            told.backend,
            last.status,
            place.form_version,
            told.form,
            len(events),
            len(events),
            told.story.receipt,
            told.story.reason,
            told.reference if is_known and not freed else None,
            asked,
            None,
            promised,
            told.story.score,
            at,
            moment(last.at),
            None if is_draft else at,
            moment(last.at) if is_known else None,
            self._assignee(place.agency) if last.status in _WORKED_ON else None,
        )

    def _assignee(self, agency: str) -> UUID | None:
        known = self.officers.get(agency, ())
        return self._rng.choice(known) if known and self._rng.random() < _GIVEN else None

    def _events(self, told: Told) -> Iterator[Row]:
        for seq, event in enumerate(told.story.events, 1):
            data = self._data(event, told)
            yield told.case_id, seq, moment(event.at), event.kind, event.status, event.step or None, data

    def _data(self, event: Event, told: Told) -> str:
        if event.kind == "delivered":
            return f'{{"reference": "{told.reference}"}}'
        data: dict[str, object] = {"score": told.story.score} if event.kind == "rated" else {}
        if event.named:
            data[event.named] = self._said(event.words)
        if event.kind == "step":
            data["state"] = "done"
        if event.code:
            data["reason_code"] = event.code
        return json.dumps(data) if data else "{}"

    def _said(self, words: str) -> str:
        if words not in self._sealed:
            self._sealed[words] = self._vault.seal(words)
        return self._sealed[words]

    def _delivery(self, told: Told, state: str) -> None:
        story, began = told.story, moment(told.story.events[0].at)
        handed_at, delivery_id = moment(story.events[1].at), id_at(told.story.events[0].at, self._rng)
        reference = told.reference if state == "delivered" else None
        reason = "cannot_tell" if state == "needs_operator" else story.reason
        common = (delivery_id, told.case_id, told.backend, "submit", told.case_id.bytes, state)
        times = (began, began, began, handed_at)
        self._rows["deliveries"].append((*common, 1, 1, *times, reference, reason))
        tried = (handed_at, handed_at, state, reason)
        self._rows["delivery_attempts"].append((delivery_id, 1, "submit", told.backend, False, *tried, 1, 200))
