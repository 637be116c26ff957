"""What the pages of exports share."""

from functools import partial
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response
from litestar.params import HeaderParameter

from app.cases.tools import CaseTools
from app.dashboards.exports.actions import end_export, list_exports, read_export
from app.dashboards.exports.keeping import remove_export
from app.dashboards.exports.schemas import ExportView
from app.database import Connection
from app.login.guards import Officer, OfficerRequest
from app.login.officers.once import Done, Work
from app.login.officers.pages import form_of, live_answer
from app.pages.formats import number_in
from app.texts import Language, text

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
    exports = await list_exports(connection, officer)
    rows_of = partial(_rows, language=officer.language)
    return {"path": path, "exports": exports, "kinds": KINDS, "titles": {}, "rows_of": rows_of}


async def how_far(request: OfficerRequest, cases: CaseTools, export_id: UUID) -> Response[Any]:
    """For the page's script: how far one is, and whether its file is there."""
    language = request.user.language
    async with cases.database.connection() as connection:
        found = await read_export(connection, request.user, export_id)
    told = {
        "state": text(f"exports.state.{found.state}", language),
        "rows": _rows(found, language),
        "is": found.state,
        "over": found.state not in ("queued", "running"),
    }
    return live_answer(told)


def _rows(shown: ExportView, language: Language) -> str:
    """Those that are written, of all while it is made."""
    done = number_in(shown.rows_done, language)
    is_counted = shown.state == "running" and shown.rows_total
    return f"{done} / {number_in(shown.rows_total or 0, language)}" if is_counted else done
