"""`python -m bench.home_api`: the product's API, its home with six sources that each ask one agency one question.

Beside them the home asks for open cases and unread messages as ever. Every question is new to the cache.
"""

from uuid import uuid4

import uvicorn
from litestar import Litestar

from app.agency_reads import Wanted
from app.cli import KEEP_ALIVE_S
from app.connections import CitizenConnection
from app.home.gathering import Placed
from app.home.port import Asker, Bill, Part, Told
from app.main import create_app
from app.settings import settings
from bench.agency import ROW
from services.permits.port import Licence, PermitsPort

SOURCES = 6


class Source(Part[Bill]):
    """What one agency tells of somebody, asked as every module asks."""

    kind = "bills"
    link = "/v1/cases"
    port: PermitsPort

    async def read(self, asker: Asker) -> Told[Bill]:
        who = str(asker.caller.id)
        wanted = Wanted(what="bench.home", subject=who, actor=who, scope=uuid4().hex, fresh_s=1.0)
        seen = await self.cases.reads.get(wanted, Licence, self._ask)
        told = seen.value
        return Told([Bill(number=told.number, title=told.permit, amount_idr=0, due_on=None, link=None)], seen.as_of)

    async def _ask(self) -> Licence:
        told = await self.port.licence(ROW["no_surat"])
        assert told is not None
        return told


def with_sources(app: Litestar) -> None:
    """Put the six beside the city's own parts."""
    own = [each for each in app.state["home"] if not each.module]
    sources = [Placed(Source(app.state["permits"], app.state["cases"]), f"source_{at}") for at in range(SOURCES)]
    app.state["home"] = (*own, *sources)


def main() -> None:
    """Serve it as `loket serve` serves the product."""
    ours = settings()
    app = create_app(ours)
    with_sources(app)
    uvicorn.run(
        app,
        host=ours.host,
        port=ours.port,
        http=CitizenConnection,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
    )


if __name__ == "__main__":
    main()
