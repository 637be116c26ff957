"""The answer to a challenge, by whichever method: a code that was sent, or a passkey's signature."""

from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import LoketError
from app.login.codes import Met, refusal_error, try_code
from app.login.gate import Gate
from app.login.models import Purpose
from app.login.passkey_schemas import UsedCredential
from app.login.passkeys import Asked, passkey_refusal, try_passkey
from app.login.sessions import Proof

# What any answer to a challenge may be told.
PROOF_REFUSALS = (
    "code_wrong",
    "code_expired",
    "code_used",
    "code_exhausted",
    "passkey_wrong",
    "passkey_expired",
    "passkey_used",
    "passkey_exhausted",
)


class Brought(msgspec.Struct, frozen=True):
    """What came for one challenge: a code, or a credential."""

    challenge_id: UUID
    code: str = ""
    credential: UsedCredential | None = None

    @property
    def method(self) -> Proof:
        return "passkey" if self.credential else "otp"


def brought(challenge_id: UUID, answer: msgspec.Struct) -> Brought:
    """From a request's body, which has a code or a credential."""
    return Brought(challenge_id, getattr(answer, "code", ""), getattr(answer, "credential", None))


async def try_proof(session: AsyncSession, gate: Gate, purpose: Purpose, brought: Brought) -> Met | LoketError:
    """Count one try and check it. The error is handed back: the transaction must commit before it is raised."""
    if brought.credential:
        answered = await try_passkey(session, gate, Asked(purpose, brought.challenge_id), brought.credential)
        return answered if isinstance(answered, Met) else passkey_refusal(answered)
    tried = await try_code(session, gate.vault, purpose, brought.challenge_id, brought.code)
    return tried if isinstance(tried, Met) else refusal_error(tried)
