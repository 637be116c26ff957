"""Budgets of calls in tests: what stalls is given up soon, any other answer is waited for, however loaded the machine.

One short budget for all would be a guess at how fast the machine is; one long one, minutes of waiting out what hangs.
"""

from collections.abc import Sequence

import msgspec

from app.agency_client import AgencyClient
from app.manifest import IntegrationManifest
from app.sandbox.client import HttpWorkbench

PATIENCE_S, STALLED_S = 60.0, 0.6
# Nothing comes, or not in time: the faults that only a budget ends.
STALLS = ("hang", "slow_body")


def with_budget(manifest: IntegrationManifest, budget_s: float, operations: Sequence[str] = ()) -> IntegrationManifest:
    """The same manifest with another budget for these operations, or for all."""
    policies = {
        name: msgspec.structs.replace(policy, budget_s=budget_s) if not operations or name in operations else policy
        for name, policy in manifest.operations.items()
    }
    return msgspec.structs.replace(manifest, operations=policies)


class PatientBench(HttpWorkbench):
    """A workbench that cuts its clients' budgets for what it has stall, and for as long. Clients may be added."""

    def __init__(self, url: str, clients: Sequence[AgencyClient]) -> None:
        super().__init__(url)
        self._clients = clients
        self._wait_for_all()

    async def fault(
        self, mode: str, operations: Sequence[str] = (), *, under: str = "", latency_ms: int = 0, rate: float = 1.0
    ) -> None:
        await super().fault(mode, operations, under=under, latency_ms=latency_ms, rate=rate)
        self._wait_for_all()
        if mode in STALLS:
            for client in self._clients:
                client.manifest = with_budget(client.manifest, STALLED_S, operations)

    async def heal(self) -> None:
        await super().heal()
        self._wait_for_all()

    async def reset(self) -> None:
        await super().reset()
        self._wait_for_all()

    def _wait_for_all(self) -> None:
        for client in self._clients:
            client.manifest = with_budget(client.manifest, PATIENCE_S)
