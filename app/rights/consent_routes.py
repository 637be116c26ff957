"""HTTP of withdrawing a consent."""

from litestar import delete
from litestar.di import NamedDependency
from litestar.params import FromPath

from app.cases.timeline import CHANNEL
from app.cases.tools import CaseTools
from app.login.guards import CITIZEN, CitizenRequest
from app.problems import problems
from app.rights.withdrawing import withdraw_purpose


@delete(
    "/v1/me/consents/{purpose:str}",
    opt=CITIZEN,
    operation_id="withdraw_consent",
    summary="Withdraw a consent",
    description="Also those given in forms. What rests on it and has not left is withdrawn and not sent; nothing more "
    "is read under it, and what was read is forgotten.",
    tags=["me"],
    responses=problems("consent_unknown", "processing_restricted"),
)
async def withdraw_consent(purpose: FromPath[str], request: CitizenRequest, cases: NamedDependency[CaseTools]) -> None:
    async with cases.database.begin() as connection:
        ended = await withdraw_purpose(connection, request.user, purpose, cases)
    await cases.reads.forget(str(request.user.id))
    for case_id in ended:
        cases.valkey.announce(CHANNEL, str(case_id).encode())


CONSENT_ROUTES = [withdraw_consent]
