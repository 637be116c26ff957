"""The worker's side of handing over: one try of one delivery, and what each outcome means for the case."""

import asyncio
import logging
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from app.backends.actions import QUEUE_PREFIX
from app.backends.pace import NoTurn
from app.cases import claims
from app.cases.attempts import sealed
from app.cases.casedata import case_data, load_files
from app.cases.claims import Busy, Claim, Outcome, Stale, delivered
from app.cases.gates import Gate, Gates, Pass
from app.cases.giving_up import GIVE_UP_AFTER_H
from app.cases.handover import DeliveryJob
from app.cases.models import PAYLOAD_CONTEXT
from app.cases.settle import NOT_REACHED, settle_case
from app.cases.timeline import CHANNEL
from app.cases.tools import CaseTools
from app.database import AWAY
from app.errors import AgencyRejected, AgencyUnavailable, NotOffered, OutcomeUnknown
from app.exchanges import noted_in
from app.jobs import RetryLater, wake_queue
from app.tracing import note, note_failure

log = logging.getLogger("loket.delivery")

GIVE_UP_AFTER = timedelta(hours=GIVE_UP_AFTER_H)
# Tries of one delivery that ended in a way nobody foresaw, or with the death of the worker that made them.
MOST_SURPRISES = 5
# What its backend cannot take waits a twentieth as long as it has waited already, at most a minute: alone in the queue
# it is the one that notices the backend's return, and the breaker keeps it from asking too often.
WAIT_SHARE = 1 / 20
SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.25, 60.0
PATIENCE_S = 20.0
# A lost answer is looked up soon, but not before the agency's own transaction had time to end.
LOOK_AGAIN_S = 1.0
# Under maintenance a delivery looks again after this; where an operator ends it, what waits is woken.
LONGEST_STAY_S = 15.0
# A turn further away than this is waited for in the queue.
LONGEST_TURN_S = 2.0
NOT_ASKED = ("breaker_open", "busy", "rate")


class Share(msgspec.Struct, frozen=True):
    """What deliveries may have of a backend: `places` at once from this process for each operation, so many
    submissions a second from all processes together."""

    places: int
    per_second: float


