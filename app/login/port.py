"""What login needs from others: a register that says whether it is true who somebody is, a provider that proves it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
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


class NationalStart(msgspec.Struct, frozen=True):
    """A login that begins. All but the address are ours, new and good once; the challenge is PKCE's (S256)."""

    redirect_uri: str
    state: str
    nonce: str
    code_challenge: str


class NationalReturn(msgspec.Struct, frozen=True):
    """What the browser brought back, with what we kept of its start. `issuer`: who says that it answered."""

    code: str
    issuer: str | None
    redirect_uri: str
    nonce: str
    code_verifier: str


class NationalIdentity(msgspec.Struct, frozen=True):
    """Who somebody is proven to be. `subject` is the provider's own name for them."""

    subject: str
    nik: str
    name: str
    birth_date: date


class NationalPort(ABC):
    """A national identity provider, by OpenID Connect."""

    @property
    @abstractmethod
    def provider(self) -> str:
        """Its name in our paths."""

    @property
    @abstractmethod
    def title(self) -> str:
        """Its name for people."""

    @property
    @abstractmethod
    def public_keys(self) -> Sequence[Mapping[str, str]]:
        """The keys we prove ourselves by there, as JWKs."""

    @abstractmethod
    async def begin(self, start: NationalStart) -> str:
        """Where the browser is to go. Raises AgencyUnavailable where it would find nobody."""

    @abstractmethod
    async def finish(self, back: NationalReturn) -> NationalIdentity:
        """Raises AgencyRejected where nothing is proven: "issuer_other", "code_refused", "token_invalid",
        "identity_incomplete"; AgencyUnavailable or OutcomeUnknown where nothing was learned. A code is good once, so
        the citizen then begins anew."""
