"""What every channel promises, as checks against its gateway's sandbox, whose ledger must hold the text sent."""

import secrets
from collections.abc import Sequence
from typing import get_args

from app.errors import AgencyRejected, AgencyUnavailable, OutcomeUnknown
from app.inbox.port import Channel, Reached
from app.sandbox.checks import (
    EFFECT_MODES,
    NO_EFFECT_MODES,
    failure,
    given,
    suffering,
    under_each,
)
from app.sandbox.port import Check, Workbench, require

TO = "+6281355500021"


async def _malformed_numbers(port: Channel, _bench: Workbench | None) -> None:
    """Two numbers in one would send a code to a stranger."""
    for to in ("", "0812", "+62", "081355500021", "+6281355500021,+6281355500022", "+62813555abc21", "+" + "6" * 40):
        error = await failure(port.send(to, "Contract check", _reference()))
        require(isinstance(error, AgencyRejected), f"send to {to!r} raised {error!r}")


async def _empty_text(port: Channel, _bench: Workbench | None) -> None:
    for text in ("", "  \n"):
        error = await failure(port.send(TO, text, _reference()))
        require(isinstance(error, AgencyRejected), f"an empty text raised {error!r}")


async def _sends(port: Channel, bench: Workbench | None) -> None:
    text = f"Kode Anda {secrets.randbelow(10**6):06d}, berlaku 5 menit & jangan dibagikan.\nÉ 100%"
    first = await port.send(TO, text, _reference())
    require(first, "no id of the message")
    second = await port.send(TO, text, _reference())
    require(second != first, "two messages share one id")
    require(await _sent(bench, text) == 2, "the text did not arrive as it was given, twice")


async def _tells_what_became(port: Channel, _bench: Workbench | None) -> None:
    gateway_id = await port.send(TO, f"Contract check {secrets.token_hex(6)}", _reference())
    require(await port.reached(gateway_id) in get_args(Reached), "what became of a message is told in no known word")


async def _unknown_messages(port: Channel, _bench: Workbench | None) -> None:
    for unknown in ("", "999999999999", "no id", "1" * 400):
        error = await failure(port.reached(unknown))
        require(isinstance(error, AgencyRejected), f"asking after message {unknown[:20]!r} raised {error!r}")


async def _without_effect(mode: str, port: Channel, bench: Workbench | None) -> None:
    text = f"Contract check {secrets.token_hex(6)}"
    async with suffering(bench, mode):
        error = await failure(port.send(TO, text, _reference()))
    expected = AgencyUnavailable if mode in ("error_503", "bad_auth") else AgencyUnavailable | OutcomeUnknown
    require(isinstance(error, expected), f"send under {mode} raised {error!r}")
    require(await _sent(bench, text) == 0, f"{mode} had an effect in the sandbox")


async def _with_effect(mode: str, port: Channel, bench: Workbench | None) -> None:
    text = f"Contract check {secrets.token_hex(6)}"
    async with suffering(bench, mode):
        error = await failure(port.send(TO, text, _reference()))
    require(isinstance(error, OutcomeUnknown), f"send under {mode} raised {error!r}")
    require(await _sent(bench, text) == 1, f"{mode} did not send once")


async def _tells_nothing(port: Channel, bench: Workbench | None) -> None:
    text = "Kode Anda 314159"
    for mode in ("reset", "malformed", "error_503"):
        async with suffering(bench, mode):
            error = await failure(port.send(TO, text, _reference()))
        shown = f"{error} {error.detail} {error.__cause__!r}"
        require("314159" not in shown and TO[3:] not in shown, f"the error of {mode} tells number or text")


CHECKS: Sequence[Check[Channel]] = (
    Check("a malformed number is refused, not sent", _malformed_numbers, writes=False),
    Check("an empty text is refused, not sent", _empty_text, writes=False),
    Check("a message arrives as it was given", _sends, writes=True),
    Check("what became of a message is told", _tells_what_became, writes=True),
    Check("a message it never took is refused", _unknown_messages, writes=False),
    Check("errors tell neither number nor text", _tells_nothing, writes=True),
    *under_each(NO_EFFECT_MODES, "send under {} had no effect", _without_effect),
    *under_each(EFFECT_MODES, "send under {} is unknown", _with_effect),
)


def _reference() -> str:
    return f"check-{secrets.token_hex(6)}"


async def _sent(bench: Workbench | None, text: str) -> int:
    effects = await given(bench).ledger()
    return sum(text in map(str, effect.data.values()) for effect in effects)
