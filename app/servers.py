"""The settings of a command that talks to PostgreSQL and Valkey: those named, or the embedded ones of `loket run`."""

import os

from app.embedded import EmbeddedPostgres, EmbeddedValkey
from app.settings import Settings, SettingsError, settings


def settings_with_servers() -> Settings:
    """Raises SettingsError where no database is named and none runs here."""
    ours = settings()
    if not ours.database_url:
        postgres = EmbeddedPostgres(ours.data_dir / "postgres")
        if not postgres.is_ready():
            raise SettingsError("no database: set LOKET_DATABASE_URL, or have `make run` running in another terminal")
        os.environ["LOKET_DATABASE_URL"] = postgres.serving_url()
        os.environ["LOKET_MIGRATION_DATABASE_URL"] = postgres.url()
    if not ours.valkey_url:
        os.environ["LOKET_VALKEY_URL"] = EmbeddedValkey(ours.data_dir / "valkey").url()
    settings.cache_clear()
    return settings()
