"""What every adapter of a national identity provider promises, as checks against its sandbox.

A sandbox knows the demo's citizen Siti. Its `work` logs somebody in without a browser: the reference is the address
that `begin` gave, the step a NIK, or a NIK and a flaw of the id token; the code stands in its ledger, under the state.
"""

import base64
import hashlib
import secrets
from collections.abc import Sequence
from datetime import date
from functools import partial
from urllib.parse import parse_qs, urlsplit

from msgspec.structs import replace

from app.errors import AgencyError, AgencyRejected, AgencyUnavailable, OutcomeUnknown
from app.login.port import NationalIdentity, NationalPort, NationalReturn, NationalStart
from app.sandbox.checks import failure, given, suffering
from app.sandbox.port import Check, Workbench, require

SITI = NationalIdentity("", "3571024505909001", "Siti Aminah", date(1990, 5, 5))
CALLBACK = "http://127.0.0.1:8000/v1/login/check/callback"
FLAWS = (
    *("other_nonce", "other_issuer", "other_audience", "two_audiences", "expired", "old", "unsigned", "other_key"),
    *("unknown_key", "hmac", "no_nonce", "no_sub", "other_person"),
)
INCOMPLETE = ("no_nik", "odd_nik", "no_birth_date")


async def _begins(port: NationalPort, _bench: Workbench | None) -> None:
    start, _ = _start()
    address = await port.begin(start)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    expected = {
        "response_type": "code",
        "state": start.state,
        "nonce": start.nonce,
        "redirect_uri": start.redirect_uri,
        "code_challenge": start.code_challenge,
        "code_challenge_method": "S256",
    }
    require(expected.items() <= asked.items(), f"the browser is sent with {asked}")
    require("openid" in asked.get("scope", "").split(), "scope has no openid")


async def _has_public_keys(port: NationalPort, _bench: Workbench | None) -> None:
    require(port.public_keys, "no key of ours")
    require(all("d" not in key and key.get("kid") for key in port.public_keys), "a private key, or one without a name")


async def _proves(port: NationalPort, bench: Workbench | None) -> None:
    found = await port.finish(await _back(port, bench, SITI.nik))
    require(replace(found, subject="") == SITI, f"Siti is told as {found}")
    require(found.subject, "no subject")


async def _refuses(flaw: str, port: NationalPort, bench: Workbench | None) -> None:
    error = await failure(port.finish(await _back(port, bench, f"{SITI.nik} {flaw}")))
    code = "identity_incomplete" if flaw in INCOMPLETE else "token_invalid"
    told = isinstance(error, AgencyRejected) and error.code == code
    require(told, f"an id token with {flaw} raised {error!r}")
    require(_says_nothing(error), f"the error under {flaw} names the person")


async def _mix_up(port: NationalPort, bench: Workbench | None) -> None:
    back = await _back(port, bench, SITI.nik)
    error = await failure(port.finish(replace(back, issuer="https://evil.example")))
    require(isinstance(error, AgencyRejected) and error.code == "issuer_other", f"another issuer raised {error!r}")
    await port.finish(back)


async def _good_once(port: NationalPort, bench: Workbench | None) -> None:
    back = await _back(port, bench, SITI.nik)
    for wrong in (replace(back, code="nobodys"), replace(back, code_verifier="x" * 43)):
        error = await failure(port.finish(wrong))
        told = isinstance(error, AgencyRejected) and error.code == "code_refused"
        require(told, f"a code or verifier that is not ours raised {error!r}")
    error = await failure(port.finish(back))
    require(isinstance(error, AgencyRejected), f"a spent code raised {error!r}")


async def _down_at_the_start(mode: str, port: NationalPort, bench: Workbench | None) -> None:
    async with suffering(bench, mode):
        error = await failure(port.begin(_start()[0]))
    require(isinstance(error, AgencyUnavailable), f"begin under {mode} raised {error!r}")


async def _down_at_the_end(mode: str, port: NationalPort, bench: Workbench | None) -> None:
    back = await _back(port, bench, SITI.nik)
    async with suffering(bench, mode):
        error = await failure(port.finish(back))
    told = isinstance(error, AgencyUnavailable | OutcomeUnknown)
    require(told, f"finish under {mode} raised {error!r}")
    require(_says_nothing(error), f"the error under {mode} names the person")


CHECKS: Sequence[Check[NationalPort]] = (
    Check("the browser is sent with state, nonce and challenge", _begins, writes=False),
    Check("our public keys are told", _has_public_keys, writes=False),
    Check("who somebody is, is proven", _proves, writes=True),
    Check("another issuer's answer is refused", _mix_up, writes=True),
    Check("a code is good once and for its verifier", _good_once, writes=True),
    *(Check(f"refused: {flaw}", partial(_refuses, flaw), writes=True) for flaw in (*FLAWS, *INCOMPLETE)),
    *(Check(f"begin under {mode}", partial(_down_at_the_start, mode), writes=True) for mode in ("hang", "malformed")),
    *(Check(f"finish under {mode}", partial(_down_at_the_end, mode), writes=True) for mode in ("error_500", "reset")),
)


def _start() -> tuple[NationalStart, str]:
    verifier = secrets.token_urlsafe(32)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return NationalStart(CALLBACK, secrets.token_urlsafe(16), secrets.token_urlsafe(16), challenge), verifier


async def _back(port: NationalPort, bench: Workbench | None, step: str) -> NationalReturn:
    """As if a citizen had logged in there."""
    start, verifier = _start()
    address = await port.begin(start)
    await given(bench).work(address, step)
    [code] = [str(each.data["code"]) for each in await given(bench).ledger() if each.reference == start.state]
    issuer = address.split("?")[0].rpartition("/")[0]
    return NationalReturn(code, issuer, start.redirect_uri, start.nonce, verifier)


def _says_nothing(error: AgencyError) -> bool:
    return SITI.nik not in str(error) and SITI.name not in str(error)
