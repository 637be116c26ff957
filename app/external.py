"""Servers we are pointed at: whether they answer and are new enough. What is said names the setting, no password."""

import asyncio
from urllib.parse import urlsplit

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, RedisError

from app.database import driver_url
from app.settings import Settings

OLDEST_POSTGRES = 15
OLDEST_VALKEY = 7
_PATIENCE_S = 5

_ENDED: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((asyncpg.InvalidAuthorizationSpecificationError,), "refuses the user or password"),
    ((asyncpg.InvalidCatalogNameError,), "has no such database"),
    ((asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError), "has not the form this needs: run `loket migrate`"),
    (
        (asyncpg.InsufficientPrivilegeError,),
        "does not let this role do that: `loket migrate` as the owner gives rights",
    ),
    ((asyncpg.LockNotAvailableError,), "has it held by somebody else: nothing was done, try again"),
    ((OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError), "cannot be reached, or went away"),
    ((asyncpg.TooManyConnectionsError, asyncpg.DiskFullError), "cannot serve now"),
)


class ExternalServerError(Exception):
    """A server cannot be used; the message says which, where, why, and which setting names it."""


async def check_postgres(url: str, oldest: int = OLDEST_POSTGRES) -> str:
    """Its version. Raises ExternalServerError where it cannot be used, or is older than `oldest`."""
    where = f"PostgreSQL at {address(url, 5432)} (LOKET_DATABASE_URL)"
    try:
        connection = await asyncpg.connect(driver_url(url), timeout=_PATIENCE_S)
    except TimeoutError:
        raise ExternalServerError(f"{where} does not answer within {_PATIENCE_S} s") from None
    except asyncpg.InvalidAuthorizationSpecificationError:
        raise ExternalServerError(f"{where} refuses the user or password") from None
    except asyncpg.InvalidCatalogNameError:
        raise ExternalServerError(f"{where} has no such database: create it first") from None
    except OSError as error:
        raise ExternalServerError(f"{where} cannot be reached: {error.strerror or 'connection refused'}") from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise ExternalServerError(f"{where} cannot be used: {type(error).__name__}") from None
    try:
        version = connection.get_server_version()
    finally:
        await connection.close()
    if version.major < oldest:
        raise ExternalServerError(f"{where} is version {version.major}: at least {oldest} is needed")
    return f"{version.major}.{version.minor}"


async def check_valkey(url: str, oldest: int = OLDEST_VALKEY) -> str:
    """Its version. Raises ExternalServerError where it cannot be used, or is older than `oldest`."""
    where = f"Valkey at {address(url, 6379)} (LOKET_VALKEY_URL)"
    try:
        client = Redis.from_url(url, socket_timeout=_PATIENCE_S, socket_connect_timeout=_PATIENCE_S)
        async with client, asyncio.timeout(_PATIENCE_S):
            info = await client.info("server")
    except AuthenticationError:
        raise ExternalServerError(f"{where} refuses the user or password") from None
    except TimeoutError:
        raise ExternalServerError(f"{where} does not answer within {_PATIENCE_S} s") from None
    except (RedisError, OSError, ValueError) as error:
        raise ExternalServerError(f"{where} cannot be reached: {type(error).__name__}") from None
    version = str(info.get("valkey_version") or info["redis_version"])
    if int(version.split(".", maxsplit=1)[0]) < oldest:
        raise ExternalServerError(f"{where} is version {version}: at least {oldest} is needed")
    return version


def words_for(error: BaseException, settings: Settings) -> str | None:
    """What to say at a terminal where a command ended so; None where it is no server's doing."""
    while error.__cause__ is not None and not isinstance(error, OSError | asyncpg.PostgresError):
        error = error.__cause__
    where = f"PostgreSQL at {address(settings.database_url, 5432)}"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    for kinds, told in _ENDED:
        if isinstance(error, kinds):
            return f"{where} {told} ({type(error).__name__})"
    return None


def address(url: str, default_port: int) -> str:
    """host:port of an address, never its user or password."""
    try:
        parts = urlsplit(url)
        return f"{parts.hostname or 'localhost'}:{parts.port or default_port}"
    except ValueError:
        return "an address that cannot be read"
