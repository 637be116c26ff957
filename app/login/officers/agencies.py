"""What officers' routes ask of the city's profile. The catalogue stands on login, so its type is not named here."""

from typing import Any
from zoneinfo import ZoneInfo

from litestar import Request

from app.texts import Language


def agency_ids(http: Request[Any, Any, Any]) -> frozenset[str]:
    return frozenset(str(each.id) for each in _catalog(http).agencies())


def agency_name(http: Request[Any, Any, Any], agency: str, language: Language) -> str:
    """As the catalogue has it; its id, where the city's profile has lost it."""
    if agency not in agency_ids(http):
        return agency
    return str(_catalog(http).agency(agency).name.into(language))


def city_zone(http: Request[Any, Any, Any]) -> ZoneInfo:
    zone: ZoneInfo = _catalog(http).timezone
    return zone


def _catalog(http: Request[Any, Any, Any]) -> Any:
    return http.app.state["catalog"]
