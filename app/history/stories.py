"""What became of one case, drawn along the arrows of app.cases.states: whatever would come after now has not yet."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec

from app.cases.port import Status
from app.history.clock import DAY_S, Clock

HOUR_S = 3600.0
# An agency gives up waiting for an answer after so long.
UNANSWERED_S = 30 * DAY_S
NOT_REACHED = "agency_unavailable"


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why an agency says no: one code of app.cases.refusals, in some of its own words."""

    code: str
    share: int
    words: Sequence[str]


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """words.toml."""

    steps: Sequence[str]
    questions: Sequence[str]
    answers: Sequence[str]
    withdrawals: Sequence[str]
    comments: Sequence[str]
    refusal: Sequence[Refusal]
    at_once: Mapping[str, int]


class Offer(msgspec.Struct, frozen=True):
    """A service as its cases go. `days`: what it promises; `pace`: how much of that it mostly takes; `strict`: how
    often it refuses."""

    slug: str
    days: int | None
    immediate: bool
    pace: float
    strict: float


class Event(NamedTuple):
    """One line to be; `words` are people's, sealed when it is written under the name `named`."""

    at: float
    kind: str
    status: Status
    words: str = ""
    named: str = ""
    code: str = ""
    step: str = ""


class Story(NamedTuple):
    """Its lines in order. `receipt` is the delivery's state, `reason` why it was refused at once; `score` from 1 to 5
    and `answers` to the nine questions where they were given."""

    events: list[Event]
    receipt: str | None
    reason: str | None
    score: int | None
    answers: tuple[int, ...] | None


def read_words() -> Words:
    return msgspec.toml.decode((Path(__file__).parent / "words.toml").read_bytes(), type=Words)


