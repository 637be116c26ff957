"""One system with everything that is measured of it."""

from app.backends.measured import Measured, Span, read_calls, read_days, read_last_ok, read_line
from app.cases.tools import CaseTools
from app.dashboards.systems.schemas import OperationView, SystemView
from app.database import Connection, utc_now
from app.deliveries.acting import Acting
from app.deliveries.backends import BackendView, read_backend

_NEVER = Measured(Span(), Span(), None)


async def read_system(connection: Connection, acting: Acting, backend: str, tools: CaseTools) -> SystemView:
    """Raises NotFound, for another agency's too."""
    shown = await read_backend(connection, acting, backend, tools)
    calls = (await read_calls(connection, [backend])).get(backend, {})
    worked = await read_last_ok(connection, backend, list(tools.systems[backend].operations))
    breakers = {each.operation: each for each in shown.breakers}
    operations = [
        OperationView(name, policy.safe, breakers.get(name), measured.hour, measured.day, worked.get(name))
        for name, policy in sorted(tools.systems[backend].operations.items())
        for measured in [calls.get(name, _NEVER)]
    ]
    return SystemView(
        **{name: getattr(shown, name) for name in BackendView.__struct_fields__},
        operations=operations,
        line=await read_line(connection, backend, utc_now()),
        days=await read_days(connection, backend, tools.catalog.timezone.key),
        services=[each.slug for each in tools.catalog.services() if backend in each.backends],
    )
