"""Our values as a hospital's fields of a ticket asked for."""

from app.agency_fields import local_phone
from services.health.port import Session, TicketRequest

_VISITS = {"referral": 1, "internal_referral": 2, "control": 3, "hospital_referral": 4}


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
