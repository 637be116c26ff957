"""What the cases room works with, assembled once per process."""

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from app.agency_reads import Reads
from app.backends.tools import Backends
from app.cases.files import FileStore
from app.cases.port import CaseHandler
from app.cases.wakeups import Wakeups
from app.catalog.catalog import Catalog
from app.database import Database
from app.manifest import IntegrationManifest
from app.privacy import Vault
from app.valkey import Valkey


class ModuleTools(msgspec.Struct, frozen=True):
    """One service module: its rules, and the backend behind it, by facility where each has its own (else under "")."""

    handler: CaseHandler
    backends: Mapping[str, str]


class CaseTools(msgspec.Struct, frozen=True):
    """Everything the actions need beside their own transaction. By backend: `late_effects_s`, how long after its
    sending began it may still act on what it was sent, and `systems`, what its integration says of it."""

    database: Database
    vault: Vault
    valkey: Valkey
    catalog: Catalog
    files: FileStore
    wakeups: Wakeups
    modules: Mapping[str, ModuleTools]
    late_effects_s: Mapping[str, float]
    backends: Backends
    reads: Reads
    systems: Mapping[str, IntegrationManifest]

    @property
    def told(self) -> str:
        """By service, on which basis which parts of a person's data its cases send, as JSON for the record."""
        return _encoded(self.catalog)


@lru_cache(maxsize=4)
def _encoded(catalog: Catalog) -> str:
    return msgspec.json.encode(catalog.told).decode()
