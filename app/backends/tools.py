"""What one process knows of the agencies' systems together with all others."""

from typing import Self

import msgspec

from app.backends.breaker import Breakers
from app.backends.controls import Controls
from app.backends.leases import Leases
from app.backends.pace import Pace
from app.database import Database
from app.valkey import Valkey


class Backends(msgspec.Struct, frozen=True):
    """Operators' decisions, breakers, turns, and places for calls at once."""

    controls: Controls
    breakers: Breakers
    pace: Pace
    leases: Leases

    @classmethod
    def of(cls, database: Database, valkey: Valkey) -> Self:
        controls = Controls(database, valkey)
        return cls(controls, Breakers(controls, valkey), Pace(valkey), Leases(valkey))

    async def close(self) -> None:
        await self.controls.close()
        await self.leases.close()
