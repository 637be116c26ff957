"""Fonnte's wire: POST /send, a bare token in the Authorization header, an envelope that decides whatever the status."""

from collections.abc import Mapping

from app.agency_answers import read_json
from app.agency_client import AgencyClient, Call, Reply
from app.errors import AgencyRejected, AgencyUnavailable, OutcomeUnknown

# Reasons that lie in the message itself. All others (token, quota, a telephone that is offline) pass.
_LASTING = ("target", "input", "json", "url", "file")


class FonnteClient:
    """One method per address."""

    def __init__(self, client: AgencyClient) -> None:
        self._client = client
        self._name = client.backend.name

    async def send(self, target: str, message: str, reference: str) -> str:
        """Its id of the message, once in its queue. Raises AgencyRejected, AgencyUnavailable, OutcomeUnknown.

        It knows no idempotency key: `reference` goes along as a header, for its operators' logs.
        """
        reply = await self._client.call(
            Call(
                operation="send",
                method="POST",
                path="/send",
                headers={"Authorization": self._client.backend.credentials["token"], "X-Reference": reference},
                # "0" leaves the number as it is: it is international already.
                form=(("target", target), ("message", message), ("countryCode", "0")),
                is_fault=_is_not_its_own,
            )
        )
        answer = _envelope(reply)
        status = answer.get("status")
        if _was_turned_away(reply):
            raise AgencyUnavailable(self._name, "send", f"HTTP {reply.status}", code="not_reached")
        if status is False:
            self._refuse(str(answer.get("reason", "")))
        identity = answer.get("id")
        if reply.status != 200 or status is not True or not isinstance(identity, list) or not identity:
            raise OutcomeUnknown(self._name, "send", f"HTTP {reply.status}, not understood")
        return str(identity[0])

    async def status(self, identity: str) -> str:
        """Its word for what became of a message. Raises AgencyRejected for one it does not know, AgencyUnavailable."""
        reply = await self._client.call(
            Call(
                operation="status",
                method="POST",
                path="/status",
                headers={"Authorization": self._client.backend.credentials["token"]},
                form=(("id", identity),),
                is_fault=_is_not_its_own,
            )
        )
        answer = _envelope(reply)
        if answer.get("status") is False and "id" in str(answer.get("reason", "")).casefold().split():
            raise AgencyRejected(self._name, "status", "no such message", code="message_unknown")
        word = answer.get("message_status")
        if reply.status != 200 or answer.get("status") is not True or not isinstance(word, str):
            raise AgencyUnavailable(self._name, "status", f"HTTP {reply.status}, not understood", code="unreadable")
        return word.casefold()

    def _refuse(self, reason: str) -> None:
        if any(word in reason.casefold() for word in _LASTING):
            raise AgencyRejected(self._name, "send", reason[:100], code="refused")
        raise AgencyUnavailable(self._name, "send", reason[:100], code="gateway_not_ready")


def _was_turned_away(reply: Reply) -> bool:
    return reply.status in (401, 403, 404, 405) or 300 <= reply.status < 400


def _is_not_its_own(reply: Reply) -> bool:
    return _was_turned_away(reply) or not _envelope(reply)


def _envelope(reply: Reply) -> Mapping[str, object]:
    """The answer with its keys in small letters (it writes "Status" now and then), empty where it is no JSON object."""
    answer = read_json(reply.body)
    return {key.casefold(): value for key, value in answer.items()} if isinstance(answer, dict) else {}
