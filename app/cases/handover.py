"""Queueing one thing of a case for its backend: the delivery, its job and its audit row, in the case's transaction."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from app.audit.actions import AuditEntry, record_on
from app.backends.actions import QUEUE_PREFIX
from app.cases.models import PAYLOAD_CONTEXT
from app.cases.port import Applicant, CaseHandler
from app.cases.tools import CaseTools
from app.cases.writes import DeliveryRow, insert_delivery
from app.database import Connection
from app.ids import uuid7
from app.jobs import enqueue_on


class DeliveryJob(msgspec.Struct):
    """Only an id, and which door to wait at: what is delivered stays encrypted in its row."""

    delivery_id: UUID
    operation: str = "submit"


class Handover(msgspec.Struct, frozen=True):
    """What is to be handed over: `operation` submit, answer or withdraw of the case with this `form`; `payload` the
    words with the latter two."""

    operation: str
    actor: UUID
    form: Mapping[str, Any]
    payload: Mapping[str, str] | None = None


async def hand_over(
    connection: Connection, case: Mapping[str, Any], applicant: Applicant, handover: Handover, tools: CaseTools
) -> None:
    """Queue it. `case` has at least id, service, module and backend of the case."""
    await enqueue_delivery(connection, await store_delivery(connection, case, applicant, handover, tools))


async def store_delivery(
    connection: Connection, case: Mapping[str, Any], applicant: Applicant, handover: Handover, tools: CaseTools
) -> DeliveryRow:
    """The delivery and its audit row, without a job."""
    delivery, entry = prepared(case, applicant, handover, tools)
    await insert_delivery(connection, delivery)
    await record_on(connection, entry)
    return delivery


def prepared(
    case: Mapping[str, Any], applicant: Applicant, handover: Handover, tools: CaseTools
) -> tuple[DeliveryRow, AuditEntry]:
    """The delivery's row, and the audit record of who hands what over."""
    handler, backend = tools.modules[case["module"]].handler, case["backend"]
    payload = None
    if handover.payload is not None:
        payload = tools.vault.encrypt(msgspec.json.encode(handover.payload), PAYLOAD_CONTEXT)
    lane = tools.vault.index("lane", lane_words(handler, case, applicant, handover.form))
    told = tools.catalog.told.get(case["service"])
    entry = AuditEntry(
        actor_kind="citizen",
        actor_id=str(handover.actor),
        action=f"case.{handover.operation}",
        subject_id=applicant.citizen_id,
        object_kind="case",
        object_id=str(case["id"]),
        purpose=case["service"],
        legal_basis=told.basis if told else "uu-25-2009",
        fields=told.fields if told else ("name", "phone", "form", "attachments"),
    )
    return DeliveryRow(uuid7(), case["id"], backend, handover.operation, lane, payload), entry


def lane_words(handler: CaseHandler, case: Mapping[str, Any], applicant: Applicant, form: Mapping[str, Any]) -> str:
    """What the digest of a case's lane is made of."""
    return f"{case['backend']}|{handler.lane(case['service'], applicant, form)}"


async def enqueue_delivery(connection: Connection, delivery: DeliveryRow, *, delay_s: float = 0) -> None:
    """Its job, in the same transaction: one at a time for each delivery."""
    await enqueue_on(
        connection,
        QUEUE_PREFIX + delivery.backend,
        DeliveryJob(delivery.id, delivery.operation),
        delay_s=delay_s,
        dedupe=str(delivery.id),
    )
