"""A registration as SICANTIK takes it: its fields, what goes into its one file, and texts made harmless."""

import re
import unicodedata
from collections.abc import Sequence

import msgspec

from app.agency_client import FormFile
from app.agency_fields import local_phone
from app.cases.port import File
from services.permits.port import PermitApplication

MAX_FILE_BYTES = 2_000 * 1024
MAX_REMARK_LENGTH = 1_000
_TAKEN_TYPES = {
    "application/pdf": ".pdf",
    "application/msword": ".doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
}
# Texts reach SQL and an officer's browser with no escaping to rely on: what means something there is sent as its
# typographic twin, which reads the same.
_HARMLESS = str.maketrans("'`\"\\<>;", "\u2019\u2019\u201d/\u2039\u203a,")


class Ids(msgspec.Struct, frozen=True):
    """What the agency's own lists call the things of one application. A village id is "" where its lists lack it."""

    permit: str
    kind: str
    unit: str
    requirements: Sequence[str]
    applicant_village: str
    business_village: str


def registration_form(application: PermitApplication, ids: Ids) -> list[tuple[str, str]]:
    """The fields of `pendaftaran`.

    Its public proof of a licence joins the business and the business's village, so a licence of a person without a
    business could never be proven: an applicant without one is registered as their own.
    """
    own = not application.business_name
    return [
        ("jenis_izin_id", ids.permit),
        ("jenis_permohonan_id", ids.kind),
        ("unit_kerja_id", ids.unit),
        ("keterangan", _remark(application)),
        ("tgl_daftar", application.submitted_on.isoformat()),
        ("no_refer", application.reference),
        ("cmbsource", "Satu Loket"),
        ("nama_pemohon", clean(application.applicant_name)),
        ("no_telp", local_phone(application.applicant_phone)),
        ("alamat_pemohon", clean(application.applicant_address)),
        ("kelurahan_pemohon", ids.applicant_village),
        ("nama_perusahaan", clean(application.applicant_name if own else application.business_name)),
        ("npwp", re.sub(r"[^0-9]", "", application.business_tax_number)),
        ("telpPerusahaan", local_phone(application.applicant_phone if own else application.business_phone)),
        ("alamat_usaha", clean(application.applicant_address if own else application.business_address)),
        ("no_registrasi", application.reference),
        ("kelurahan_usaha", ids.business_village or ids.applicant_village),
        *(("pemohon_syarat[]", requirement) for requirement in ids.requirements),
    ]


def sent_file(application: PermitApplication) -> tuple[FormFile, ...]:
    """The one file it takes: the first of a type and size it would not drop without a word.

    Named after our case, because over there the file's name is all that ties it to its registration. Whatever is not
    sent stays with us, and `keterangan` names it.
    """
    chosen = _chosen(application.files)
    if chosen is None:
        return ()
    name = re.sub(r"[^A-Za-z0-9-]", "-", application.reference) + _TAKEN_TYPES[chosen.media_type]
    return (FormFile("file", name, chosen.media_type, chosen.content),)


def clean(value: str) -> str:
    """One line without control characters, quotes, angle brackets, backslashes and semicolons."""
    if not value.isprintable():
        value = "".join(" " if unicodedata.category(letter).startswith("C") else letter for letter in value)
    return " ".join(value.translate(_HARMLESS).split())


def _chosen(files: Sequence[File]) -> File | None:
    fitting = (file for file in files if file.media_type in _TAKEN_TYPES and len(file.content) <= MAX_FILE_BYTES)
    return next(fitting, None)


def _remark(application: PermitApplication) -> str:
    """Everything the form has no field for, so that the officer need not look it up with us."""
    chosen = _chosen(application.files)
    parts = [application.reference, application.purpose]
    parts += [f"{name}: {value}" for name, value in application.extra.items() if value not in (None, "", [], {})]
    kept = [file.name for file in application.files if file is not chosen]
    if kept:
        parts.append("berkas di Satu Loket: " + ", ".join(kept))
    return clean(" | ".join(parts))[:MAX_REMARK_LENGTH]
