"""Planned times out of use, of the systems and services that an officer answers for."""

from datetime import timedelta
from uuid import UUID

import msgspec

from app.backends.actions import Plan, Window, end_maintenance, list_maintenance, plan_maintenance
from app.cases.tools import CaseTools
from app.database import Connection, utc_now
from app.deliveries.acting import Acting
from app.deliveries.backends import system_of
from app.errors import FieldError, NotFound, Unprocessable
from app.telemetry import mask_text

# Nobody plans further ahead; and what is written down later must be a time that PostgreSQL and Python both have.
LONGEST = timedelta(days=36_500)


def refuse_unknown(plan: Plan, tools: CaseTools) -> None:
    """Raises NotFound for a system or service there is not, Unprocessable for a service that is not the system's."""
    if plan.backend and plan.backend not in tools.systems:
        raise NotFound("backend_unknown")
    if not plan.service:
        return
    backends = tools.catalog.service(plan.service).backends
    if not backends:
        raise Unprocessable(errors=[FieldError("/service", "only_linked")])
    if plan.backend and plan.backend not in backends:
        raise Unprocessable(errors=[FieldError("/service", "not_of_backend")])


async def plan_for(connection: Connection, acting: Acting, plan: Plan, tools: CaseTools) -> Window:
    """Of a system of the officer's own agency. Raises NotFound, Unprocessable."""
    system_of(acting, plan.backend, tools)
    refuse_unknown(plan, tools)
    if plan.ends_at and plan.ends_at > utc_now() + LONGEST:
        raise Unprocessable(errors=[FieldError("/ends_at", "too_late")])
    masked = msgspec.structs.replace(plan, reason=mask_text(plan.reason))
    return await plan_maintenance(connection, masked, acting.id)


async def end_for(connection: Connection, acting: Acting, window_id: UUID, tools: CaseTools) -> Window:
    """Now, or before it begins. Raises NotFound, for another agency's too."""
    found = next((each for each in await list_maintenance(connection) if each.id == window_id), None)
    if found is None or not _answers_for(acting, found, tools):
        raise NotFound("maintenance_unknown")
    return await end_maintenance(connection, window_id, acting.id)


def _answers_for(acting: Acting, window: Window, tools: CaseTools) -> bool:
    """A window of a service wherever it lives is the business of the agency whose service it is."""
    if not acting.agency:
        return True
    if window.backend:
        return window.backend in tools.systems and tools.systems[window.backend].agency == acting.agency
    service = tools.catalog.find(window.service)
    return service is not None and service.agency_id == acting.agency
