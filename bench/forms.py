"""The 2 KB every server is handed at a submission: the research permit's form, and its shape for the floor."""

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

SERVICE = "research-permit"
"""Slug of the product's service whose form FORM is."""

FORM: dict[str, Any] = {
    "kind": "new",
    "purpose": (
        "Penyusunan tesis magister administrasi publik tentang pelayanan perizinan satu pintu di tingkat kota, dengan "
        "tujuan menyusun saran perbaikan alur kerja antara loket, dinas teknis, dan pemohon, serta mengukur pengaruh "
        "pemberitahuan berkala terhadap jumlah pertanyaan yang datang ke loket. Laporan akhir diserahkan kepada "
        "pemerintah kota dan dapat dibaca umum."
    ),
    "applicant_address": "Jl. Mawar No. 17, RT 02 RW 03, Kelurahan Bandar Lor, Kecamatan Mojoroto",
    "applicant_village_code": "35.71.01.1001",
    "researcher_type": "university",
    "business_name": "Program Pascasarjana Universitas Contoh Nusantara",
    "business_address": "Jl. Pendidikan No. 100, Gedung C Lantai 3, Kelurahan Sukorame, Kecamatan Mojoroto",
    "business_phone": "0354700900",
    "supervisor": "Prof. Dr. Contoh Pembimbing, M.Si.",
    "topic": "Pengaruh penyatuan layanan perizinan terhadap lama waktu tunggu dan kepuasan warga: telaah atas 3 dinas",
    "field": "social",
    "method": (
        "Wawancara terstruktur dengan petugas loket dan pemohon, pengamatan langsung selama jam pelayanan, serta "
        "telaah atas catatan waktu setiap tahap permohonan. Responden dipilih acak dari daftar pemohon yang bersedia; "
        "nama dan nomor identitas tidak dicatat, dan seluruh jawaban disimpan tanpa tanda pengenal sampai selesai. "
        "Hasilnya dibahas bersama dinas terkait sebelum laporan akhir disusun dan diserahkan kepada pemerintah kota."
    ),
    "location": (
        "Dinas Penanaman Modal dan PTSP, Dinas Kesehatan, Dinas Sosial, dan Mal Pelayanan Publik Kota Kediri; "
        "wawancara lanjutan di tiga kelurahan pada Kecamatan Mojoroto, Kota, dan Pesantren"
    ),
    "team_size": 4,
    "starts_on": "2027-02-01",
    "ends_on": "2027-07-31",
    "requirements_met": [
        "identity_card",
        "proposal",
        "obey_statement",
        "validity_statement",
        "photograph",
        "introduction_letter",
        "legal_entity_proof",
    ],
    "documents": "018f3c5e-0000-7000-8000-000000000001",
    "declaration": True,
}

Short = Annotated[str, msgspec.Meta(min_length=2, max_length=120)]
Line = Annotated[str, msgspec.Meta(min_length=3, max_length=300)]
Paragraph = Annotated[str, msgspec.Meta(min_length=3, max_length=500)]
Day = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
Requirement = Annotated[str, msgspec.Meta(max_length=40)]


class ResearchForm(msgspec.Struct, forbid_unknown_fields=True):
    kind: Literal["new", "renewal"]
    purpose: Paragraph
    applicant_address: Line
    applicant_village_code: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{2}\.[0-9]{2}\.[0-9]{2}\.[0-9]{4}$")]
    researcher_type: Literal["individual", "university", "company", "organisation"]
    business_name: Short
    business_address: Line
    business_phone: Annotated[str, msgspec.Meta(pattern=r"^(\+62|62|0)[0-9]{7,13}$")]
    supervisor: Short
    topic: Line
    field: Literal["social", "health", "education", "economy", "engineering", "agriculture", "law", "other"]
    method: Paragraph
    location: Line
    team_size: Annotated[int, msgspec.Meta(ge=1, le=200)]
    starts_on: Day
    ends_on: Day
    requirements_met: Annotated[list[Requirement], msgspec.Meta(min_length=1, max_length=10)]
    documents: UUID
    declaration: bool


class Submission(msgspec.Struct, forbid_unknown_fields=True):
    service: Annotated[str, msgspec.Meta(max_length=63)]
    form: ResearchForm


def body(service: str, documents: str) -> bytes:
    """The submission's bytes, with an attachment's id as its documents."""
    return msgspec.json.encode({"service": service, "form": {**FORM, "documents": documents}})
