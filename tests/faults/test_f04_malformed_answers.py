"""F04: whatever stands in an agency's answer, it is read as what it says or refused as not understood; nothing else."""

import random

import pytest

from app.agency_client import AgencyClient
from app.errors import AgencyError, AgencyUnavailable
from app.manifest import integration_manifests
from app.settings import BackendSettings
from integrations.sicantik.client import SicantikClient
from tests.harness.listener import answering, listening

GOOD = b'[{"no_surat": "503/1", "n_pemohon": "Siti", "n_perizinan": "Izin", "tgl_surat": "2026-03-02"}]'
NO_LIST = {
    "empty 200": b"",
    "null": b"null",
    "number": b"7",
    "text": b'"tidak ada"',
    "object": b'{"status": true}',
    "list of lists": b"[[1, 2]]",
    "list of nulls": b"[null]",
    "half": GOOD[:40],
    "html": b"<!DOCTYPE html><html><body>Maintenance</body></html>",
    "xml": b"<error/>",
    "not utf-8": b'[{"n_pemohon": "\xff\xfe"}]',
    "deep": b"[" * 50_000 + b"]" * 50_000,
    "two": GOOD + GOOD,
    "nan": b'[{"id": NaN}]',
    "nul": b"\x00" * 1000,
}


async def asked(body: bytes) -> object:
    manifest = integration_manifests()["sicantik"]
    async with listening(answering(body=body)) as server:
        settings = BackendSettings("sicantik", f"http://127.0.0.1:{server.port}", {}, dict(manifest.settings))
        client = AgencyClient(manifest, settings)
        try:
            return await SicantikClient(client).prove("503/1")
        finally:
            await client.close()


@pytest.mark.parametrize("body", NO_LIST.values(), ids=NO_LIST)
async def test_what_is_no_answer_is_not_taken_for_one(body: bytes) -> None:
    with pytest.raises(AgencyUnavailable, match="not understood"):
        await asked(body)


async def test_a_good_answer_is() -> None:
    assert isinstance(await asked(GOOD), list)


async def test_bytes_changed_by_chance_never_surprise() -> None:
    chance = random.Random(4)
    for _ in range(150):
        changed = bytearray(GOOD)
        for _ in range(chance.randint(1, 6)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        try:
            rows = await asked(bytes(changed))
        except AgencyError:
            continue
        assert isinstance(rows, list)
        assert all(isinstance(row, dict) for row in rows)
