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
    """One service module: its rules, and the name of the backend behind it."""

    handler: CaseHandler
    backend: str


class CaseTools(msgspec.Struct, frozen=True):
    """Everything the actions need beside their own transaction."""

    database: Database
    vault: Vault
    valkey: Valkey
    catalog: Catalog
    files: FileStore
    wakeups: Wakeups
    modules: Mapping[str, ModuleTools]