class Deliverer:
    """Runs delivery jobs in one worker process."""

    def __init__(self, tools: CaseTools, shares: Mapping[str, Share]) -> None:
        self._tools = tools
        self._shares = shares
        self._gates = Gates()
        self._places: dict[tuple[str, str], asyncio.Semaphore] = {}
        self._waking: set[asyncio.Task[None]] = set()
        tools.backends.breakers.when_back(self._back)

    async def run(self, backend: str, job: DeliveryJob) -> None:
        """One try. Raises RetryLater while the delivery is not settled.

        A job that waits for a place is not claimed yet, so its lease does not run; settling needs no place any more.
        """
        await self._stay_out(backend, job)
        place = (backend, job.operation)
        if place not in self._places:
            self._places[place] = asyncio.Semaphore(self._shares[backend].places)
        async with self._places[place]:
            tried = await self._claim_and_try(backend, job)
        if tried is None:
            return
        held, outcome = tried
        service = held.row["service"]
        note({"loket.service": service, "loket.operation": held.operation, "loket.delivery": outcome.state})
        if outcome.state == "needs_operator" or outcome.attempt == "failed":
            note_failure(outcome.reason or "failed")
        await self._settle(held, outcome)
        if outcome.retry_in_s is not None:
            raise RetryLater(outcome.retry_in_s, outcome.reason or outcome.state)

    def _back(self, backend: str) -> None:
        """Whoever waits at its gates, or was put off in its queue, tries now."""
        for (name, _), gate in self._gates.items():
            if name == backend:
                gate.hasten()
        waking = asyncio.create_task(self._wake(backend), name="waking")
        self._waking.add(waking)
        waking.add_done_callback(self._waking.discard)

    async def _wake(self, backend: str) -> None:
        try:
            async with self._tools.database.begin() as connection:
                await wake_queue(connection, QUEUE_PREFIX + backend)
        except AWAY as error:
            log.warning("what waits for %s was not woken: %s", backend, type(error).__name__)

    async def _stay_out(self, backend: str, job: DeliveryJob) -> None:
        """Raises RetryLater while the backend, or the case's service, is under maintenance or paused."""
        controls = self._tools.backends.controls
        if not controls.concerns(backend):
            return
        # As it stands now: whoever ended it has woken what waited, and that must not go back to wait.
        [standing] = await self._tools.database.fetch(_MAINTENANCE, job.delivery_id, backend)
        if standing["left_s"] is not None:
            wait_s = min(standing["left_s"], LONGEST_STAY_S)
            raise RetryLater(wait_s + random.uniform(0.1, 2.0), "maintenance")  # noqa: S311 - jitter

    async def _claim_and_try(self, backend: str, job: DeliveryJob) -> tuple[Claim, Outcome] | None:
        """None where there is nothing left to do. Raises RetryLater where it cannot be tried now."""
        gate = self._gates[backend, job.operation]
        entered = await gate.enter(PATIENCE_S)
        if entered is None:
            raise RetryLater(random.uniform(0.1, 1.0), "backend is down")  # noqa: S311 - jitter
        try:
            if job.operation == "submit":
                await self._turn(backend)
            held = await self._claim(job)
        except BaseException:
            gate.step_back(entered)
            raise
        if held is None:
            gate.step_back(entered)
            return None
        return held, await self._try(held, gate, entered)

    async def _turn(self, backend: str) -> None:
        try:
            per_second = self._shares[backend].per_second
            await self._tools.backends.pace.turn(f"deliver.{backend}", per_second, LONGEST_TURN_S)
        except NoTurn as none:
            raise RetryLater(none.wait_s * random.uniform(0.5, 1.0), "rate") from None  # noqa: S311 - jitter

    async def _claim(self, job: DeliveryJob) -> Claim | None:
        try:
            async with self._tools.database.connection() as connection:
                return await claims.claim(connection, job.delivery_id, told=self._tools.told)
        except Busy as busy:
            # Spread by a little, not by a share: a lease that ends in 30 s is taken over then, and not after 45.
            raise RetryLater(busy.seconds + random.uniform(0.0, 0.5), "taken") from None  # noqa: S311 - jitter

    async def _try(self, held: Claim, gate: Gate, entered: Pass) -> Outcome:
        """Ask the agency, and put whatever comes back into an Outcome."""
        if held.surprises >= MOST_SURPRISES:
            gate.step_back(entered)
            return self._parked()
        started = asyncio.get_running_loop().time()
        try:
            with noted_in(held.said):
                outcome = await self._hand_over(held)
            gate.answered()
        except AgencyUnavailable as error:
            if held.said.is_over:
                gate.step_back(entered)
            else:
                gate.failed(entered, error.retry_after_s)
            return self._again(held, error)
        except OutcomeUnknown as error:
            gate.step_back(entered)
            return self._lost(held, error)
        except AgencyRejected as error:
            gate.answered()
            return self._refused(held, error)
        except NotOffered as error:
            gate.answered()
            return Outcome(state="needs_operator", unknown=held.unknown, reason="by_hand", detail=error.detail)
        except asyncio.CancelledError:
            # Were it the one that is let through to try, nobody would be again.
            gate.step_back(entered)
            raise
        except Stale:
            # Taken over before it was sent again: settling it will say so.
            gate.step_back(entered)
            return Outcome(state="delivering", unknown=True)
        except Exception:
            gate.step_back(entered)
            log.exception("delivery failed in a way nobody foresaw: %s", held.id)
            return self._surprised(held)
        log.info("delivery %s %s in %.3f s", held.id, outcome.state, asyncio.get_running_loop().time() - started)
        return outcome

    async def _hand_over(self, held: Claim) -> Outcome:
        handler = self._tools.modules[held.row["module"]].handler
        if held.operation != "submit":
            return await self._tell(held)
        if held.unknown:
            found = await self._look(held)
            if found is not None:
                return found
            if (wait_s := self._late_effect_s(held) - held.sent_s_ago) > 0:
                # Nothing there, yet: what was sent may still be at work over there, so it is not sent again so soon.
                return Outcome(state="delivering", unknown=True, detail=_NOTHING_YET, retry_in_s=wait_s)
            if self._is_immediate(held):
                # Nobody waits for it any more: what did not happen then must not happen now, unasked.
                return Outcome(state="rejected", reason=NOT_REACHED)
            async with self._tools.database.connection() as connection:
                await claims.send_again(connection, held)
        if held.row["status"] == "withdrawn":
            return Outcome(state="rejected", reason="withdrawn")
        files = await load_files(held.row, self._tools)
        return delivered(await handler.submit(case_data(held.row, self._tools, files)))

    def _late_effect_s(self, held: Claim) -> float:
        """How long what was sent is only looked for. The longer nothing comes of it, the more seldom it is sent: each
        sending may have an effect that the agency does not show us."""
        return max(self._tools.late_effects_s[held.backend], min(held.sent_after_s / 4, LONGEST_WAIT_S))

    def _is_immediate(self, held: Claim) -> bool:
        service = self._tools.catalog.find(held.row["service"])
        return service is not None and service.manifest.delivery == "immediate"

    async def _look(self, held: Claim) -> Outcome | None:
        """After a lost answer: the outcome the backend shows, None where it surely has nothing and it may be sent."""
        handler = self._tools.modules[held.row["module"]].handler
        async with self._tools.database.connection() as connection:
            if await claims.lane_is_murky(connection, held):
                detail = "another of this kind is unresolved"
                return Outcome(state="needs_operator", unknown=True, reason="cannot_tell", detail=detail)
            given = await claims.given_to_others(connection, held)
        case = msgspec.structs.replace(
            case_data(held.row, self._tools), sent_at=given.sent_at, given_before=given.before
        )
        try:
            receipt = await handler.find(case, [*given.before, *given.since])
        except (OutcomeUnknown, NotOffered, AgencyRejected) as error:
            if isinstance(error, AgencyRejected) and self._is_immediate(held):
                # Where none can be looked up it was asked for once more, and that was refused.
                raise
            # A refusal to say is no word about what was sent before.
            return Outcome(state="needs_operator", unknown=True, reason="cannot_tell", detail=error.detail)
        return delivered(receipt) if receipt else None

    async def _tell(self, held: Claim) -> Outcome:
        """An answer or a withdrawal: told once; a lost answer here is an officer's to look into."""
        if not held.row["agency_reference"]:
            return await self._after_submission(held)
        if held.operation == "answer" and held.row["status"] == "withdrawn":
            return Outcome(state="rejected", reason="withdrawn")
        handler = self._tools.modules[held.row["module"]].handler
        if held.unknown and not (held.operation == "withdraw" and handler.repeats_withdrawals):
            return Outcome(state="needs_operator", unknown=True, reason="cannot_tell")
        words = msgspec.json.decode(self._tools.vault.decrypt(held.payload_enc or b"", PAYLOAD_CONTEXT))
        case = case_data(held.row, self._tools)
        if held.operation == "answer":
            receipt = await handler.answer(case, words["question"], words["answer"])
        else:
            receipt = await handler.withdraw(case, words["reason"])
        return delivered(receipt)

    async def _after_submission(self, held: Claim) -> Outcome:
        async with self._tools.database.connection() as connection:
            [submission] = await connection.fetch(_SUBMISSION, held.case_id)
        standing = submission["state"]
        if standing == "rejected" and held.operation == "withdraw":
            # It never reached the agency: there is nothing to take back.
            return Outcome(state="rejected", reason="withdrawn")
        if standing == "delivered" and submission["agency_reference"]:
            # Since this was claimed.
            return Outcome(state="queued", retry_in_s=SHORTEST_WAIT_S, uncounted=True, attempt="waited")
        if standing in ("queued", "delivering"):
            waited_s = (datetime.now(UTC) - held.first_tried_at).total_seconds()
            wait_s = max(2.0, patience_s(waited_s))
            return Outcome(state="queued", retry_in_s=wait_s, uncounted=True, attempt="waited")
        return Outcome(state="needs_operator", reason="not_registered", detail=f"the submission is {standing}")

    def _refused(self, held: Claim, error: AgencyRejected) -> Outcome:
        """Of a case that the agency has, an answer or a withdrawal that it will not take is an officer's to see to: the
        case itself says that it was told."""
        if held.operation == "submit" or self._is_immediate(held):
            return Outcome(state="rejected", reason=error.code or "refused", detail=error.detail)
        return Outcome(state="needs_operator", reason="not_taken", detail=error.detail)

    def _lost(self, held: Claim, error: OutcomeUnknown) -> Outcome:
        if _is_over(held):
            return Outcome(state="needs_operator", unknown=True, reason="gave_up", detail=error.detail)
        return Outcome(state="delivering", unknown=True, detail=error.detail, retry_in_s=LOOK_AGAIN_S)

    def _again(self, held: Claim, error: AgencyUnavailable) -> Outcome:
        waited = datetime.now(UTC) - held.first_tried_at
        if _is_over(held):
            return Outcome(state="needs_operator", unknown=held.unknown, reason="gave_up", detail=error.detail)
        state = "delivering" if held.unknown else "queued"
        retry_in_s = patience_s(waited.total_seconds())
        if error.code in NOT_ASKED:
            return Outcome(
                state=state,
                unknown=held.unknown,
                detail=error.detail,
                retry_in_s=retry_in_s,
                uncounted=True,
                attempt="waited",
            )
        return Outcome(
            state=state, unknown=held.unknown, detail=error.detail, retry_in_s=retry_in_s, attempt="unavailable"
        )

    def _surprised(self, held: Claim) -> Outcome:
        if held.surprises + 1 >= MOST_SURPRISES:
            return self._parked()
        return Outcome(state="delivering", unknown=True, retry_in_s=2.0 ** (held.surprises + 1), attempt="failed")

    def _parked(self) -> Outcome:
        """Out of its neighbours' way, before an officer: perhaps sent, and what becomes of it is nowhere foreseen."""
        return Outcome(state="needs_operator", unknown=True, reason="failed")

    async def _settle(self, held: Claim, outcome: Outcome) -> None:
        numbers = (outcome.reference, held.row["agency_reference"])
        said = sealed(held.said, held.row, numbers, self._tools, held.payload_enc)
        outcome = msgspec.structs.replace(outcome, said=said)
        try:
            async with self._tools.database.connection() as connection:
                await settle_case(connection, held, outcome)
        except Stale:
            log.warning("delivery %s was taken over while this worker slept", held.id)
            return
        self._tools.valkey.announce(CHANNEL, str(held.case_id).encode())


def _is_over(held: Claim) -> bool:
    return datetime.now(UTC) - held.first_tried_at > GIVE_UP_AFTER


def patience_s(waited_s: float) -> float:
    """How long to wait after a call in vain, for what was first tried so long ago."""
    usual_s = min(max(waited_s * WAIT_SHARE, SHORTEST_WAIT_S), LONGEST_WAIT_S)
    return usual_s * random.uniform(0.75, 1.25)  # noqa: S311 - jitter


_MAINTENANCE = """
SELECT max(extract(epoch FROM coalesce(ends_at, 'infinity') - now()))::float AS left_s FROM maintenance_windows
WHERE backend IN ('', $2) AND starts_at <= now() AND (ends_at IS NULL OR ends_at > now()) AND service IN (
    '', (SELECT service FROM cases JOIN deliveries ON case_id = cases.id WHERE deliveries.id = $1)
)
"""
_NOTHING_YET = "nothing found yet; it is looked up once more when nothing can be at work over there any more"
_SUBMISSION = """
SELECT state, agency_reference FROM deliveries JOIN cases ON cases.id = case_id
WHERE case_id = $1 AND operation = 'submit' ORDER BY deliveries.id DESC LIMIT 1
"""
