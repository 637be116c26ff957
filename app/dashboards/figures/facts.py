"""What one case's events say, and the cells it counts in: the whole definition of every figure stands here."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple, Self
from zoneinfo import ZoneInfo

import msgspec

from app.dashboards.figures.periods import GRAINS, start_of
from app.surveys.elements import COLUMNS
from app.workdays import working_days_after

# Ended by the agency: what became of it is its work. A citizen who withdraws, or never answers, ends a case too.
DECIDED = ("completed", "rejected")


class Cell(NamedTuple):
    """One number's place."""

    grain: str
    starts_on: date
    agency: str
    service: str
    measure: str
    value: str


class Facts(msgspec.Struct, frozen=True):
    """Of one case. Days are the city's. `due_on`: what was promised, None where nothing was and while the citizen is
    asked; `reason`: why refused."""

    agency: str
    service: str
    handed_in_on: date | None = None
    due_on: date | None = None
    ended_on: date | None = None
    outcome: str | None = None
    reason: str | None = None
    rated_on: date | None = None
    score: int | None = None
    surveyed_on: date | None = None
    answers: list[int] | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any], zone: ZoneInfo, *, promises: bool) -> Self:
        """Of a row of what the events say. `promises`: whether the service's time limit is about when a case ends."""
        answers = [row[column] for column in COLUMNS]
        surveyed = answers[0] is not None
        return cls(
            agency=row["agency"],
            service=row["service"],
            handed_in_on=_day(row["handed_in_at"], zone),
            due_on=row["due_on"] if promises else None,
            ended_on=_day(row["ended_at"], zone),
            outcome=row["outcome"],
            reason=(row["reason"] or "other") if row["outcome"] == "rejected" else None,
            rated_on=_day(row["rated_at"], zone),
            score=row["score"],
            surveyed_on=_day(row["answered_at"], zone) if surveyed else None,
            answers=answers if surveyed else None,
        )

    def cells(self) -> Iterator[Cell]:
        """Each counts one. Of a draft there is none."""
        if self.handed_in_on is None:
            return
        if self.ended_on is None:
            due = self.due_on.isoformat() if self.due_on else ""
            yield Cell("day", self.handed_in_on, self.agency, self.service, "open", due)
        for day, measure, value in self._told(self.handed_in_on):
            for grain in GRAINS:
                yield Cell(grain, start_of(day, grain), self.agency, self.service, measure, value)

    def _told(self, handed_in_on: date) -> Iterator[tuple[date, str, str]]:
        yield handed_in_on, "handed_in", ""
        if self.ended_on and self.outcome:
            yield self.ended_on, "ended", self.outcome
            if self.outcome in DECIDED:
                yield self.ended_on, "days", str(working_days_after(handed_in_on, self.ended_on))
                if self.due_on:
                    yield self.ended_on, "on_time", "yes" if self.ended_on <= self.due_on else "no"
        if self.ended_on and self.reason:
            yield self.ended_on, "reason", self.reason
        if self.rated_on and self.score:
            yield self.rated_on, "score", str(self.score)
        if self.surveyed_on and self.answers:
            for column, answer in zip(COLUMNS, self.answers, strict=True):
                yield self.surveyed_on, column, str(answer)


def _day(moment: datetime | None, zone: ZoneInfo) -> date | None:
    return moment.astimezone(zone).date() if moment else None
