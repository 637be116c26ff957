"""The product's parts joined for one process: the API, a worker and the command `loket` all begin here."""

import msgspec

from app.agency_client import Observe, Shared
from app.agency_reads import Reads
from app.backends.measuring import Measurer
from app.backends.tools import Backends
from app.cases.files import FileStore
from app.cases.tools import CaseTools, ModuleTools
from app.cases.wakeups import Wakeups
from app.catalog.catalog import Catalog
from app.catalog.health import HealthRecorder
from app.database import Database
from app.discovery import Assembly, assemble
from app.inbox.actions import InboxCourier
from app.limits import Limiter
from app.login.gate import Gate, Parts
from app.privacy import Vault, open_vault
from app.settings import Settings
from app.telemetry import configure_logs, observe_agency
from app.texts import load_texts, text_roots
from app.tracing import Tracing
from app.valkey import Valkey


class Product(msgspec.Struct, frozen=True):
    """Everything one process works with. Nothing is connected before it is used."""

    settings: Settings
    found: Assembly
    database: Database
    vault: Vault
    valkey: Valkey
    limiter: Limiter
    catalog: Catalog
    gate: Gate
    cases: CaseTools
    health: HealthRecorder
    measurer: Measurer
    backends: Backends

    async def close(self) -> None:
        await self.backends.close()
        await self.valkey.close()
        await self.found.close()
        await self.health.close()
        await self.measurer.close()
        await self.database.close()


def build(settings: Settings, name: str) -> Product:
    """Read every manifest, form and text, and join the parts. `name` tells PostgreSQL which process asks.

    Raises SettingsError or ManifestError before anything is served.
    """
    configure_logs(settings.log_level)
    load_texts(*text_roots())
    database = Database(settings.database_url, pool_size=settings.db_pool, name=name)
    health, measurer = HealthRecorder(database), Measurer(database)
    valkey = Valkey(settings.valkey_url)
    backends = Backends.of(database, valkey)
    shared = Shared(
        breakers=backends.breakers,
        pace=backends.pace,
        leases=backends.leases,
        observe=_observer(health, measurer),
    )
    found = assemble(settings, shared)
    vault = open_vault(settings)
    limiter = Limiter(valkey, lifted=settings.limits == "load")
    catalog = Catalog.load(settings.city)
    cases = CaseTools(
        database=database,
        vault=vault,
        valkey=valkey,
        catalog=catalog,
        files=FileStore(settings.files_url, settings.data_dir / "files", vault),
        wakeups=Wakeups(valkey),
        modules={name: ModuleTools(module.handler, module.backends) for name, module in found.modules.items()},
        late_effects_s={name: client.manifest.late_effect_s for name, client in found.clients.items()},
        backends=backends,
        reads=Reads(valkey, vault),
        systems={name: client.manifest for name, client in found.clients.items()},
    )
    register = found.ports.get("login")
    gate = Gate(Parts(settings, database, vault, valkey, limiter, InboxCourier(vault), register))
    return Product(settings, found, database, vault, valkey, limiter, catalog, gate, cases, health, measurer, backends)


def open_tracing(settings: Settings, name: str) -> Tracing | None:
    """Traces of this process on their way to the collector that the settings name; None where they name none."""
    if not settings.otlp_url:
        return None
    from app.collector import Collector  # noqa: PLC0415 - a fifth of a second, and 20 MB, for those who have one

    resource = {
        "service.name": f"loket-{name}",
        "service.namespace": "loket",
        "deployment.environment.name": settings.env,
    }
    collector = Collector(settings.otlp_url, resource)
    return Tracing(settings.trace_ratio, settings.trace_slow_s, collector.offer, collector.close)


def _observer(health: HealthRecorder, measurer: Measurer) -> Observe:
    """Every call to an agency is counted, and measured: for the catalogue, and for officers."""

    def observe(backend: str, operation: str, outcome: str, seconds: float) -> None:
        observe_agency(backend, operation, outcome, seconds)
        measurer.record(backend, operation, outcome, seconds)
        if outcome != "not_asked":
            health.record(backend, ok=outcome == "ok", seconds=seconds)

    return observe
