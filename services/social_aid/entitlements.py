"""What a citizen's own household receives, asked of the agency for that citizen alone; and the programmes, for all."""

import logging
from collections.abc import Sequence
from typing import Literal
from uuid import UUID

import msgspec

from app.agency_reads import Reads, Seen, Wanted
from app.asking import SERVICE, asking, said_for
from app.audit.actions import AUDIT_COLUMNS, AuditEntry, record_on, values_of
from app.cases.casedata import require_unrestricted
from app.cases.tools import CaseTools
from app.errors import AgencyError, AgencyRejected, Conflict, NotFound, Unauthenticated, Unavailable
from app.login.models import NIK
from services.social_aid.port import HouseholdAid, Programme, SocialAidPort

log = logging.getLogger("loket.social_aid")

PURPOSE, LEGAL_BASIS = "household-aid", "uu-13-2011"
# What a reader of the whole is shown of the other members.
SHOWN = ("name", "relation", "decile", "entitlements")
BUDGET_S = 6.0
RETRY_AFTER_S = 30
# The agency's extract changes once a day at most; while it is down a day-old answer, marked, is better than none.
FRESH_S, ASKED_MEANWHILE_S, STALE_S = 300.0, 900.0, 86_400.0
_PROGRAMMES_FRESH_S = 3_600.0
_REST_S = 5.0
_MY_NIK = f"SELECT nik_enc, restricted_at FROM citizens WHERE id = $1 AND {said_for('$1')}"  # noqa: S608 - a constant of ours
# The rows of all other members who have an account, in one statement; the entry's own subject is left out.
_RECORD_OTHERS = f"""
INSERT INTO audit_rows ({AUDIT_COLUMNS})
SELECT $1, $2, $3, citizens.id, $5, $6, $7, $8, $9::jsonb, $10 FROM citizens
WHERE nik_index = ANY($11::bytea[]) AND citizens.id <> $4
"""  # noqa: S608 - constants of ours


class Told(msgspec.Struct, frozen=True):
    """What the agency answers. None: it knows no household of this person, which is an answer too and ends the last."""

    household: HouseholdAid | None


class Listed(msgspec.Struct, frozen=True):
    """The programmes; failed: the agency could not be asked, and has not told lately."""

    state: Literal["fresh", "stale", "failed"]
    programmes: Sequence[Programme] = ()


class Household(msgspec.Struct, frozen=True):
    """A reader's own household, and the reader's NIK in it."""

    seen: Seen[Told]
    aid: HouseholdAid
    reader_nik: str


async def read_household(citizen_id: UUID, port: SocialAidPort, cases: CaseTools) -> Household:
    """The household that the citizen's own NIK belongs to at the agency. Each question to the agency is on record with
    what it was told; each look at other members with those of them who have an account here.

    Raises NotFound where the agency knows none, Conflict where it refuses, Unavailable; Forbidden while the citizen has
    restricted it; Unauthenticated where the account is gone although its token still holds.
    """
    _, household = await find_household(citizen_id, port, cases)
    if household is None:
        raise NotFound("aid_household_unknown")
    return household


async def find_household(
    citizen_id: UUID, port: SocialAidPort, cases: CaseTools, shown: Sequence[str] = SHOWN
) -> tuple[Seen[Told], Household | None]:
    """The same, with None where the agency knows none, and when it said so. `shown`: what of the other members' is."""
    rows = await cases.database.fetch_said(_MY_NIK, citizen_id)
    if not rows:
        raise Unauthenticated("token_invalid")
    require_unrestricted(rows[0])
    reader_nik = cases.vault.decrypt(rows[0]["nik_enc"], NIK).decode()

    async def ask() -> Told:
        await _record_question(citizen_id, cases)
        return Told(await port.household_aid(reader_nik))

    try:
        seen = await cases.reads.get(_wanted(citizen_id), Told, ask)
    except AgencyRejected:
        raise Conflict("aid_refused") from None
    except AgencyError:
        raise Unavailable("agency_unavailable", retry_after_s=RETRY_AFTER_S) from None
    aid = seen.value.household
    if aid is None:
        return seen, None
    if reader_nik not in (niks := [member.nik for member in aid.members]):
        log.error("the agency told of a household that its asker is no member of")
        return seen, None
    look = _look(citizen_id, aid, shown, cases)
    await _record_others(look, [nik for nik in niks if nik != reader_nik], cases)
    return seen, Household(seen, aid, reader_nik)


async def read_programmes(port: SocialAidPort, reads: Reads) -> Listed:
    """The agency's programmes, an hour old at most where it answers."""

    async def ask() -> tuple[Programme, ...]:
        return tuple(await port.programmes())

    wanted = Wanted(
        what="social_aid.programmes",
        fresh_s=_PROGRAMMES_FRESH_S,
        revalidate_s=STALE_S - _PROGRAMMES_FRESH_S,
        stale_s=STALE_S,
        rest_s=_REST_S,
        budget_s=BUDGET_S,
    )
    try:
        seen = await reads.get(wanted, tuple[Programme, ...], ask)
    except AgencyError:
        return Listed("failed")
    return Listed("stale" if seen.is_stale else "fresh", seen.value)


def _wanted(citizen_id: UUID) -> Wanted:
    """Who asks is whom it is about: another member's question is another one."""
    who = str(citizen_id)
    return Wanted(
        what="social_aid.household",
        subject=who,
        actor=who,
        fresh_s=FRESH_S,
        revalidate_s=ASKED_MEANWHILE_S,
        stale_s=STALE_S,
        rest_s=_REST_S,
        budget_s=BUDGET_S,
    )


async def _record_question(citizen_id: UUID, cases: CaseTools) -> None:
    """Before the agency is told whom it is asked about."""
    entry = AuditEntry(
        actor_kind="citizen",
        actor_id=str(citizen_id),
        action="social_aid.asked",
        subject_id=citizen_id,
        object_kind="agency",
        object_id="dinsos",
        purpose=PURPOSE,
        legal_basis=LEGAL_BASIS,
        fields=("nik",),
    )
    async with cases.database.begin() as connection:
        await record_on(connection, entry)


def _look(citizen_id: UUID, aid: HouseholdAid, shown: Sequence[str], cases: CaseTools) -> AuditEntry:
    """A member's look at what the others have; the household's key stands in it in a form that leads nowhere."""
    return AuditEntry(
        actor_kind="citizen",
        actor_id=str(citizen_id),
        action="social_aid.read",
        subject_id=citizen_id,
        object_kind="household",
        object_id=cases.vault.lasting_name("social_aid.household", aid.reference).hex()[:32],
        purpose=PURPOSE,
        legal_basis=LEGAL_BASIS,
        fields=tuple(shown),
    )


async def _record_others(look: AuditEntry, niks: Sequence[str], cases: CaseTools) -> None:
    """They are its subjects. Who has no account here has no row, and is in no log that anybody could read."""
    if not niks:
        return
    indexes = [cases.vault.index("nik", nik) for nik in niks]
    with asking(SERVICE):
        await cases.database.fetch(_RECORD_OTHERS, *values_of(look), indexes)
