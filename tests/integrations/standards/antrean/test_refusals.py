"""What agencies' own words for no mean, as vendors' systems have them."""

import pytest

from app.agency_answers import Envelope
from app.errors import AgencyRejected, AgencyUnavailable, AlreadyThere, OutcomeUnknown
from integrations.standards.antrean.refusals import CHECKED_IN, refusal

SAID = {
    "Nomor Kartu Belum Diisi": "card_invalid",
    "Nomor kartu harus 13 digit": "card_invalid",
    "Format NIK Tidak Sesuai ": "nik_invalid",
    "NIK harus 16 digit": "nik_invalid",
    "No. HP tidak boleh kosong": "phone_invalid",
    "Nomor Handphone Belum Diisi": "phone_invalid",
    "Poli Tidak Ditemukan": "clinic_unknown",
    "Kode Poli Belum Diisi": "clinic_unknown",
    "Dokter tidak ditemukan": "doctor_unknown",
    "Jadwal Dokter dr. Andi Tersebut Belum Tersedia, Silahkan Reschedule Tanggal dan Jam Praktek Lainnya": (
        "doctor_unknown"
    ),
    "Format Jam Praktek Tidak Sesuai": "doctor_unknown",
    "Format Tanggal Tidak Sesuai, format yang benar adalah yyyy-mm-dd": "date_invalid",
    "Tanggal Periksa Belum Diisi": "date_invalid",
    "Tanggal Periksa Sudah Lewat": "date_past",
    "Tanggal Periksa tidak boleh kurang dari tanggal hari ini": "date_past",
    "Tanggal Periksa Tidak Berlaku": "date_past",
    "Pendaftaran maksimal 30 hari ke depan": "date_too_far",
    "Pendaftaran ke Poli Ini Sedang Tutup": "clinic_closed",
    "Poli Gigi libur tanggal 2026-12-25": "clinic_closed",
    "Pendaftaran Ke Poli UMUM Sudah Tutup Jam 12:00": "hours_over",
    "Keluhan tidak boleh kosong": "complaint_missing",
    "Nomor Referensi Belum Diisi": "referral_invalid",
    "Rujukan tidak valid": "referral_invalid",
    "Jenis Kunjungan Tidak Ditemukan": "referral_invalid",
    "Pasien Sudah Checkin, Pendaftaran Tidak Bisa Dibatalkan": "already_served",
    "Kode Booking Tidak Ditemukan": "ticket_unknown",
    "Kuota antrean sudah habis": "quota_full",
    "Quota Poli Umum Penuh": "quota_full",
    "Pasien sudah dilayani, antrean tidak dapat dibatalkan!": "already_served",
    "Antrean Tidak Ditemukan": "ticket_unknown",
    "Antrean Tidak Ditemukan atau Sudah Dibatalkan": "ticket_unknown",
    "Data pasien ini tidak ditemukan": "patient_unknown",
    "Klinik sedang sibuk": "refused",
    "": "refused",
}
ALREADY = [
    "Nomor Antrean Hanya Dapat Diambil 1 Kali Pada Tanggal dan Poli Yang Sama",
    "Anda sudah mengambil antrean pada poli dan tanggal yang sama",
    "Pasien sudah terdaftar di poli yang sama",
    "Anda telah memiliki nomor antrian hari ini",
]


@pytest.mark.parametrize(("message", "code"), SAID.items())
def test_words_of_a_refused_ticket(message: str, code: str) -> None:
    error = refusal("x", "take", Envelope(201, message))
    assert (type(error), error.code) == (AgencyRejected, code)


@pytest.mark.parametrize(("operation", "code"), [("check_in", CHECKED_IN), ("cancel", "already_served")])
def test_checked_in_already_is_done_or_too_late(operation: str, code: str) -> None:
    assert refusal("x", operation, Envelope(201, "Anda Sudah Melakukan Checkin")).code == code


@pytest.mark.parametrize("message", ALREADY)
def test_words_of_a_second_ticket(message: str) -> None:
    assert isinstance(refusal("x", "take", Envelope(201, message)), AlreadyThere)
    assert refusal("x", "cancel", Envelope(201, message)).code == "refused"


def test_a_new_patient_is_told_by_the_code_alone() -> None:
    assert refusal("x", "take", Envelope(202, "Kuota habis")).code == "patient_unknown"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Data Peserta Sudah Pernah Dientrikan", "patient_exists"),
        ("NIK sudah terdaftar", "patient_exists"),
        ("Nomor KK Belum Diisi", "patient_incomplete"),
        ("Format Tanggal Lahir Tidak Sesuai", "patient_incomplete"),
        ("Gagal", "refused"),
    ],
)
def test_words_of_a_refused_patient(message: str, code: str) -> None:
    assert refusal("x", "register", Envelope(201, message)).code == code


@pytest.mark.parametrize(
    ("operation", "kind"), [("status", AgencyUnavailable), ("take", OutcomeUnknown), ("cancel", OutcomeUnknown)]
)
def test_a_failure_inside_the_envelope_is_no_refusal(operation: str, kind: type[Exception]) -> None:
    assert isinstance(refusal("x", operation, Envelope(500, "Internal Server Error")), kind)


def test_the_officer_reads_its_words_without_numbers_of_people() -> None:
    error = refusal("x", "take", Envelope(201, "Kartu 0002357190010 tidak aktif"))
    assert error.detail == "201 Kartu *** tidak aktif"
