"""Proving issued licences: for the citizen whose it is, and for anybody who was shown its number."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote
from uuid import UUID

import msgspec
from sqlalchemy.dialects.postgresql import insert

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
_CHECK_KEPT_S = 60.0
_MOST_CHECKS = 10_000
_WITHOUT_LICENCE = ("draft", "rejected", "withdrawn", "expired")
_MINE = """
SELECT cases.number AS case_number, service, status, agency_reference, product->>'licence_number' AS told_number,
       kept.number, permit, holder_enc, issued_on, valid_until, proven_at
FROM cases LEFT JOIN permit_licences AS kept ON kept.case_id = cases.id
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

    def __init__(self, port: PermitsPort, database: Database, vault: Vault, issuer: str) -> None:
        self._port = port
        self._database = database
        self._vault = vault
        self._issuer = issuer

    async def prove(self, case_id: UUID, citizen_id: UUID) -> Proof:
        """The licence of a citizen's own case.

        Raises NotFound (no such case of theirs), Conflict (none issued, or the agency does not know it any more) and
        Unavailable (the agency cannot be asked and never proved it before). No transaction is open during the asking.
        """
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_MINE, case_id, citizen_id, MODULE)
        if row is None:
            raise NotFound
        kept = self._kept(row)
        try:
            async with asyncio.timeout(PROOF_BUDGET_S):
                licence = await self._ask(row)
        except (AgencyError, TimeoutError):
            if kept is None:
                raise Unavailable("agency_unavailable", retry_after_s=RETRY_AFTER_S) from None
            return Proof(row["case_number"], row["service"], kept, "stale")
        if kept is None or licence.proven_at - kept.proven_at > _PROOF_KEPT or not _says_the_same(licence, kept):
            await self._keep(case_id, licence)
        return Proof(row["case_number"], row["service"], licence, "fresh")

    def check_url(self, number: str) -> str:
        """Where anybody may check a licence's number."""
        return f"{self._issuer}/v1/permits/check?number={quote(number, safe='')}"

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


class PublicChecks:
    """What anybody may ask of a licence number; answers are shared for a minute, so that nobody hammers the agency."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[float, LicenceCheck]] = OrderedDict()

    def recent(self, number: str) -> LicenceCheck | None:
        """The answer of the last minute."""
        until, check = self._kept.get(number, (0.0, None))
        return check if time.monotonic() < until else None

    async def ask(self, number: str, port: PermitsPort) -> LicenceCheck:
        """The agency's answer now. Raises Unavailable."""
        try:
            async with asyncio.timeout(PROOF_BUDGET_S):
                check = _checked(number, await port.licence(number))
        except (AgencyError, TimeoutError):
            raise Unavailable("agency_unavailable", retry_after_s=RETRY_AFTER_S) from None
        self._kept[number] = (time.monotonic() + _CHECK_KEPT_S, check)
        self._kept.move_to_end(number)
        if len(self._kept) > _MOST_CHECKS:
            self._kept.popitem(last=False)
        return check


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
