"""Our values as a puskesmas' fields of a ticket asked for."""

from app.agency_fields import local_phone
from services.health.port import TicketRequest


def ticket_fields(request: TicketRequest) -> dict[str, object]:
    """The fields of a ticket; those of version 2 (doctor, hours) only where the facility told them."""
    session = request.session
    fields: dict[str, object] = {
        "nomorkartu": request.card_number,
        "nik": request.nik,
        "nohp": local_phone(request.phone),
        "kodepoli": session.clinic,
        "norm": request.record_number,
        "tanggalperiksa": session.day.isoformat(),
        "keluhan": request.complaint,
    }
    if session.doctor:
        fields["kodedokter"] = int(session.doctor) if session.doctor.isdecimal() else session.doctor
    if session.hours:
        fields["jampraktek"] = session.hours
    return fields


def cancel_fields(request: TicketRequest, reason: str) -> dict[str, object]:
    return {
        "nomorkartu": request.card_number,
        "kodepoli": request.session.clinic,
        "tanggalperiksa": request.session.day.isoformat(),
        "keterangan": reason,
    }
