"""What refusals mean, by the words that vendors' systems use; and raising them."""

from app.agency_answers import Envelope, for_officers, matching
from app.errors import AgencyError, AgencyRejected, AgencyUnavailable, AlreadyThere, OutcomeUnknown
from services.health.port import Refusal

NEW_PATIENT = 202
_ALREADY = "already"
# Twice is as once.
CHECKED_IN = "checked_in"
# In this order: a message names more than what it refuses ("nomor antrean", "poli ini").
_TICKETS: tuple[tuple[Refusal | str, tuple[str, ...]], ...] = (
    ("already_served", ("sudah|telah", "check|cekin|cek in", "dibatalkan|batal")),
    (CHECKED_IN, ("sudah|telah", "check|cekin|cek in")),
    ("already_served", ("sudah dilayani|telah dilayani|sudah diperiksa",)),
    (_ALREADY, ("1 kali|satu kali|1x",)),
    (_ALREADY, ("sudah|telah", "mengambil|memiliki|mendaftar|terdaftar|ada antre|ada antri", "antre|antri|poli")),
    (
        "ticket_unknown",
        (
            "antre|antri|booking|kodebooking",
            "tidak ditemukan|tidak ada|belum ada|sudah dibatalkan|telah dibatalkan|sudah batal",
        ),
    ),
    ("ticket_unknown", ("sudah dibatalkan|telah dibatalkan|belum mendaftar|tidak terdaftar di poli",)),
    ("quota_full", ("kuota|quota", "penuh|habis|terpenuhi|tidak tersedia|tidak mencukupi")),
    ("quota_full", ("antrean sudah penuh|antrian sudah penuh|pendaftaran penuh",)),
    ("hours_over", ("tutup jam|tutup pukul|sudah lewat jam|jam pelayanan sudah|jam praktek sudah|melewati jam",)),
    ("clinic_closed", ("tutup|ditutup|libur|tidak ada pelayanan|tidak melayani|tidak praktek",)),
    (
        "doctor_unknown",
        ("dokter", "tidak ditemukan|tidak ada|tidak sesuai|belum tersedia|tidak terdaftar|kosong|belum"),
    ),
    (
        "clinic_unknown",
        ("poli", "tidak ditemukan|tidak ada|tidak sesuai|tidak terdaftar|kosong|belum diisi|tidak dikenal"),
    ),
    ("referral_invalid", ("rujukan|referensi|jenis kunjungan|surat kontrol|skdp",)),
    ("card_invalid", ("kartu",)),
    ("nik_invalid", ("nik",)),
    ("phone_invalid", ("no hp|nohp|nomor hp|no. hp|telepon|telp|handphone",)),
    ("complaint_missing", ("keluhan",)),
    ("doctor_unknown", ("jam prakt",)),
    ("patient_unknown", ("pasien|peserta", "tidak ditemukan|belum terdaftar|tidak terdaftar|baru")),
    (
        "date_past",
        ("tanggal", "sudah lewat|telah lewat|terlewat|mundur|kurang dari|sebelum hari|tidak berlaku|backdate"),
    ),
    (
        "date_too_far",
        ("tanggal|pendaftaran", "maksimal|paling lambat|melebihi|terlalu jauh|hari ke depan|hari kedepan"),
    ),
    ("date_invalid", ("tanggal", "format|yyyy|tidak sesuai|salah|kosong|belum diisi")),
)
_PATIENTS: tuple[tuple[Refusal, tuple[str, ...]], ...] = (
    ("patient_exists", ("sudah", "terdaftar|dientri|ada|pernah")),
    ("patient_exists", ("duplikat|duplicate|telah terdaftar",)),
    ("patient_incomplete", ("kosong|belum diisi|wajib|harus diisi|required|format|tidak sesuai|tidak valid|digit",)),
)


def refusal(backend: str, operation: str, said: Envelope) -> AgencyError:
    """The error for an answer whose code is not 200: a refusal in our words, or a failure over there."""
    detail = for_officers(f"{said.code} {said.message}")
    if said.code >= 500:
        failed = AgencyUnavailable if operation in ("status", "remaining") else OutcomeUnknown
        return failed(backend, operation, detail, code="backend_failed")
    if said.code == NEW_PATIENT and operation == "take":
        return AgencyRejected(backend, operation, detail, code="patient_unknown")
    meaning = matching(said.message, _PATIENTS if operation == "register" else _TICKETS)
    if meaning == CHECKED_IN and operation != "check_in":
        meaning = "already_served"
    if meaning == _ALREADY and operation == "take":
        return AlreadyThere(backend, operation, detail, code="already_there")
    return AgencyRejected(backend, operation, detail, code=meaning if meaning not in ("", _ALREADY) else "refused")
