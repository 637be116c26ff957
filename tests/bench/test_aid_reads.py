"""What `make aid-reads` asks for is what the product gives, of households the agency's sandbox knows."""

from app.privacy import open_vault
from bench.aid_reads import messages, niks_of
from bench.load import Plan, generate
from bench.seed import seed_persons, tokens
from tests.harness.product import Api, Sandboxes


async def test_everybody_it_asks_for_is_told(api: Api, sandboxes: Sandboxes) -> None:
    niks = niks_of(12)
    assert len(set(niks)) == 24
    vault, url = open_vault(api.settings), api.settings.migration_database_url
    readers = (await seed_persons(url, vault, niks))[::2]
    asked = messages(await tokens(url, vault, api.settings.issuer, readers))
    outcome = generate(Plan(api.settings.port, asked * 2, seconds=20, warm_up_s=0, connections=2, once=True))
    assert outcome.statuses == {"200": 24}