class Teller:
    """Draws stories."""

    def __init__(self, clock: Clock, words: Words, rng: Random) -> None:
        self._clock, self._words, self._rng = clock, words, rng

    def tell(self, offer: Offer, at: float) -> Story:
        """The case of an offer that was handed in then."""
        recent = self._clock.now - at < 20 * DAY_S
        if recent and not offer.immediate and self._rng.random() < 0.06:
            return Story([Event(at, "created", "draft")], None, None, None, None)
        told, receipt, reason = self._ticket(at) if offer.immediate else self._review(offer, at)
        # Whoever handed in has been told by now what became of handing it over.
        told[1] = told[1]._replace(at=min(told[1].at, self._clock.now))
        begun = [event for event in told if event.at <= self._clock.now]
        if len(begun) < len(told) or begun[-1].status not in _ENDED:
            return Story(begun, receipt, reason, None, None)
        return self._judged(offer, begun, receipt, reason)

    def _ticket(self, at: float) -> tuple[list[Event], str, str | None]:
        """Taken within the request, used a few days later, known to be over on the next day."""
        rng, clock = self._rng, self._clock
        events = [Event(at, "submitted", "submitted")]
        given_at = at + 0.4 + rng.random()
        chance = rng.random()
        if chance < 0.05:
            codes = self._words.at_once
            reason = rng.choices(list(codes), weights=list(codes.values()))[0]
            return [*events, Event(given_at, "delivery_rejected", "rejected", code=reason)], "rejected", reason
        if chance < 0.065:
            code = NOT_REACHED
            return [*events, Event(given_at + 4, "not_reached", "expired", code=code)], "rejected", code
        events.append(Event(given_at, "delivered", "in_review"))
        visit = clock.at_work(at + 2 * HOUR_S, rng.choices((0, 1, 2, 3, 5), weights=(30, 40, 15, 10, 5))[0], rng)
        if chance < 0.13:
            left_at = given_at + (visit - given_at) * rng.random()
            return [*events, Event(left_at, "withdrawn", "withdrawn")], "delivered", None
        over = visit + HOUR_S * (1 + 5 * rng.random())
        missed = chance < 0.2
        events.append(Event(over, "expired", "expired") if missed else Event(over, "completed", "completed"))
        return events, "delivered", None

    def _review(self, offer: Offer, at: float) -> tuple[list[Event], str, str | None]:
        """Handed over within seconds, reviewed step by step, decided; with a question now and then."""
        rng, clock = self._rng, self._clock
        events = [Event(at, "submitted", "submitted")]
        # Where its system is out of reach, it waits for hours.
        handed_at = at + (rng.lognormvariate(1.2, 0.8) if rng.random() > 0.03 else HOUR_S * (0.5 + 20 * rng.random()))
        chance = rng.random()
        if chance < 0.012:
            reason = rng.choice(("refused", "already_there"))
            refused = Event(handed_at, "delivery_rejected", "rejected", code=reason)
            return [*events, refused], "rejected", reason
        events.append(Event(handed_at, "delivered", "submitted"))
        if clock.now - at < 12 * DAY_S and rng.random() < 0.02:
            return [*events, Event(handed_at + 90, "with_officer", "submitted")], "needs_operator", None
        took = self._took(offer)
        begun = clock.at_work(handed_at, min(took, 1 if rng.random() < 0.7 else 2), rng)
        events.append(Event(begun, "in_review", "in_review"))
        decided = max(clock.at_work(at, took, rng), begun + HOUR_S)
        if chance < 0.04:
            left = begun + (decided - begun) * rng.random()
            events.append(Event(left, "withdrawn", "withdrawn", rng.choice(self._words.withdrawals), "reason"))
            return events, "delivered", None
        if rng.random() < 0.12:
            asked = begun + (decided - begun) * 0.4
            waited = self._asked(events, asked)
            if waited < 0:
                return events, "delivered", None
            begun, decided = asked + waited, decided + waited
        self._steps(events, begun, decided)
        self._decided(offer, events, decided)
        return events, "delivered", None

    def _took(self, offer: Offer) -> int:
        """Working days to the decision: most within what is promised, some far beyond."""
        promised = offer.days or 5
        took = self._rng.lognormvariate(math.log(max(0.6, promised * offer.pace)), 0.42)
        if self._rng.random() < 0.035:
            took *= 2 + 4 * self._rng.random()
        return min(220, round(took))

    def _asked(self, events: list[Event], asked: float) -> float:
        """How long the citizen took to answer; below zero where no answer came."""
        rng = self._rng
        events.append(Event(asked, "needs_citizen", "needs_citizen", rng.choice(self._words.questions), "question"))
        if rng.random() < 0.1:
            events.append(Event(asked + UNANSWERED_S, "expired", "expired"))
            return -1
        waited = DAY_S * min(28.0, rng.lognormvariate(0.2, 1.0))
        events.append(Event(asked + waited, "answered", "in_review", rng.choice(self._words.answers), "answer"))
        return waited

    def _steps(self, events: list[Event], begun: float, decided: float) -> None:
        between = self._words.steps[:-1]
        for number, label in enumerate(between, 1):
            at = begun + (decided - begun) * number / (len(between) + 1)
            events.append(Event(at, "step", "in_review", label, "label", step=f"s{number}"))

    def _decided(self, offer: Offer, events: list[Event], at: float) -> None:
        rng = self._rng
        if rng.random() < offer.strict:
            refusal = rng.choices(self._words.refusal, weights=[one.share for one in self._words.refusal])[0]
            events.append(Event(at, "rejected", "rejected", rng.choice(refusal.words), "reason", refusal.code))
            return
        events.append(Event(at, "approved", "approved"))
        given = self._clock.at_work(at, rng.choices((0, 1, 2), weights=(60, 30, 10))[0], rng)
        events.append(Event(given, "step", "approved", self._words.steps[-1], "label", step="s9"))
        events.append(Event(given + 60, "completed", "completed"))

    def _judged(self, offer: Offer, events: list[Event], receipt: str, reason: str | None) -> Story:
        """With what its citizen thought of it, where they said so."""
        rng, ended = self._rng, events[-1]
        if ended.status == "withdrawn":
            return Story(events, receipt, reason, None, None)
        pleased = self._pleased(offer, events)
        score: int | None = None
        answers: tuple[int, ...] | None = None
        at = ended.at + HOUR_S * rng.lognormvariate(2.0, 1.4)
        if rng.random() < 0.3 and at < self._clock.now:
            score = min(5, max(1, round(1 + 4 * pleased + rng.gauss(0, 0.5))))
            events.append(Event(at, "rated", ended.status, rng.choice(self._words.comments), "comment"))
        at += 30 + 300 * rng.random()
        if rng.random() < (0.5 if score else 0.06) and at < self._clock.now:
            answers = tuple(
                min(4, max(1, round(1 + 3 * (pleased + leaning) + rng.gauss(0, 0.45)))) for leaning in _LEANINGS
            )
            events.append(Event(at, "surveyed", ended.status))
        return Story(events, receipt, reason, score, answers)

    def _pleased(self, offer: Offer, events: Sequence[Event]) -> float:
        """From 0 to 1: who got it, and soon, is."""
        got = 0.8 if events[-1].status == "completed" else 0.5
        took = (events[-1].at - events[0].at) / DAY_S
        late = 0.0 if offer.immediate else max(0.0, took / max(1.0, 1.6 * (offer.days or 5)) - 1)
        return max(0.0, got - min(0.4, 0.25 * late) - 0.06 * (offer.pace - 0.6))


_ENDED = ("completed", "rejected", "withdrawn", "expired")
# What people mind more and less than the rest, from U1 to U9.
_LEANINGS = (-0.03, 0.0, -0.06, 0.12, 0.03, 0.06, 0.08, -0.02, 0.0)
