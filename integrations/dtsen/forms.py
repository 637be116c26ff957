"""A request as the service takes it: its fields, and the pictures that go with them."""

from collections.abc import Mapping, Sequence

from app.agency_client import FormFile
from app.agency_fields import local_phone
from services.social_aid.port import AidRequest, Photo

_KINDS = {"proposal": "USUL", "objection": "SANGGAH", "certificate": "KETERANGAN"}
_ABOUT = {
    "decile": "desil",
    "programme": "program",
    "members": "anggota",
    "address": "alamat",
    "payment": "penyaluran",
}
_PURPOSES = {
    "school_admission": "Penerimaan murid baru",
    "scholarship": "Beasiswa",
    "health_care": "Layanan kesehatan",
    "legal_aid": "Bantuan hukum",
    "other": "Lainnya",
}
_SOURCES = {"photo": "FOTO", "citizen": "PEMOHON", "unknown": "TIDAK DIKETAHUI"}
_ENDINGS = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "application/pdf": ".pdf"}


def request_fields(request: AidRequest) -> Mapping[str, object]:
    """What is handed in as JSON. Places and times of pictures stand in the pictures' order."""
    return {
        "referensi": request.reference,
        "jenis": _KINDS[request.kind],
        "nik_pemohon": request.applicant_nik,
        "nama_pemohon": request.applicant_name,
        "telepon": local_phone(request.applicant_phone),
        "alamat": request.address,
        "kode_kelurahan": request.village_code,
        "rt": request.rt,
        "rw": request.rw,
        "alasan": request.reason,
        "pokok": _ABOUT.get(request.about, request.about),
        "kode_program": request.programme,
        "keperluan": _PURPOSES.get(request.purpose, request.purpose),
        "diajukan": request.submitted_at.isoformat(timespec="seconds"),
        "keterangan": {name: value for name, value in request.extra.items() if value not in (None, "", [], {})},
        "foto": [_evidence(photo) for photo in request.photos],
    }


def pictures(request: AidRequest) -> Sequence[FormFile]:
    """Photos as `foto`, papers as `lampiran`, under names that tell nothing of the person."""
    photos = [
        FormFile("foto", f"foto-{at}{_ENDINGS.get(photo.media_type, '')}", photo.media_type, photo.content)
        for at, photo in enumerate(request.photos, start=1)
    ]
    papers = [
        FormFile("lampiran", f"lampiran-{at}{_ENDINGS.get(file.media_type, '')}", file.media_type, file.content)
        for at, file in enumerate(request.files, start=1)
    ]
    return [*photos, *papers]


def _evidence(photo: Photo) -> Mapping[str, object]:
    return {
        "lintang": photo.latitude,
        "bujur": photo.longitude,
        "sumber_lokasi": _SOURCES[photo.place_source],
        "waktu": photo.taken_at.isoformat(timespec="seconds") if photo.taken_at else None,
        "sumber_waktu": _SOURCES[photo.time_source],
    }
