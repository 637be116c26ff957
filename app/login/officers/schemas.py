"""What officers' routes take and give."""

from uuid import UUID

import msgspec

from app.login.guards import Role


class OfficerProfile(msgspec.Struct):
    """Who this token belongs to. `agency` is null for the roles of the whole city."""

    id: UUID
    name: str
    agency: str | None
    role: Role
