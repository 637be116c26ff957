"""Fonnte's webhook for what became of a message: JSON, neither signed nor dated, and repeated until we answer 200.

All it offers is the address it is given at its own site; ours ends in ?key=, with a secret of ours.
"""

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from app.callbacks.port import Callbacks, Incoming, NotProven, Tiding, Unreadable, is_same


class FonnteCallbacks(Callbacks):
    """It sends `status` (sent, failed and so on) and `state` (delivered, read), either of them missing now and then."""

    signed: ClassVar[bool] = False

    def read(self, incoming: Incoming) -> Sequence[Tiding]:
        if not is_same(incoming.query.get("key", ""), self.backend.credentials["callback_key"]):
            raise NotProven("wrong key")
        try:
            told = msgspec.json.decode(incoming.body, type=dict[str, object])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Unreadable("no JSON object") from None
        identity = _text(told.get("id"))
        if not identity.isdecimal() or len(identity) > 20:
            raise Unreadable("no message's id")
        sign = "|".join(_text(told.get(name)) for name in ("status", "state", "stateid"))
        return [Tiding("message", identity, sign)]


def _text(value: object) -> str:
    return str(value)[:60] if isinstance(value, str | int) and not isinstance(value, bool) else ""
