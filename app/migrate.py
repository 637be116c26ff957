"""Bringing a database to its newest form: alembic's migrations under an advisory lock: two starts never race."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.database import sqlalchemy_url
from app.roles import grant
from app.settings import ROOT

_LOCK = 7_216_540_118
_LOCK_WAIT = "60s"


async def upgrade(url: str, serving: str | None = None) -> None:
    """Run every migration that `url`, the owner's address, has not seen; then `serving`, a role, gets its rights."""
    engine = create_async_engine(sqlalchemy_url(url), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"SET lock_timeout = '{_LOCK_WAIT}'"))
            await connection.execute(text(f"SELECT pg_advisory_lock({_LOCK})"))
            await connection.commit()  # the lock is the session's and stays
            await connection.run_sync(_upgrade)
            await connection.commit()
            if serving is not None:
                await connection.run_sync(grant, serving)
                await connection.commit()
    finally:
        await engine.dispose()


def alembic_config(connection: Connection) -> Config:
    """Alembic on a connection that is already there."""
    config = Config(Path(ROOT, "alembic.ini"))
    config.attributes["connection"] = connection
    return config


def alembic_scripts() -> ScriptDirectory:
    """The migrations of this version."""
    return ScriptDirectory.from_config(Config(Path(ROOT, "alembic.ini")))


def _upgrade(connection: Connection) -> None:
    command.upgrade(alembic_config(connection), "head")
