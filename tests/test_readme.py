"""The README's tour and the guides', run as they stand by bash against the running product."""

from pathlib import Path

import pytest

from app.demo import seed
from tests.harness.product import Api, Running, Sandboxes
from tests.harness.tour import told_on_tour

TOURS = {
    "README.md": ('"Siti Aminah"', "outdoor-advertising", "'state': 'delivered'", "Permohonan selesai.", "%PDF-1."),
    "docs/login.md": ("code_wrong", "same successor", "session_revoked", "'network': '127.0.*.*'", "waiting"),
    "docs/social-aid.md": (
        "Program Keluarga Harapan (PKH)",
        "kelompok ke-2 dari bawah",
        "Menunggu penyaluran",
        '"decision": "accepted"',
        '"validity":"valid"',
        "%PDF-1.",
        '"genuine":true',
    ),
    "docs/delegations.md": (
        "Siti Aminah",
        "Papan nama warung",
        "case_not_found",
        "acting_not_allowed",
        "delegation_invalid",
    ),
    "docs/health.md": (
        "Puskesmas Balowerti",
        "case_exists",
        "withdrawn",
        '"ticket_number":"A',
        '"called":false',
        "already_served",
        "consent_missing",
        '"kind":"PEKERJA MANDIRI"',
        '"source":"BPJS Kesehatan"',
    ),
}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("document", TOURS)
async def test_the_tour_works_line_by_line(
    document: str, api: Api, worker: Running, sandboxes: Sandboxes, tmp_path: Path
) -> None:
    assert worker.process.poll() is None
    assert sandboxes.url("fonnte")
    await seed(api.settings)
    told = await told_on_tour(document, api, tmp_path)
    for expected in TOURS[document]:
        assert expected in told, f"{expected} is missing in:\n{told}"
    if document == "README.md":
        assert '"genuine":true' in told.replace(" ", ""), told
    elif document == "docs/health.md":
        assert told.count("consent_missing") == 2, told
    elif document == "docs/login.md":
        assert told.count("session_revoked") == 3, told
