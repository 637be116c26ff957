"""A citizen's matters at the agency: the visit and the outcome; and certificates, proven to whoever is shown one."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, datetime
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

import msgspec

from app.agency_reads import Reads, Seen, Wanted
from app.asking import SERVICE, asking
from app.cases.casedata import require_unrestricted
from app.cases.tools import CaseTools
from app.database import utc_now
from app.errors import AgencyError, AgencyRejected, Conflict, Forbidden, NotFound, Unavailable
from app.privacy import Vault
from services.social_aid.cases import MODULE, WIB
from services.social_aid.port import Certificate, Matter, SocialAidPort

T = TypeVar("T")
BUDGET_S = 5.0
RETRY_AFTER_S = 30
NUMBER_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9 ./_,()-]{1,78}[A-Za-z0-9)]$"
CERTIFICATE_CONSENT = "social-aid-certificate"
# The case, and eighty bits that bind it to the number: that can be guessed from the one before it, these cannot.
CODE_PATTERN = r"^[0-9a-f]{52}$"
_CASE_LENGTH, _PROOF_LENGTH = 32, 20
_MATTER_FRESH_S, _PROOF_FRESH_S, _CHECK_FRESH_S, _STALE_S = 5.0, 60.0, 60.0, 86_400.0
_CHECK_STALE_S = 600.0
_REST_S = 2.0
_AGREED = "SELECT 1 FROM consents WHERE case_id = $1 AND purpose = $2 AND withdrawn_at IS NULL"
_MINE = """
SELECT number, service, status, agency_reference, product->>'certificate_number' AS certificate_number, restricted_at
FROM cases JOIN citizens ON citizens.id = citizen_id
WHERE cases.id = $1 AND citizen_id = $2 AND module = $3
"""


class Found(msgspec.Struct, frozen=True):
    """A case's matter as the agency told it."""

    case_number: str
    service: str
    seen: Seen[Matter]


class Proof(msgspec.Struct, frozen=True):
    """A case's certificate as the agency proved it."""

    case_number: str
    service: str
    seen: Seen[Certificate]


class Proven(msgspec.Struct, frozen=True):
    """What the agency says of a certificate's number. None: it knows none."""

    certificate: Certificate | None


class Matters:
    """Citizens' matters at the agency, kept nowhere but in what was told lately."""

    def __init__(self, port: SocialAidPort, cases: CaseTools) -> None:
        self._port = port
        self._cases = cases

    async def find(self, case_id: UUID, citizen_id: UUID) -> Found:
        """Raises NotFound for another person's, Conflict where the agency does not have it yet, Forbidden while its
        citizen has restricted what is done with their data, Unavailable."""
        row = await self._mine(case_id, citizen_id)
        reference = row["agency_reference"]
        if reference is None:
            raise Conflict("aid_matter_not_there")
        seen = await _get(
            self._cases.reads,
            _own("social_aid.matter", citizen_id, case_id, _MATTER_FRESH_S),
            Matter,
            lambda: self._port.matter(reference),
        )
        return Found(row["number"], row["service"], seen)

    async def certificate(self, case_id: UUID, citizen_id: UUID) -> Proof:
        """Raises NotFound for another person's, Conflict where none is issued or the agency knows it no more, Forbidden
        once the consent it was issued on is withdrawn, Unavailable."""
        row = await self._mine(case_id, citizen_id)
        if row["agency_reference"] is not None and not await _is_agreed(case_id, self._cases):
            raise Forbidden("consent_missing", params={"purpose": CERTIFICATE_CONSENT})
        number = row["certificate_number"]
        if not number and row["agency_reference"] is not None:
            number = (await self.find(case_id, citizen_id)).seen.value.progress.product.get("certificate_number")
        if not number:
            raise Conflict("certificate_not_issued")
        wanted = _own("social_aid.certificate", citizen_id, case_id, _PROOF_FRESH_S)
        seen = await _get(self._cases.reads, wanted, Proven, lambda: _prove(number, self._port))
        found = seen.value.certificate
        if found is None:
            raise Conflict("certificate_not_known")
        return Proof(row["number"], row["service"], Seen(found, seen.as_of, seen.is_stale))

    async def _mine(self, case_id: UUID, citizen_id: UUID) -> Mapping[str, Any]:
        async with self._cases.database.connection() as connection:
            row: Mapping[str, Any] | None = await connection.fetchrow(_MINE, case_id, citizen_id, MODULE)
        if row is None:
            raise NotFound("case_not_found")
        require_unrestricted(row)
        return row


async def check_certificate(number: str, code: str, port: SocialAidPort, cases: CaseTools) -> Seen[Proven]:
    """What the agency says of a number to whoever has its code. To who has not, and once the holder's consent is
    withdrawn, the number is of no certificate, and the agency is not asked. Raises Unavailable."""
    if not await _may_be_checked(number, code, cases):
        return Seen(Proven(None), utc_now(), is_stale=False)
    wanted = Wanted(
        what="social_aid.check",
        scope=number,
        fresh_s=_CHECK_FRESH_S,
        stale_s=_CHECK_STALE_S,
        budget_s=BUDGET_S,
        shared=False,
    )
    return await _get(cases.reads, wanted, Proven, lambda: _prove(number, port))


async def _may_be_checked(number: str, code: str, cases: CaseTools) -> bool:
    case_id = UUID(code[:_CASE_LENGTH])
    if not hmac.compare_digest(code, check_code(case_id, number, cases.vault)):
        return False
    return await _is_agreed(case_id, cases)


async def _is_agreed(case_id: UUID, cases: CaseTools) -> bool:
    """Whether the consent that the case's certificate was issued on stands. Who acts for its giver cannot see it."""
    with asking(SERVICE):
        return bool(await cases.database.fetch(_AGREED, case_id, CERTIFICATE_CONSENT))


def check_code(case_id: UUID, number: str, vault: Vault) -> str:
    """What the QR code carries beside the number."""
    return case_id.hex + vault.lasting_name("social_aid.certificate", f"{case_id}|{number}").hex()[:_PROOF_LENGTH]


def check_url(issuer: str, case_id: UUID, number: str, vault: Vault) -> str:
    """Where whoever is shown a certificate may check it."""
    asked = urlencode({"number": number, "code": check_code(case_id, number, vault)})
    return f"{issuer}/v1/social-aid/certificates/check?{asked}"


def is_valid(certificate: Certificate) -> bool | None:
    """Whether it still holds today; None where the agency does not say until when."""
    if certificate.valid_until is None:
        return None
    today: date = datetime.now(WIB).date()
    return today <= certificate.valid_until


async def _get(reads: Reads, wanted: Wanted, kind: type[T], ask: Callable[[], Awaitable[T]]) -> Seen[T]:
    """The answer, with the agency's refusals as ours."""
    try:
        return await reads.get(wanted, kind, ask)
    except AgencyRejected:
        raise Conflict("aid_refused") from None
    except AgencyError:
        raise Unavailable("agency_unavailable", retry_after_s=RETRY_AFTER_S) from None


async def _prove(number: str, port: SocialAidPort) -> Proven:
    return Proven(await port.certificate(number))


def _own(what: str, citizen_id: UUID, case_id: UUID, fresh_s: float) -> Wanted:
    who = str(citizen_id)
    return Wanted(
        what=what,
        subject=who,
        actor=who,
        scope=str(case_id),
        fresh_s=fresh_s,
        stale_s=_STALE_S,
        rest_s=_REST_S,
        budget_s=BUDGET_S,
    )
