"""A case as its module sees it: decrypted for the one call to the agency that needs it."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from app.cases import attachments
from app.cases.port import Applicant, CaseData, File
from app.cases.tools import CaseTools
from app.errors import Forbidden
from app.login.models import BIRTH_DATE, CONTACT, NAME, NIK

FORM_CONTEXT = "cases.form"
# What `case_data` reads; the query joins cases with citizens.
CASE_DATA_COLUMNS = """
    cases.number, cases.citizen_id, cases.module, cases.service, cases.status, cases.form_version, cases.form_enc,
    cases.submitted_at, cases.agency_reference, citizens.nik_enc, citizens.name_enc, citizens.birth_date_enc,
    citizens.assurance_level, citizens.restricted_at,
    (SELECT value_enc FROM contacts WHERE contacts.citizen_id = cases.citizen_id
        AND kind = 'phone' AND confirmed_at IS NOT NULL ORDER BY confirmed_at DESC LIMIT 1) AS phone_enc
"""
# What `load_files` reads beside, from the same query: id, sealed name and media type of each attachment.
FILES_COLUMN = """
    ARRAY(
        SELECT ROW(id, name_enc, media_type) FROM attachments WHERE attachments.case_id = cases.id ORDER BY id
    ) AS files
"""


def require_unrestricted(row: Mapping[str, Any]) -> None:
    """Before anything of the person is told to an agency or asked there, for a row with `restricted_at`.

    Raises Forbidden while the citizen has it restricted (law 27/2022).
    """
    if row["restricted_at"] is not None:
        raise Forbidden("processing_restricted")


def applicant(row: Mapping[str, Any], tools: CaseTools) -> Applicant:
    """The citizen columns of a row, decrypted."""
    decrypt = tools.vault.decrypt
    return Applicant(
        row["citizen_id"],
        decrypt(row["nik_enc"], NIK).decode(),
        decrypt(row["name_enc"], NAME).decode(),
        date.fromisoformat(decrypt(row["birth_date_enc"], BIRTH_DATE).decode()),
        decrypt(row["phone_enc"], CONTACT).decode() if row["phone_enc"] else "",
        row["assurance_level"],
    )


def case_data(row: Mapping[str, Any], tools: CaseTools, files: Sequence[File] = ()) -> CaseData:
    """A row with `case_id` and CASE_DATA_COLUMNS."""
    return CaseData(
        id=row["case_id"],
        number=row["number"],
        service=row["service"],
        form=msgspec.json.decode(tools.vault.decrypt(row["form_enc"], FORM_CONTEXT)),
        applicant=applicant(row, tools),
        files=files,
        submitted_at=row["submitted_at"],
        agency_reference=row["agency_reference"] or "",
    )


async def load_files(row: Mapping[str, Any], tools: CaseTools) -> list[File]:
    """Every attachment of a row with FILES_COLUMN, with its bytes, each named by the form's field it answers."""
    if not row["files"]:
        return []
    form = tools.catalog.form(row["service"], row["form_version"])
    data = msgspec.json.decode(tools.vault.decrypt(row["form_enc"], FORM_CONTEXT))
    fields = {file.attachment_id: file.name for file in form.file_fields(data)} if form else {}
    return [
        File(
            file_id,
            fields.get(file_id, ""),
            attachments.name_of({"name_enc": name_enc}, tools.vault),
            media_type,
            await tools.files.get(file_id),
        )
        for file_id, name_enc, media_type in row["files"]
    ]
