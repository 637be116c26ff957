"""`loket seed --history`: the demo's past, whole or not at all; told as it grows. Refused in production."""

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from uuid import UUID

import asyncpg
import msgspec

from app.catalog.catalog import Catalog, CatalogService
from app.dashboards.figures.counting import Counting
from app.database import Connection, Database, driver_url
from app.history.clock import Clock
from app.history.moments import id_at, moment
from app.history.people import People
from app.history.rows import COLUMNS_OF, Place, Row, Writer
from app.history.stories import Offer, Teller, read_words
from app.history.templates import templates
from app.login.demo import refuse_production
from app.login.officers.demo import DEMO_OFFICERS
from app.privacy import open_vault
from app.settings import Settings

Say = Callable[[str], None]
CASES_EACH = 5
BATCH = 4000
# A city's people ask for a ticket far more often than for a licence.
_TICKETS = 5.0
_IS_THERE = "SELECT EXISTS (SELECT 1 FROM citizens WHERE nik_index = $1)"
# The last number before those that are taken here.
_NUMBERS = "SELECT setval('case_numbers', nextval('case_numbers') + $1::bigint) - $1::bigint"
_OFFICERS = "SELECT id, agency FROM officers WHERE name = ANY($1::text[]) AND agency <> '' ORDER BY name"
_NEVER = "SET statement_timeout = 0; SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = 0"


class Past(msgspec.Struct, frozen=True):
    """How much of it: the same seed on the same day tells the same."""

    cases: int
    years: float = 2.0
    seed: int = 1


async def write_history(settings: Settings, past: Past, say: Say) -> int:
    """Write it in one transaction; how many cases were written, 0 where there is a past already.

    Raises SettingsError in production.
    """
    refuse_production(settings)
    # Row-level security takes no COPY: the tables' owner writes.
    connection = await asyncpg.connect(driver_url(settings.migration_database_url or settings.database_url))
    try:
        await connection.execute(_NEVER)
        written = await _Writing(connection, settings, past, say).run()
        for table in COLUMNS_OF if written else ():
            await connection.execute(f"VACUUM ANALYZE {table}")
    finally:
        await connection.close()
    if written:
        say("counting figures")
        await _count(settings)
    return written


async def _count(settings: Settings) -> None:
    """What came with times long gone is not found by looking at what came lately."""
    database = Database(settings.database_url, pool_size=1, name="seed")
    try:
        await Counting(database, Catalog.load(settings.city)).run(everything=True)
    finally:
        await database.close()


def places(catalog: Catalog, rng: Random) -> Sequence[tuple[Place, float]]:
    """Every service that takes cases here, and how often it is asked for."""
    found = []
    for service in catalog.services():
        examples = templates(catalog, service, rng) if service.backends else []
        if examples:
            offer = offer_of(service)
            own = {one.id: one.backend for one in catalog.city.facility if one.backend in service.backends}
            backends = own or {"": service.backends[0]}
            place = Place(offer, service.module, service.agency_id, service.form_version or 1, backends, examples)
            found.append((place, (_TICKETS if offer.immediate else 1.0) * (0.5 + _own(service.slug, "asked"))))
    return found


def offer_of(service: CatalogService) -> Offer:
    """What a service promises, and how well its agency keeps it: its own, the same in every history."""
    slug, manifest = service.slug, service.manifest
    return Offer(
        slug,
        manifest.promised_days,
        manifest.delivery == "immediate",
        pace=0.3 + 0.4 * _own(slug, "pace"),
        strict=0.04 + 0.12 * _own(slug, "strict"),
    )


class _Writing:
    """One history on its way into the database."""

    def __init__(self, connection: Connection, settings: Settings, past: Past, say: Say) -> None:
        self._connection, self._past, self._say = connection, past, say
        self._rng = Random(past.seed)
        self._catalog = Catalog.load(settings.city)
        self._vault = open_vault(settings)
        self._clock = Clock(self._catalog.timezone, datetime.now(UTC), past.years)
        districts = [district.code for district in self._catalog.city.district]
        self._people = People(self._vault, districts, self._rng)

    async def run(self) -> int:
        """How many were written."""
        if await self._connection.fetchval(_IS_THERE, self._people.mark()):
            self._say("there is a past already, and it is left as it is; a new database takes another one")
            return 0
        async with self._connection.transaction():
            citizens = await self._write_citizens()
            await self._write_cases(citizens)
        return self._past.cases

    async def _write_citizens(self) -> Sequence[UUID]:
        since = self._clock.moment(self._clock.first, 0) - 1
        ids = [id_at(since, self._rng) for _ in range(self._past.cases // CASES_EACH + 1)]
        self._say(f"writing {len(ids):,} people")
        for table, rows in (("citizens", self._people.citizens), ("contacts", self._people.contacts)):
            for first in range(0, len(ids), BATCH):
                await self._copy(table, rows(range(first, min(first + BATCH, len(ids))), ids, moment(since)))
        return ids

    async def _write_cases(self, citizens: Sequence[UUID]) -> None:
        rng, clock, total = self._rng, self._clock, self._past.cases
        found = places(self._catalog, rng)
        teller = Teller(clock, read_words(), rng)
        writer = Writer(self._vault, clock, self._catalog.region, rng)
        writer.officers = await self._officers()
        chosen = rng.choices([place for place, _ in found], weights=[weight for _, weight in found], k=total)
        number = await self._connection.fetchval(_NUMBERS, total)
        told = 0
        for done, (at, place) in enumerate(zip(clock.arrivals(total, rng), chosen, strict=True), 1):
            # Some ask far more often than others.
            citizen = citizens[int(len(citizens) * rng.random() ** 1.6)]
            writer.add(place, number + done, citizen, teller.tell(place.offer, at))
            if done % BATCH == 0 or done == total:
                for table, rows in writer.taken().items():
                    await self._copy(table, rows)
                if done * 20 // total > told:
                    told = done * 20 // total
                    self._say(f"{done:,} of {total:,} cases")

    async def _officers(self) -> Mapping[str, Sequence[UUID]]:
        """The demo's own, by agency."""
        found: dict[str, list[UUID]] = {}
        for row in await self._connection.fetch(_OFFICERS, list(DEMO_OFFICERS)):
            found.setdefault(row["agency"], []).append(row["id"])
        return found

    async def _copy(self, table: str, rows: Iterable[Row]) -> None:
        await self._connection.copy_records_to_table(table, columns=COLUMNS_OF[table], records=rows)


def _own(slug: str, what: str) -> float:
    """A number from 0 to 1 that is the service's own."""
    return zlib.crc32(f"{slug} {what}".encode()) / 2**32
