"""What the cases room works with, assembled once per process."""

from collections.abc import Mapping

import msgspec

from app.cases.files import FileStore
from app.cases.port import CaseHandler
from app.cases.wakeups import Wakeups
from app.catalog.catalog import Catalog
from app.database import Database
from app.privacy import Vault
from app.valkey import Valkey


class ModuleTools(msgspec.Struct, frozen=True):
    """One service module: its rules, the backend behind it, and how long after a lost answer that may still act."""

    handler: CaseHandler
    backend: str
    late_effect_s: float


class CaseTools(msgspec.Struct, frozen=True):
    """Everything the actions need beside their own transaction."""

    database: Database
    vault: Vault
    valkey: Valkey
    catalog: Catalog
    files: FileStore
    wakeups: Wakeups
    modules: Mapping[str, ModuleTools]
