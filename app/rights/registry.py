"""Every table that holds something of a citizen, and the statement that finds it: made of the models' declarations."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec
from sqlalchemy import Table

from app.database import Base
from app.personal import NOBODYS, Personal
from app.tables import import_models

_PEOPLE = "citizens"
# Tables that others make and we have no models of: the job engine's, and the migrations' own. A job names whom it is
# about by an id, or has the id of a delivery as its key.
FOREIGN: Mapping[str, Personal] = {
    "alembic_version": NOBODYS,
    "pgqueuer": Personal(
        where="EXISTS (SELECT FROM unnest($1::uuid[]) AS own"
        " WHERE position(own::text IN encode(payload, 'escape')) > 0)"
        " OR dedupe_key IN (SELECT deliveries.id::text FROM deliveries JOIN cases ON cases.id = case_id"
        " WHERE citizen_id = ANY($1::uuid[]))"
    ),
    "pgqueuer_log": NOBODYS,
    "pgqueuer_schedules": NOBODYS,
    "pgqueuer_statistics": NOBODYS,
}


class Place(msgspec.Struct, frozen=True):
    """One table. `condition` finds a person's rows: `$1` are their ids, `$2` the keyed indexes of NIK and phone."""

    table: str
    key: Sequence[str]
    personal: Personal
    condition: str


@lru_cache(maxsize=1)
def places() -> Sequence[Place]:
    """Those with something of a citizen, what others refer to before what refers to it."""
    import_models()
    declared = declarations()
    ordered = [*Base.metadata.sorted_tables]
    ours = [_place(table, declared) for table in ordered if declared[table.name].holds_some]
    foreign = [Place(name, ["id"], each, _both(each.where)) for name, each in FOREIGN.items() if each.holds_some]
    return [*ours, *foreign]


def declarations() -> Mapping[str, Personal]:
    """What every table of ours says of itself."""
    import_models()
    return {mapper.local_table.description: mapper.class_.personal for mapper in Base.registry.mappers}


def _place(table: Table, declared: Mapping[str, Personal]) -> Place:
    return Place(
        table.name, [each.name for each in table.primary_key], declared[table.name], _both(_found(table, declared))
    )


def _found(table: Table, declared: Mapping[str, Personal]) -> str:
    """The rows by owner, through as many tables as lie between, and by the condition of the table's own."""
    personal = declared[table.name]
    ways = [personal.where] if personal.where else []
    if personal.owner:
        ways.append(_owned(table, declared))
    if personal.matched:
        ways.append("$3::boolean")
    return " OR ".join(f"({way})" for way in ways)


def _owned(table: Table, declared: Mapping[str, Personal]) -> str:
    column = table.c[declared[table.name].owner]
    target = next((key.column for key in column.foreign_keys), None)
    if target is None or target.table.name in (_PEOPLE, table.name):
        return f"{column.name} = ANY($1::uuid[])"
    parent = target.table
    return f"{column.name} IN (SELECT {target.name} FROM {parent.name} WHERE {_found(parent, declared)})"  # noqa: S608 - names of our models


def _both(condition: str) -> str:
    """A statement must name every place it is given a value for."""
    return f"({condition}) AND $1::uuid[] IS NOT NULL AND $2::bytea[] IS NOT NULL"
