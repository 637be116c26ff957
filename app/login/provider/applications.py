"""HTTP of what a citizen has let agencies' applications know: seeing it, and taking it back."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from litestar import delete, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from app.cursor import decode_cursor, encode_cursor
from app.login.guards import CITIZEN, Caller
from app.login.provider.grants import Application, list_applications, withdraw_grant
from app.parameters import Cursor, Limit
from app.problems import problems
from app.texts import Language


class Applications(msgspec.Struct):
    """Newest first."""

    items: Sequence[Application]
    next_cursor: str | None


@get(
    "/v1/me/applications",
    opt=CITIZEN,
    operation_id="list_my_applications",
    summary="Applications of agencies that I log in to with Satu Loket, and what each may know",
    tags=["me"],
    responses=problems(),
)
async def list_mine(
    caller: NamedDependency[Caller],
    session: NamedDependency[AsyncSession],
    language: NamedDependency[Language],
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Applications:
    before = decode_cursor(cursor, tuple[UUID])[0] if cursor else None
    found = await list_applications(session, caller.id, language, (limit + 1, before))
    more = len(found) > limit
    return Applications(found[:limit], encode_cursor((found[limit - 1].id,)) if more else None)


@delete(
    "/v1/me/applications/{application_id:uuid}",
    opt=CITIZEN,
    operation_id="withdraw_my_application",
    summary="No longer let an application know me",
    description="From now on whatever it holds of me is refused; the next time it asks, I am asked again.",
    tags=["me"],
    responses=problems("not_found"),
)
async def withdraw(
    application_id: FromPath[UUID], caller: NamedDependency[Caller], session: NamedDependency[AsyncSession]
) -> None:
    await withdraw_grant(session, caller.id, application_id)


APPLICATION_ROUTES = [list_mine, withdraw]
