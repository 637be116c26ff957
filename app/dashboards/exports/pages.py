"""What the pages of exports share."""

from typing import Annotated, Any

import msgspec
from litestar.params import HeaderParameter

from app.dashboards.exports.actions import list_exports
from app.database import Connection
from app.login.guards import Officer

Range = Annotated[str, HeaderParameter(name="Range", required=False)]
IfRange = Annotated[str, HeaderParameter(name="If-Range", required=False)]
KINDS = {"done": "good", "failed": "bad", "running": "info", "queued": "quiet"}


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """A form that is only a button."""


async def own_exports(connection: Connection, officer: Officer, path: str) -> dict[str, Any]:
    """For the list of exports/own.html on the page at `path`."""
    return {"path": path, "exports": await list_exports(connection, officer), "kinds": KINDS, "titles": {}}
