"""F40: nothing at a door of login tells whose NIK has an account. The whole measurement is `make enumeration`.

Here: the same words, headers and sizes, the same statements and rows; and times that no two arms could have that did
other work, measured in turns, so that a busy machine befalls both alike.
"""

import http.client
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

import asyncpg
import pytest
from sqlalchemy import Engine, event

from app.login.identity import Person
from app.telemetry import request_id
from bench.accounts import make_accounts, person
from bench.enumeration import DOORS, Door, ask, measure
from tests.app.login.journey import Journey
from tests.harness.product import Api
from tests.harness.tables import Tables, grown

SAMPLES = 40
# Two arms of forty that do the same come no further apart once in a hundred million runs.
MOST_AUC = 0.37
# What the driver asks once on each connection, whenever that is first used.
OF_A_CONNECTION = ("typeinfo_tree", "'jit'")
DOORS_BY_NAME = {door.name: door for door in DOORS}
Arms = dict[str, Sequence[Person]]


@pytest.fixture(scope="module")
async def arms(api: Api, journey: Journey) -> Arms:
    """People with an account that is proven, with one that is not, and with none."""
    made = await make_accounts(api.settings.database_url, journey.vault, 20, 2)
    for each in made[10:]:
        await journey.prove(each, level=1)
    return {"proven": made[:10], "unproven": made[10:], "none": [person(1_000_000 + n) for n in range(10)]}


@pytest.fixture
async def tables(api: Api) -> AsyncIterator[Tables]:
    async with Tables(api.settings.database_url) as opened:
        yield opened


@contextmanager
def statements() -> Iterator[Counter[str]]:
    """What requests to the product, which runs in this process, have executed: by the engine, or on the driver."""
    seen: Counter[str] = Counter()
    by_driver = vars(asyncpg.Connection)["_do_execute"]

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if request_id.get() and not any(word in statement for word in OF_A_CONNECTION):
            seen[statement] += 1

    async def watched(connection: object, query: str, *more: object, **named: object) -> object:
        note(connection, None, query)
        return await by_driver(connection, query, *more, **named)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncpg.Connection, "_do_execute", watched)
            yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def asked_of(api: Api, door: Door, people: Sequence[Person]) -> set[str]:
    """The shapes of the answers."""
    connection = http.client.HTTPConnection("127.0.0.1", api.settings.port, timeout=60)
    shapes = {ask(connection, door.path, json.dumps(door.body(who)).encode()).shape for who in people}
    connection.close()
    return shapes


@pytest.mark.parametrize("name", DOORS_BY_NAME)
async def test_the_same_words_statements_and_rows(api: Api, arms: Arms, tables: Tables, name: str) -> None:
    door = DOORS_BY_NAME[name]
    asked_of(api, door, arms["none"][:1])  # what is asked once in a process
    shapes, executed, written = set(), {}, {}
    for arm, people in arms.items():
        before = await tables.counts()
        with statements() as seen:
            shapes |= asked_of(api, door, people)
        executed[arm], written[arm] = seen, grown(before, await tables.counts())
    assert len(shapes) == 1, shapes
    assert shapes.pop().startswith("20")
    assert executed["proven"] == executed["unproven"] == executed["none"]
    assert sum(executed["none"].values()) >= len(arms["none"]), "nothing was counted"
    assert written["proven"] == written["unproven"] == written["none"] != {}


@pytest.mark.parametrize("name", DOORS_BY_NAME)
async def test_times_of_people_with_and_without_an_account_lie_together(api: Api, arms: Arms, name: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", api.settings.port, timeout=60)
    verdict = measure(connection, DOORS_BY_NAME[name], arms["proven"], SAMPLES)
    connection.close()
    assert len(verdict.shapes) == 1, verdict.shapes
    assert abs(verdict.apart.auc - 0.5) < MOST_AUC, verdict
