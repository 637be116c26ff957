"""Whoever may not act any more cannot fill another's record with rows of it."""

import pytest

from app.assembly import build
from app.delegations import door
from app.delegations.door import Delegations
from app.errors import Forbidden, TooManyRequests
from app.login.guards import ActingAsked
from app.login.officers.door import Door
from tests.app.delegations.test_delegations import PATH, granted
from tests.harness.people import People
from tests.harness.product import Api
from tests.harness.tables import Tables


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    environment["LOKET_LIMITS"] = "strict"
    return environment


async def test_refused_often_it_is_not_looked_up(
    api: Api, people: People, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject, delegate = await people.make(), await people.make()
    delegation = await granted(subject, delegate)
    assert (await subject.client.delete(f"{PATH}/{delegation}")).status_code == 204
    monkeypatch.setattr(door, "A_MINUTE", 3)
    product = build(api.settings, "test")
    await product.gate.keys.open()
    try:
        asked = ActingAsked(delegate.token, delegation, "GET", 1, "services", None)
        delegations = Delegations(product.gate, Door(product.gate))
        for expected in [Forbidden] * 3 + [TooManyRequests] * 5:
            with pytest.raises(expected):
                await delegations.act(asked)
    finally:
        await product.gate.close()
        await product.close()
    async with Tables(postgres_url) as tables:
        refused = "SELECT count(*) FROM audit_rows WHERE action = 'delegate.refused' AND subject_id = $1"
        assert await tables.value(refused, subject.id) == 3
