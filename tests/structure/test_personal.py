"""Every table says what it holds of a citizen: copies, deletions and their proof find by that alone what is theirs."""

import re

import asyncpg
import pytest

from app.database import Base, driver_url
from app.personal import NOBODYS
from app.rights.registry import FOREIGN, declarations, places
from app.tables import import_models
from tests.harness.source import nothing

HOW = (
    "says not what it holds of a citizen: `personal = NOBODYS`, or `personal = Personal(owner=...)` with the column "
    "that leads to whose it is (app/personal.py)"
)
_TABLES = "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"


@pytest.mark.tree
def test_every_model_says_what_it_holds() -> None:
    import_models()
    nothing(
        f"{mapper.class_.__module__}.{mapper.class_.__name__} {HOW}"
        for mapper in Base.registry.mappers
        if not hasattr(mapper.class_, "personal")
    )


@pytest.mark.tree
def test_what_is_declared_is_there() -> None:
    """A column that is misspelt would leave its content in a copy, or its rows where they are."""
    import_models()
    for name, personal in declarations().items():
        columns = set(Base.metadata.tables[name].c.keys())
        named = {*personal.withheld, *personal.matched, *personal.erased, *([personal.owner] if personal.owner else [])}
        assert named <= columns, name


@pytest.mark.tree
def test_what_leads_to_nobody_is_the_citizens_own_id() -> None:
    """An owner without a foreign key is compared with the citizen's id, so it must be one."""
    import_models()
    nothing(
        f"{name}: {personal.owner} refers to nothing; say by `where` whose a row is"
        for name, personal in declarations().items()
        if personal.owner not in ("", "id", "citizen_id", "subject_id")
        and not Base.metadata.tables[name].c[personal.owner].foreign_keys
    )


@pytest.mark.tree
def test_what_refers_to_a_citizen_is_somebodys() -> None:
    import_models()
    nothing(
        f"{name} has a citizen_id and says that it is nobody's"
        for name, personal in declarations().items()
        if personal == NOBODYS and "citizen_id" in Base.metadata.tables[name].c
    )


async def test_every_table_there_is_is_declared(postgres_url: str) -> None:
    connection = await asyncpg.connect(driver_url(postgres_url))
    try:
        found = {row["relname"] for row in await connection.fetch(_TABLES)}
        assert found == {*declarations(), *FOREIGN}
        for place in places():
            given = 3 if "$3" in place.condition else 2
            assert len(set(re.findall(r"\$\d", place.condition))) == given
            await connection.fetch(
                f"EXPLAIN SELECT * FROM {place.table} WHERE {place.condition}", [], [], *[True] * (given - 2)
            )
    finally:
        await connection.close()
