"""Reading the desk: lists by keyset, one delivery with its tries. The officer's agency is part of every query."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.cases.attempts import opened
from app.cases.models import ACTION_REASON_CONTEXT
from app.cases.tools import CaseTools
from app.cursor import encode_cursor
from app.database import Connection
from app.deliveries.acting import Acting, audit
from app.deliveries.four_eyes import proposal_of
from app.deliveries.schemas import ActionView, AttemptView, DeliveryDetail, DeliveryItem, DeliveryPage, ExchangeView
from app.errors import NotFound
from app.exchanges import Exchange
from app.privacy import Vault
from app.texts import Language, has_text, text

WAITING = ("queued", "delivering", "needs_operator")
MOST_ATTEMPTS = 50
# A pause is a window without an end, or one that lasts.
_PAUSED = """
EXISTS (
    SELECT 1 FROM maintenance_windows AS closed WHERE closed.backend IN ('', deliveries.backend)
        AND closed.service IN ('', cases.service) AND starts_at <= now() AND (ends_at IS NULL OR ends_at > now())
) AS paused
"""
_ITEM = f"""
SELECT deliveries.id, case_id, cases.number AS case_number, cases.citizen_id, service, agency, deliveries.backend,
    operation, state, reason, detail, unknown, coalesce(lease_until > now(), false) AS under_way, fence AS tries,
    coalesce(finished_at, deliveries.created_at) AS since, deliveries.created_at, first_tried_at, sent_at, next_try_at,
    reference, {_PAUSED}
FROM deliveries JOIN cases ON cases.id = case_id
"""  # noqa: S608 - constants of ours
_ONE = f"{_ITEM} WHERE deliveries.id = $1 AND ($2 = '' OR agency = $2)"
_ATTEMPTS = f"""
SELECT number, started_at, finished_at, outcome, unknown, reason, detail, calls, http_status, exchanges_enc
FROM delivery_attempts WHERE delivery_id = $1 ORDER BY number DESC LIMIT {MOST_ATTEMPTS}
"""  # noqa: S608 - constants of ours
_ACTIONS = "SELECT at, officer, action, reference, reason_enc FROM delivery_actions WHERE delivery_id = $1 ORDER BY id"


class Wanted(msgspec.Struct, frozen=True):
    """Which deliveries: those that wait, unless a state or a case is named. `after`: the last id of the page before."""

    limit: int
    state: str | None = None
    backend: str | None = None
    service: str | None = None
    reason: str | None = None
    case: str | None = None
    after: UUID | None = None


def page_of(wanted: Wanted, limit: int, after: UUID | None) -> Wanted:
    return msgspec.structs.replace(wanted, limit=limit, after=after)


async def list_deliveries(connection: Connection, acting: Acting, wanted: Wanted, language: Language) -> DeliveryPage:
    """One page, longest waiting first."""
    statement, given = _list_statement(acting, wanted)
    rows: Sequence[Mapping[str, Any]] = await connection.fetch(statement, *given)
    shown = [_item(row, language) for row in rows[: wanted.limit]]
    more = len(rows) > wanted.limit
    return DeliveryPage(shown, encode_cursor((shown[-1].id,)) if more else None)


async def read_delivery(
    connection: Connection, acting: Acting, delivery_id: UUID, tools: CaseTools, language: Language
) -> DeliveryDetail:
    """One with its tries, as a look at a person's matter: audited. Raises NotFound, for another agency's too."""
    row = await connection.fetchrow(_ONE, delivery_id, acting.agency)
    if row is None:
        raise NotFound("delivery_not_found")
    await audit(connection, acting, row, "delivery.read", ("attempts", "actions"))
    attempts = await connection.fetch(_ATTEMPTS, delivery_id)
    actions = await connection.fetch(_ACTIONS, delivery_id)
    item = _item(row, language)
    return DeliveryDetail(
        **{name: getattr(item, name) for name in item.__struct_fields__},
        attempts=[_attempt(each, row, tools.vault) for each in attempts],
        actions=[_action(each, tools.vault) for each in actions],
        proposal=await proposal_of(connection, delivery_id),
    )


def _list_statement(acting: Acting, wanted: Wanted) -> tuple[str, list[Any]]:
    states = [wanted.state] if wanted.state else list(WAITING)
    given: list[Any] = []
    where: list[str] = []
    for condition, value in (
        ("agency = {}", acting.agency or None),
        ("state = ANY({}::text[])", None if wanted.case and not wanted.state else states),
        ("deliveries.backend = {}", wanted.backend),
        ("service = {}", wanted.service),
        ("reason = {}", wanted.reason),
        ("cases.number = {}", wanted.case),
        ("deliveries.id > {}", wanted.after),
    ):
        if value is not None:
            given.append(value)
            where.append(condition.format(f"${len(given)}"))
    given.append(wanted.limit + 1)
    condition = " AND ".join(where) or "true"
    return f"{_ITEM} WHERE {condition} ORDER BY deliveries.id LIMIT ${len(given)}", given


def _item(row: Mapping[str, Any], language: Language) -> DeliveryItem:
    told = {name: row[name] for name in DeliveryItem.__struct_fields__ if name != "text"}
    return DeliveryItem(text=_why(row, language), **told)


def _why(row: Mapping[str, Any], language: Language) -> str:
    """Why it waits, in words for officers."""
    if row["paused"] and row["state"] in ("queued", "delivering"):
        return text("waits.paused", language)
    if row["state"] == "delivering" and row["unknown"] and not row["under_way"]:
        return text("waits.unknown", language)
    key = f"waits.{row['reason']}"
    if row["state"] == "needs_operator":
        return text(key if has_text(key) else "waits.needs_operator", language)
    return text(f"waits.{row['state']}", language)


def _attempt(row: Mapping[str, Any], delivery: Mapping[str, Any], vault: Vault) -> AttemptView:
    newest = row["number"] == delivery["tries"]
    return AttemptView(
        number=row["number"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        duration_ms=_ms(row["started_at"], row["finished_at"]),
        outcome=row["outcome"] or ("under_way" if newest and delivery["under_way"] else "interrupted"),
        unknown_before=row["unknown"],
        reason=row["reason"],
        detail=row["detail"],
        calls=row["calls"],
        http_status=row["http_status"],
        exchanges=[_exchange(each) for each in opened(row["exchanges_enc"], vault)],
    )


def _exchange(each: Exchange) -> ExchangeView:
    return ExchangeView(
        each.at,
        each.operation,
        each.method,
        each.path,
        each.outcome,
        each.status,
        round(each.seconds * 1000),
        each.sent,
        each.answered,
    )


def _action(row: Mapping[str, Any], vault: Vault) -> ActionView:
    reason = vault.decrypt(row["reason_enc"], ACTION_REASON_CONTEXT).decode()
    return ActionView(row["at"], row["officer"], row["action"], row["reference"], reason)


def _ms(started_at: datetime, finished_at: datetime | None) -> int | None:
    return round((finished_at - started_at).total_seconds() * 1000) if finished_at else None
