"""What the pages of exports share."""

from functools import partial
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar.params import HeaderParameter

from app.cases.tools import CaseTools
from app.dashboards.exports.actions import end_export, list_exports
from app.dashboards.exports.keeping import remove_export
from app.database import Connection
from app.login.guards import Officer, OfficerRequest
from app.login.officers.once import Done, Work
from app.login.officers.pages import form_of

Range = Annotated[str, HeaderParameter(name="Range", required=False)]
IfRange = Annotated[str, HeaderParameter(name="If-Range", required=False)]
KINDS = {"done": "good", "failed": "bad", "running": "info", "queued": "quiet"}


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """A form that is only a button."""


def deleting(request: OfficerRequest, cases: CaseTools, export_id: UUID, path: str) -> Work:
    """What the button that deletes an export does, from the page at `path`."""

    async def work(connection: Connection) -> Done:
        form_of(request, Nothing)
        await end_export(connection, request.user, export_id)
        return Done(f"{path}?done=deleted", partial(remove_export, cases, export_id))

    return work


async def own_exports(connection: Connection, officer: Officer, path: str) -> dict[str, Any]:
    """For the list of exports/own.html on the page at `path`."""
    return {"path": path, "exports": await list_exports(connection, officer), "kinds": KINDS, "titles": {}}
