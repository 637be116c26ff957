"""Who a statement is asked for. PostgreSQL's row-level security shows each asker their own rows only: the second net,
under the owner that every query names. A request sets it once; whatever it then asks of the database carries it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal
from uuid import UUID

import msgspec

# PostgreSQL's name for it. Unset, it shows nothing.
SETTING = "loket.asks"
# In SQL: the delegation of who asks for somebody else, NULL for all others.
DELEGATION_ASKING = (
    f"CASE WHEN split_part(current_setting('{SETTING}', true), ':', 1) = 'delegate' "
    f"THEN split_part(current_setting('{SETTING}', true), ':', 3)::uuid END"
)
# The product itself: jobs, commands, and requests of those who are not known yet.
SERVICE = "service"
# An officer for the whole city.
CITY = "city"

asks: ContextVar[str] = ContextVar("asks", default=SERVICE)
# Whether an officer's request asks: for those a few connections are kept.
at_desk: ContextVar[bool] = ContextVar("at_desk", default=False)


class Acting(msgspec.Struct, frozen=True):
    """Somebody who acts for a citizen (`subject_id`), under which delegation, and for which services' cases alone."""

    delegation_id: UUID
    subject_id: UUID
    actor_kind: Literal["citizen", "officer"]
    actor_id: UUID
    services: tuple[str, ...]


# Who acts in this request for somebody else; whatever is written meanwhile says so.
acting: ContextVar[Acting | None] = ContextVar("acting", default=None)


def as_citizen(citizen_id: UUID) -> str:
    return f"citizen:{citizen_id}"


def as_delegate(delegate: Acting) -> str:
    """Of the subject's things only what the delegation covers. No service's name has a colon or a comma."""
    return f"delegate:{delegate.subject_id}:{delegate.delegation_id}:{','.join(delegate.services)}"


def as_agency(agency: str) -> str:
    """An officer's; "" for one of the whole city."""
    return f"agency:{agency}" if agency else CITY


@contextmanager
def asking(who: str) -> Iterator[None]:
    """Ask for somebody else for a while: for the product, where a request must look across citizens on purpose."""
    token = asks.set(who)
    try:
        yield
    finally:
        asks.reset(token)


def said_for(place: str) -> str:
    """A condition for a statement's WHERE: it asks for the citizen at `place` by itself, which saves the round trip.

    PostgreSQL evaluates it once, before it reads a row; did it not, the statement would find nothing.
    """
    return f"(SELECT set_config('{SETTING}', 'citizen:' || ({place}::uuid)::text, true)) IS NOT NULL"
