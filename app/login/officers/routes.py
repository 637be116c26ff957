"""HTTP of officers' own accounts."""

from litestar import get

from app.login.guards import OfficerRequest, officer
from app.login.officers.schemas import OfficerProfile
from app.problems import problems

ANY_OFFICER = officer("operator", "supervisor", "agency_head", "city_admin", "auditor")


@get(
    "/v1/officer/me",
    opt=ANY_OFFICER,
    operation_id="get_officer",
    summary="Which officer this token belongs to",
    tags=["officers"],
    responses=problems("forbidden"),
)
async def get_officer(request: OfficerRequest) -> OfficerProfile:
    user = request.user
    return OfficerProfile(user.id, user.name, user.agency or None, user.role)


ROUTES = [get_officer]
