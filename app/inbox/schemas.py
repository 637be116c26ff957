"""What the inbox's routes give."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from app.inbox.port import ChannelKind

# The length, here and wherever a pattern has but one: Python's `$` lets a line end stand behind it.
ClockTime = Annotated[str, msgspec.Meta(max_length=5, pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["21:00"])]


class InboxMessage(msgspec.Struct):
    """One message, in the reader's language. `key` is stable: a frontend may choose an icon by it."""

    id: UUID
    key: str
    text: str
    case_id: UUID | None
    created_at: datetime
    read_at: datetime | None


class InboxPage(msgspec.Struct):
    """Newest first. `next_cursor` is null on the last page."""

    items: Sequence[InboxMessage]
    next_cursor: str | None


class QuietHours(msgspec.Struct, forbid_unknown_fields=True, rename={"start": "from"}):
    """Hours of the city's day, `HH:MM`, in which nothing about a case goes to the phone; they may pass midnight."""

    start: ClockTime
    until: ClockTime


class PreferencesChange(msgspec.Struct, forbid_unknown_fields=True):
    """How I want to hear of my cases. Codes, and what concerns the safety of my account, always come at once.

    `channels`: in the order to try them, each once; none: the inbox alone. `digest_at`: once a day at this time, all in
    one message; null: each as it comes.
    """

    channels: Annotated[list[ChannelKind], msgspec.Meta(max_length=4, examples=[["whatsapp", "sms"]])]
    quiet_hours: Annotated[QuietHours | None, msgspec.Meta(examples=[{"from": "21:00", "until": "06:00"}])]
    digest_at: Annotated[ClockTime | None, msgspec.Meta(examples=["07:00"])]


class PreferencesView(msgspec.Struct):
    """What holds for me. `offered_channels`: what the city has. `changed_at` null: I never chose, all is as usual."""

    channels: Sequence[ChannelKind]
    quiet_hours: QuietHours | None
    digest_at: str | None
    offered_channels: Sequence[ChannelKind]
    timezone: str
    changed_at: datetime | None
