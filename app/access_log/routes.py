"""HTTP of "who looked at my data"."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, get_args
from uuid import UUID

from litestar import get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter
from litestar.response import Stream
from msgspec.structs import replace

from app.access_log.export import Told, lines
from app.access_log.reads import NEWEST, Asked, ids_of, rows_about
from app.access_log.schemas import AccessPage, ActorKind
from app.access_log.wording import Words
from app.answers import CONTENT_DISPOSITION
from app.audit.anchor_file import anchor_file
from app.catalog.catalog import Catalog
from app.cursor import decode_cursor, encode_cursor
from app.database import Database
from app.errors import BadRequest, FieldError
from app.login.guards import CITIZEN, Caller
from app.parameters import Cursor, Limit
from app.privacy import Vault
from app.problems import problems
from app.settings import Settings
from app.texts import Language

NDJSON = "application/x-ndjson"
KindFilter = Annotated[
    str | None,
    QueryParameter(
        name="actor",
        pattern=f"^({'|'.join(get_args(ActorKind))})$",
        description="Only what was done by such. Without it: by everybody but myself, and what agencies were told when "
        "I asked them.",
        schema_extra={"enum": list(get_args(ActorKind))},
    ),
]


def _day_filter(name: str, description: str) -> QueryParameter:
    return QueryParameter(name=name, description=description, schema_extra={"type": "string", "format": "date"})


Since = Annotated[str | None, _day_filter("since", "From this day on, as the city counts days.")]
Until = Annotated[str | None, _day_filter("until", "Up to this day, all of it.")]


def provide_asked(
    actor: KindFilter = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Asked:
    before = decode_cursor(cursor, tuple[int])[0] if cursor is not None else NEWEST
    if not 0 < before <= NEWEST:
        raise BadRequest("cursor_invalid")
    kind = next((each for each in get_args(ActorKind) if each == actor), None)
    return Asked(
        limit=limit,
        before=before,
        since=_day(since, "since"),
        until=_day(until, "until"),
        kind=kind,
    )


@get(
    "/v1/me/access-log",
    opt=CITIZEN,
    operation_id="list_access_log",
    summary="Who looked at my data, newest first",
    description="Every look at my personal data, and every passing on, by an officer, a job of the product, an "
    "agency's application or another citizen: who, what, which data, why, on which legal basis, about which case. "
    "What else I did myself is shown with `actor=self`. Reading this is not recorded: it is my own.",
    dependencies={"asked": Provide(provide_asked, sync_to_thread=False)},
    tags=["me"],
    responses=problems(),
)
async def list_access_log(
    caller: NamedDependency[Caller],
    database: NamedDependency[Database],
    catalog: NamedDependency[Catalog],
    vault: NamedDependency[Vault],
    language: NamedDependency[Language],
    asked: NamedDependency[Asked],
) -> AccessPage:
    mine = await ids_of(database, caller.id)
    rows = await rows_about(database, mine, replace(asked, limit=asked.limit + 1), str(catalog.timezone))
    words = Words(catalog, vault, language, _texts(mine))
    more = len(rows) > asked.limit
    shown = rows[: asked.limit]
    return AccessPage([words.entry(row) for row in shown], encode_cursor((shown[-1]["id"],)) if more else None)


@get(
    "/v1/me/access-log/export",
    opt=CITIZEN,
    operation_id="export_access_log",
    summary="All of it as a file that proves itself",
    description="JSON lines: a head, a line for each row, newest first, an end. Each row carries the values that were "
    "chained and the digests before and after it; the head carries the newest signed anchor. `docs/access-log.md` says "
    "how anybody checks it, and `loket audit verify-export` checks it against the record.",
    media_type=NDJSON,
    tags=["me"],
    response_headers=[CONTENT_DISPOSITION],
    responses=problems(),
)
async def export_access_log(
    caller: NamedDependency[Caller],
    database: NamedDependency[Database],
    catalog: NamedDependency[Catalog],
    vault: NamedDependency[Vault],
    language: NamedDependency[Language],
    config: NamedDependency[Settings],
) -> Stream:
    mine = await ids_of(database, caller.id)
    words = Words(catalog, vault, language, _texts(mine))
    told = Told(database=database, anchors=anchor_file(config), words=words, mine=mine, city=catalog.city.name)
    headers = {"Content-Disposition": 'attachment; filename="access-log.jsonl"'}
    return Stream(lines(told), media_type=NDJSON, headers=headers)


def _texts(mine: Sequence[UUID]) -> frozenset[str]:
    return frozenset(map(str, mine))


def _day(written: str | None, name: str) -> date | None:
    """Raises BadRequest for what is no day of the calendar."""
    if written is None:
        return None
    try:
        return datetime.strptime(written, "%Y-%m-%d").date()  # noqa: DTZ007 -- a day has no zone
    except ValueError:
        raise BadRequest("parameter_invalid", errors=[FieldError(f"/query/{name}", "format")]) from None


ROUTES = [list_access_log, export_access_log]
