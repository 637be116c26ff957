"""Which port a name means: a module's own, one of its further ones, a room's of app; and none at all."""

import pytest

from app.inbox.port import Channel
from app.ports import contract, place_of_port, port_type
from app.settings import SettingsError
from services.health.port import HealthPort, MembershipPort
from services.permits.port import PermitsPort


@pytest.mark.parametrize(
    ("serves", "port", "checks"),
    [
        ("permits", PermitsPort, "services.permits.contract"),
        ("health", HealthPort, "services.health.contract"),
        ("health_membership", MembershipPort, "services.health.membership_contract"),
        ("inbox", Channel, "app.inbox.contract"),
    ],
)
def test_a_name_leads_to_its_port_and_contract(serves: str, port: type, checks: str) -> None:
    assert port_type(serves) is port
    assert place_of_port(serves).contract == checks
    assert contract(serves)


@pytest.mark.parametrize("serves", ["nothing", "nothing_such", "health_nothing", "_health", "permits_"])
def test_a_name_of_none_is_refused(serves: str) -> None:
    with pytest.raises(SettingsError):
        port_type(serves)
