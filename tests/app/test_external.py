"""Servers we are pointed at: what is said of one that cannot be used names it and the setting, never its password."""

import socket

import pytest

from app.external import ExternalServerError, address, check_postgres, check_valkey
from tests.harness.product import free_port

PASSWORD = "a-password-nobody-may-see"


async def test_tells_the_versions(postgres_url: str, valkey_url: str) -> None:
    assert int((await check_postgres(postgres_url)).split(".")[0]) >= 15
    assert int((await check_valkey(valkey_url)).split(".")[0]) >= 7


async def test_refuses_what_is_too_old(postgres_url: str, valkey_url: str) -> None:
    with pytest.raises(ExternalServerError, match="at least 99 is needed"):
        await check_postgres(postgres_url, oldest=99)
    with pytest.raises(ExternalServerError, match="at least 99 is needed"):
        await check_valkey(valkey_url, oldest=99)


async def test_names_where_nothing_listens() -> None:
    port = free_port()
    with pytest.raises(ExternalServerError) as postgres:
        await check_postgres(f"postgresql://loket:{PASSWORD}@127.0.0.1:{port}/loket")
    with pytest.raises(ExternalServerError) as valkey:
        await check_valkey(f"redis://:{PASSWORD}@127.0.0.1:{port}/0")
    for said, setting in ((postgres, "LOKET_DATABASE_URL"), (valkey, "LOKET_VALKEY_URL")):
        assert f"127.0.0.1:{port}" in str(said.value)
        assert setting in str(said.value)
        assert PASSWORD not in str(said.value)


async def test_names_what_is_no_database() -> None:
    """Something listens and says nothing of PostgreSQL's: named, and soon."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(ExternalServerError, match="does not answer within"):
            await check_postgres(f"postgresql://loket:{PASSWORD}@127.0.0.1:{port}/loket")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"postgresql://loket:{PASSWORD}@db.kota.example:6432/loket", "db.kota.example:6432"),
        ("postgresql://db.kota.example/loket", "db.kota.example:5432"),
        (f"postgresql://loket:{PASSWORD}@db:notaport/loket", "an address that cannot be read"),
    ],
)
def test_shows_an_address_without_secrets(url: str, shown: str) -> None:
    assert address(url, 5432) == shown
