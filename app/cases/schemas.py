"""What the cases routes take and give."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from app.cases.port import Status
from app.words import SAID, SAID_OR_NOTHING

Slug = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{1,62}$", examples=["outdoor-advertising"])]
DeliveryState = Literal["queued", "delivering", "delivered", "rejected", "needs_operator"]
ActionCode = Literal["submit", "wait", "answer", "rate"]
# Shown as the bytes it was stored in, without being decoded.
StoredForm = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "object"})]
Attachments = Annotated[list[UUID], msgspec.Meta(max_length=20)]


class NewCase(msgspec.Struct, forbid_unknown_fields=True):
    """`form` fits the service's form schema; with `draft` it may still lack fields. `form_version` is the version of
    the schema it was filled in by: the current one where it is left out."""

    service: Slug
    form: dict[str, Any]
    attachments: Attachments = []
    draft: bool = False
    form_version: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | None = None


class DraftChange(msgspec.Struct, forbid_unknown_fields=True):
    """The whole form anew."""

    form: dict[str, Any]


class Withdrawal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why, in the citizen's words; the agency is told."""

    reason: Annotated[
        str, msgspec.Meta(max_length=500, pattern=SAID_OR_NOTHING, examples=["Toko kami pindah ke kota lain."])
    ] = ""


class Answer(msgspec.Struct, forbid_unknown_fields=True):
    """What the agency asked for, in the citizen's words."""

    answer: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=4000,
            pattern=SAID,
            examples=["Reklame dipasang di dinding, bukan di tiang."],
        ),
    ]


class Rating(msgspec.Struct, forbid_unknown_fields=True):
    """From 1, poor, to 5, excellent."""

    # Choices, not a range: to JSON Schema 5.0 is an integer too, and to msgspec it is not.
    score: Annotated[Literal[1, 2, 3, 4, 5], msgspec.Meta(examples=[5])]
    comment: Annotated[str, msgspec.Meta(max_length=1000, pattern=SAID_OR_NOTHING, examples=["Cepat dan jelas."])] = ""


class DeliveryView(msgspec.Struct):
    """The receipt. `reference` is the agency's own number once delivered; `reason` its words where it refused.

    `waits_for`: what keeps it from being sent now, until `waits_until` where that is known.
    """

    state: DeliveryState
    text: str
    reference: str | None
    reason: str | None
    waits_for: Literal["maintenance"] | None = None
    waits_until: datetime | None = None


class NextAction(msgspec.Struct):
    """What the citizen can do now."""

    code: ActionCode
    text: str


class TimelineEvent(msgspec.Struct):
    """`seq` counts from 1 without gaps and is the id of the server-sent event."""

    seq: int
    at: datetime
    kind: str
    status: Status
    text: str
    data: dict[str, Any]


class CaseView(msgspec.Struct):
    """A case as its citizen sees it. `due_at` is the end of the last working day the service standard
    allows; it moves on by the working days for which an answer of the citizen is waited for."""

    id: UUID
    number: str
    service: str
    service_title: str
    agency: str
    status: Status
    status_text: str
    delivery: DeliveryView | None
    next_action: NextAction | None
    question: str | None
    due_at: datetime | None
    submitted_at: datetime | None
    created_at: datetime
    updated_at: datetime
    rating: int | None
    links: dict[str, str]


class AttachmentView(msgspec.Struct):
    """`size` in bytes."""

    id: UUID
    name: str
    media_type: str
    size: int
    sha256: str
    created_at: datetime
    case_id: UUID | None


class PhotoView(msgspec.Struct):
    """What a photo says of itself: place in degrees (WGS 84), and time."""

    id: UUID
    latitude: float | None
    longitude: float | None
    taken_at: datetime | None


class CaseDetail(CaseView):
    """One case with its form, files and whole timeline."""

    form_version: int
    form: StoredForm
    attachments: list[AttachmentView]
    timeline: list[TimelineEvent]


class CasePage(msgspec.Struct):
    """Newest first. `next_cursor` is null on the last page."""

    items: list[CaseView]
    next_cursor: str | None
