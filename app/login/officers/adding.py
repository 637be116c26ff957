"""What is asked of a new officer, held against the city's agencies: for the API and the terminal alike."""

from collections.abc import Collection

from app.errors import FieldError, Unprocessable
from app.login.identity import checked_phone
from app.login.officers.accounts import CITY_WIDE, NewOfficer
from app.login.officers.schemas import OfficerRequested


def checked_officer(data: OfficerRequested, agencies: Collection[str], created_by: str) -> NewOfficer:
    """Raises Unprocessable."""
    if (data.role in CITY_WIDE) != (data.agency is None):
        raise Unprocessable(errors=[FieldError("/agency", "agency_not_of_role")])
    if data.agency is not None and data.agency not in agencies:
        raise Unprocessable(errors=[FieldError("/agency", "agency_unknown")])
    return NewOfficer(
        name=data.name,
        full_name=data.full_name,
        agency=data.agency or "",
        role=data.role,
        created_by=created_by,
        phone=checked_phone(data.phone) if data.phone else "",
        language=data.language,
    )
