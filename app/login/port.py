"""What login needs from the population register: whether it is true who somebody says they are."""

from abc import ABC, abstractmethod
from datetime import date
from typing import Literal

import msgspec

# matched: NIK, name and birth date are those of one living, active entry. differs: there is an entry, and name or birth
# date are not its own. The register says only that of deceased, double and inactive entries, and compares nothing.
Standing = Literal["matched", "differs", "unknown", "deceased", "double", "inactive"]


class Claim(msgspec.Struct, frozen=True):
    """Who somebody says they are."""

    nik: str
    name: str
    birth_date: date


class LoginPort(ABC):
    """A population register that compares, and gives nothing away."""

    @property
    @abstractmethod
    def daily_quota(self) -> int:
        """Questions a day that it lets us ask."""

    @abstractmethod
    async def compare(self, claim: Claim) -> Standing:
        """How the register's entry of that NIK and the claim stand to each other.

        Raises AgencyRejected ("nik_invalid") for what is no NIK, AgencyUnavailable where nothing was learned: out of
        reach, or "quota_spent", then with the time until there is a new one.
        """
