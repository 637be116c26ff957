"""A copy of the product's tree whose city has 2,000 more services, to measure its search by."""

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

from app.settings import ROOT
from bench.load import request

SERVICES = 2_000
FOLDERS = ("app", "services", "integrations", "migrations")
AGENCIES = ("disdukcapil", "dinkes", "dinsos", "dpmptsp")
ACTS = (
    "Izin",
    "Rekomendasi",
    "Surat keterangan",
    "Pendaftaran",
    "Perpanjangan",
    "Penggantian",
    "Legalisasi",
    "Bantuan",
)
THINGS = (
    *(
        "usaha toko",
        "praktik bidan",
        "reklame",
        "pindah rumah",
        "kelahiran",
        "kematian",
        "perkawinan",
        "angkutan sungai",
    ),
    *(
        "warung makan",
        "apotek",
        "klinik gigi",
        "sekolah dasar",
        "kursus",
        "pasar malam",
        "parkir",
        "pemakaman",
        "air tanah",
    ),
    *("limbah cair", "bangunan gudang", "pohon tepi jalan", "siaran radio", "pertunjukan", "ternak ayam", "kolam ikan"),
)
PLACES = (
    "perorangan",
    "badan usaha",
    "koperasi",
    "yayasan",
    "warga luar kota",
    "pelajar",
    "lansia",
    "penyandang disabilitas",
)
QUESTIONS = (
    *("izin reklame", "surat ijin praktek bidan", "perpanjangan warung makan", "rekomendasi klinik gigi koperasi"),
    *(
        "bantuan lansia",
        "legalisasi kelahiran",
        "pendaftaran kursus pelajar",
        "izin parkir yayasan",
        "reklme",
        "penganti",
    ),
)
ENTRY = """
[[service]]
slug = "bench-{number}"
agency = "{agency}"
mode = "weblink"
title = {{ id = "{title}", en = "Service {number}" }}
summary = {{ id = "{title} di kota ini, diajukan lewat loket.", en = "One of the services of the bench." }}
requirements = []
procedure = []
working_days = 5
fee = {{ amount_idr = 0 }}
product = {{ id = "{title}", en = "Service {number}" }}
complaints = {{ id = "Loket pengaduan.", en = "The complaints desk." }}
legal_basis = []
"""


def copy_tree(to: Path) -> Path:
    """The tree with the services added to the links of every city."""
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, to / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "alembic.ini", to)
    with (to / "app" / "catalog" / "cities" / "links.toml").open("a", encoding="utf-8") as links:
        links.writelines(_entries())
    return to


def questions() -> list[bytes]:
    """Searches as people type them, slips included."""
    return [request("GET", f"/v1/services?q={question.replace(' ', '+')}") for question in QUESTIONS]


def _entries() -> Iterator[str]:
    names = itertools.cycle(itertools.product(ACTS, THINGS, PLACES))
    for number, (act, thing, place) in zip(range(SERVICES), names, strict=False):
        agency = AGENCIES[number % len(AGENCIES)]
        yield ENTRY.format(number=number, agency=agency, title=f"{act} {thing} {place} {number // 1536 + 1}")
