"""When and how a citizen wants to hear of their cases on a phone. What concerns the account itself never waits."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from app.inbox.actions import rendered
from app.texts import Language, text

# Keys of the messages that wishes are about: what becomes of a case.
ABOUT_CASES = "inbox.case_"
# A digest is a message on a phone, not the inbox itself.
TOLD_IN_FULL = 5
_DAY = timedelta(days=1)


class Wishes(msgspec.Struct, frozen=True):
    """Kinds of channels in the order to try them, none for the inbox alone; times are of the city's day. `quiet`: from
    and until, possibly past midnight."""

    channels: Sequence[str]
    quiet: tuple[time, time] | None = None
    digest_at: time | None = None

    def due(self, since: datetime, now: datetime, zone: ZoneInfo) -> datetime:
        """When what came up at `since` may go to the phone: `now`, or the later moment to wait for."""
        moment = now.astimezone(zone)
        if self.digest_at is not None:
            moment = max(moment, _next(self.digest_at, since.astimezone(zone)))
        if self.quiet is not None and is_within(moment.time(), self.quiet):
            moment = _next(self.quiet[1], moment)
        return moment


def is_within(at: time, quiet: tuple[time, time]) -> bool:
    """Whether a time of day lies in quiet hours; their end does not."""
    start, end = quiet
    return start <= at < end if start < end else at >= start or at < end


def digest(told: Sequence[tuple[str, Mapping[str, object]]], language: Language) -> str:
    """The words of several messages as one, the agencies' own words left to the inbox."""
    lines = [
        rendered(key, {name: params[name] for name in ("number", "service") if name in params}, language)
        for key, params in told[:TOLD_IN_FULL]
    ]
    if len(told) > TOLD_IN_FULL:
        lines.append(text("inbox.digest_more", language, {"count": len(told) - TOLD_IN_FULL}))
    return "\n".join((text("inbox.digest", language, {"count": len(told)}), *(f"- {line}" for line in lines)))


def wishes_of(row: Mapping[str, Any]) -> Wishes:
    quiet = None if row["quiet_from"] is None else (row["quiet_from"], row["quiet_until"])
    return Wishes(row["channels"], quiet, row["digest_at"])


def _next(at: time, after: datetime) -> datetime:
    """The first moment not before `after` at which it is `at` o'clock."""
    today = after.replace(hour=at.hour, minute=at.minute, second=0, microsecond=0)
    return today if today >= after else today + _DAY
