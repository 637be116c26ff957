"""What the inbox needs from a way to reach a citizen's phone."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

# What became of a message, as its gateway says when asked.
Reached = Literal["waiting", "sent", "failed"]
ChannelKind = Literal["whatsapp", "sms", "email", "push"]


class Channel(ABC):
    """One gateway. `kind` says what it reaches; the first channel of a kind in the city's order is tried first."""

    kind: ClassVar[ChannelKind]

    @abstractmethod
    async def send(self, to: str, text: str, reference: str) -> str:
        """Hand over one message. `to` is E.164 (+628...), `reference` the message's own id, the same on every try.

        Returns the gateway's id of it. Raises AgencyRejected (the number or text is refused), AgencyUnavailable,
        OutcomeUnknown (a one-time code is then not sent twice; a notice may be).
        """

    @abstractmethod
    async def reached(self, gateway_id: str) -> Reached:
        """What became of a message it took. Raises AgencyRejected for one it does not know, AgencyUnavailable."""
