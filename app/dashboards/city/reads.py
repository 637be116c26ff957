"""The city's view for one reader: agencies side by side, services by maturity, the register of services."""

import csv
import io
from collections.abc import Sequence

from app.cases.due import today
from app.cases.tools import CaseTools
from app.catalog.catalog import CatalogService
from app.dashboards.city.agencies import Span, read_agencies
from app.dashboards.city.evidence import WINDOW_DAYS, Facts, Measured, read_evidence
from app.dashboards.city.maturity import BAR, level_of, levels_of
from app.dashboards.city.schemas import AgenciesView, Maturity, MaturityView
from app.dashboards.figures.asked import day_of
from app.dashboards.figures.periods import Grain, last_of, start_of
from app.database import Connection
from app.deliveries.acting import Acting
from app.errors import NotFound
from app.texts import Language, text

# The metadata of a Layanan in SIA-SPBE, in its order; the words are that system's own.
REGISTER = (
    "id",
    "purpose",
    "function",
    "related_agencies",
    "related_affairs",
    "target",
    "method",
    "benefit",
    "economy",
    "ral",
    "unit",
    "risk",
    "mitigation",
)
_NOTHING = Measured(Facts(), None)


def span_of(tools: CaseTools, grain: Grain, until: str | None, periods: int) -> Span:
    """The periods up to the one that `until` is in, or today. Raises BadRequest for what is no day."""
    return Span(grain, start_of(day_of(until) or today(tools.catalog.timezone), grain), periods)


async def agencies_view(
    connection: Connection, acting: Acting, tools: CaseTools, span: Span, language: Language
) -> AgenciesView:
    names = {each.id: each.name.into(language) for each in tools.catalog.agencies()}
    return AgenciesView(
        grain=span.grain,
        since=span.starts[0],
        until=last_of(span.last, span.grain),
        items=await read_agencies(connection, acting, tools, span, names),
    )


async def maturity_view(connection: Connection, tools: CaseTools, language: Language) -> MaturityView:
    """In the order of the agencies, the most mature first."""
    evidence = await read_evidence(connection)
    order = {each.id: place for place, each in enumerate(tools.catalog.agencies())}
    shown = [_maturity(each, evidence.get(each.slug, _NOTHING), language) for each in tools.catalog.services()]
    return MaturityView(WINDOW_DAYS, sorted(shown, key=lambda each: (order[each.agency], -each.level, each.title)))


async def read_maturity(connection: Connection, tools: CaseTools, slug: str, language: Language) -> Maturity:
    """Raises NotFound."""
    service = tools.catalog.find(slug)
    if service is None:
        raise NotFound("service_unknown")
    return _maturity(service, (await read_evidence(connection)).get(slug, _NOTHING), language)


def register(tools: CaseTools) -> list[dict[str, str]]:
    """Every service under the names of SIA-SPBE, which are Indonesian in every language."""
    return [_registered(each, tools) for each in tools.catalog.services()]


def register_csv(rows: Sequence[dict[str, str]]) -> bytes:
    written = io.StringIO()
    table = csv.DictWriter(written, [text(f"city.register.{name}", "id") for name in REGISTER], lineterminator="\r\n")
    table.writeheader()
    table.writerows(rows)
    return written.getvalue().encode("utf-8-sig")


def _maturity(service: CatalogService, measured: Measured, language: Language) -> Maturity:
    levels = levels_of(measured.facts, language)
    level = level_of(levels)
    return Maturity(
        service=service.slug,
        title=service.title.into(language),
        agency=service.agency_id,
        level=level,
        meets_bar=level >= BAR,
        measured_at=measured.measured_at,
        levels=levels,
    )


def _registered(service: CatalogService, tools: CaseTools) -> dict[str, str]:
    about = service.manifest
    systems = {tools.systems[name].agency for name in service.backends if name in tools.systems}
    told = {
        "id": service.slug,
        "purpose": about.summary.id,
        "function": about.title.id,
        "related_agencies": ", ".join(sorted(systems - {service.agency_id})),
        "target": text("city.register.citizens", "id"),
        "method": text(f"city.register.mode.{about.mode}", "id"),
        "benefit": about.product.id,
        "unit": tools.catalog.agency(service.agency_id).name.id,
    }
    return {text(f"city.register.{name}", "id"): told.get(name, "") for name in REGISTER}
