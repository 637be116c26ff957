"""Proving issued licences: for the citizen whose it is, and for anybody who was shown its number."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote
from uuid import UUID

import msgspec
from sqlalchemy.dialects.postgresql import insert

from app.agency_reads import Reads, Seen, Wanted
from app.cases.casedata import require_unrestricted
from app.database import Database, utc_now
from app.errors import AgencyError, Conflict, NotFound, Unavailable
from app.privacy import Vault, mask_name
from services.permits.cases import MODULE, WIB
from services.permits.models import HOLDER, PermitLicence
from services.permits.port import Licence, PermitsPort
from services.permits.schemas import LicenceCheck, Validity

PROOF_BUDGET_S = 5.0
RETRY_AFTER_S = 30
NUMBER_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9 ./_,()-]{1,78}[A-Za-z0-9)]$"

# A proof read again within this time is not written again, unless it says something else.
_PROOF_KEPT = timedelta(minutes=10)
PROOF_SHARED_S = 1.0
_CHECK_KEPT_S = 60.0
_CHECK_STALE_S = 600.0
_WITHOUT_LICENCE = ("draft", "rejected", "withdrawn", "expired")
_MINE = """
SELECT cases.number AS case_number, service, status, agency_reference, product->>'licence_number' AS told_number,
       kept.number, permit, holder_enc, issued_on, valid_until, proven_at, restricted_at
FROM cases JOIN citizens ON citizens.id = citizen_id LEFT JOIN permit_licences AS kept ON kept.case_id = cases.id
WHERE cases.id = $1 AND citizen_id = $2 AND module = $3
"""


class Proof(msgspec.Struct, frozen=True):
    """The licence of a case as the agency's system proved it: now (`fresh`), or at `licence.proven_at` (`stale`)."""

    case_number: str
    service: str
    licence: Licence
    state: Literal["fresh", "stale"]


class Licences:
    """Licences of cases, each with its last proof kept for when the agency's system cannot be asked."""

    def __init__(self, port: PermitsPort, reads: Reads, database: Database, vault: Vault) -> None:
        self._port = port
        self._reads = reads
        self._database = database
        self._vault = vault

    async def prove(self, case_id: UUID, citizen_id: UUID) -> Proof:
        """The licence of a citizen's own case.

        Raises NotFound (no such case of theirs), Conflict (none issued, or the agency does not know it any more) and
        Unavailable (the agency cannot be asked and never proved it before). No transaction is open during the asking.
        """
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_MINE, case_id, citizen_id, MODULE)
        if row is None:
            raise NotFound("case_not_found")
        require_unrestricted(row)
        kept = self._kept(row)
        asked = Wanted(
            what="permits.licence",
            subject=str(citizen_id),
            actor=str(citizen_id),
            scope=str(case_id),
            fresh_s=PROOF_SHARED_S,
            budget_s=PROOF_BUDGET_S,
        )
        try:
            licence = (await self._reads.get(asked, Licence, lambda: self._ask(row))).value
        except AgencyError:
            if kept is None:
                raise Unavailable("agency_unavailable", retry_after_s=RETRY_AFTER_S) from None
            return Proof(row["case_number"], row["service"], kept, "stale")
        if kept is None or licence.proven_at - kept.proven_at > _PROOF_KEPT or not _says_the_same(licence, kept):
            await self._keep(case_id, licence)
        return Proof(row["case_number"], row["service"], licence, "fresh")

    async def _ask(self, row: Mapping[str, Any]) -> Licence:
        number = row["told_number"] or row["number"]
        if not number and row["agency_reference"] and row["status"] not in _WITHOUT_LICENCE:
            number = await self._port.licence_number(row["agency_reference"])
        if not number:
            raise Conflict("licence_not_issued")
        licence = await self._port.licence(number)
        if licence is None:
            raise Conflict("licence_not_known")
        return licence

    def _kept(self, row: Mapping[str, Any]) -> Licence | None:
        if row["number"] is None:
            return None
        return Licence(
            number=row["number"],
            permit=row["permit"],
            holder=self._vault.decrypt(row["holder_enc"], HOLDER).decode(),
            issued_on=row["issued_on"],
            valid_until=row["valid_until"],
            proven_at=row["proven_at"],
        )

    async def _keep(self, case_id: UUID, licence: Licence) -> None:
        values = {
            "number": licence.number,
            "permit": licence.permit,
            "holder_enc": self._vault.encrypt(licence.holder.encode(), HOLDER),
            "issued_on": licence.issued_on,
            "valid_until": licence.valid_until,
            "proven_at": licence.proven_at,
        }
        statement = insert(PermitLicence).values(case_id=case_id, **values)
        async with self._database.transaction() as session:
            await session.execute(statement.on_conflict_do_update(index_elements=["case_id"], set_=values))


def check_url(issuer: str, number: str) -> str:
    """Where anybody may check a licence's number."""
    return f"{issuer}/v1/permits/check?number={quote(number, safe='')}"


def recent_check(number: str, reads: Reads) -> LicenceCheck | None:
    """The answer of the last minute, where this process has it."""
    seen: Seen[LicenceCheck] | None = reads.recent(_check_wanted(number))
    return seen.value if seen else None


async def check(number: str, port: PermitsPort, reads: Reads) -> LicenceCheck:
    """What anybody may know of a number: the agency's answer now, or its last of some minutes ago where it cannot be
    asked. Raises Unavailable."""

    async def ask() -> LicenceCheck:
        return _checked(number, await port.licence(number))

    try:
        return (await reads.get(_check_wanted(number), LicenceCheck, ask)).value
    except AgencyError:
        raise Unavailable("agency_unavailable", retry_after_s=RETRY_AFTER_S) from None


def _check_wanted(number: str) -> Wanted:
    """Strangers ask after numbers one by one: two processes are seldom asked for the same, and to tell each other would
    cost more than the asking."""
    return Wanted(
        what="permits.check",
        scope=number,
        fresh_s=_CHECK_KEPT_S,
        stale_s=_CHECK_STALE_S,
        budget_s=PROOF_BUDGET_S,
        shared=False,
    )


def validity(licence: Licence) -> Validity:
    """Whether it still holds today, as far as the agency's system says until when."""
    if licence.valid_until is None:
        return "unknown"
    return "valid" if datetime.now(WIB).date() <= licence.valid_until else "expired"


def _checked(number: str, licence: Licence | None) -> LicenceCheck:
    if licence is None:
        return LicenceCheck(number=number, genuine=False, validity="unknown", as_of=utc_now())
    return LicenceCheck(
        number=licence.number,
        genuine=True,
        validity=validity(licence),
        as_of=licence.proven_at,
        permit=licence.permit,
        holder=mask_name(licence.holder),
        issued_on=licence.issued_on,
        valid_until=licence.valid_until,
    )


def _says_the_same(licence: Licence, kept: Licence) -> bool:
    return msgspec.structs.replace(licence, proven_at=kept.proven_at) == kept
