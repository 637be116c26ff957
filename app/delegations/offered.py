"""Services that a delegation can be for."""

from collections.abc import Sequence

from app.catalog.catalog import Catalog
from app.errors import FieldError, Unprocessable


def check_services(services: Sequence[str], catalog: Catalog, agency: str = "") -> None:
    """Raises Unprocessable for what is no service that cases are opened for here; with `agency`, at that one."""
    faults = []
    for place, slug in enumerate(services):
        service = catalog.find(slug)
        if service is None or service.manifest.mode != "api" or agency not in ("", service.agency_id):
            faults.append(FieldError(f"/services/{place}", "service_unknown"))
    if faults:
        raise Unprocessable(errors=faults)
