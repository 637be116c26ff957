"""What every adapter of the permits port promises: checks against its sandbox or, where they only read, the agency.

A sandbox's `work` knows the step "reject", and records its moves as effects called "work".
"""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from app.cases.port import Progress, Receipt
from app.errors import AgencyRejected, AgencyUnavailable, NotOffered, OutcomeUnknown
from app.sandbox.checks import (
    EFFECT_MODES,
    MODES,
    NO_EFFECT_MODES,
    failure,
    given,
    suffering,
    told_when_to_come_again,
    unavailable,
    under_each,
)
from app.sandbox.port import Check, Workbench, require
from services.permits.port import PermitApplication, PermitsPort

MOST_STEPS = 12
_LETTERS = str.maketrans("0123456789", "ghijklmnop")


async def _unknown_licence(port: PermitsPort, _bench: Workbench | None) -> None:
    for number in (f"503/{secrets.token_hex(6)}/0000", "", " ", "x" * 2_000, "' OR '1'='1", "503\u0000"):
        found = await port.licence(number)
        require(found is None, f"licence({number[:40]!r}) of an unknown number gave {found}")


async def _unknown_reference(port: PermitsPort, _bench: Workbench | None) -> None:
    for reference in ("0", "no-such-registration", "1 OR 1=1"):
        error = await failure(port.progress(reference))
        require(isinstance(error, AgencyRejected), f"progress of the unknown {reference!r} raised {error!r}")


async def _never_handed_over(port: PermitsPort, _bench: Workbench | None) -> None:
    found = await port.find(_application(), ())
    require(found is None, f"find of an application never handed over gave {found}")


async def _submit_and_find(port: PermitsPort, _bench: Workbench | None) -> None:
    application = _application()
    receipt = await port.submit(application)
    require(receipt.reference, "submit gave no reference")
    found = await port.find(application, ())
    require(found is not None and found.reference == receipt.reference, f"find gave {found}, not {receipt}")
    again = await port.find(application, (receipt.reference,))
    require(again is None, f"find gave {again} although that registration is linked already")


async def _to_the_licence(port: PermitsPort, bench: Workbench | None) -> None:
    application = _application()
    receipt = await port.submit(application)
    require(await port.licence_number(receipt.reference) == "", "a licence number before any licence")
    before = _well_formed(await port.progress(receipt.reference))
    require(before.status in ("submitted", "in_review"), f"a new registration is {before.status}")
    for _ in range(MOST_STEPS):
        await given(bench).work(receipt.reference)
        now = _well_formed(await port.progress(receipt.reference))
        gone = _told(before) - _told(now)
        require(not gone, f"steps {gone} were done and are not any more")
        before = now
        if now.status == "completed":
            break
    require(before.status == "completed", f"after {MOST_STEPS} steps of work it is {before.status}")
    number = before.product.get("licence_number", "")
    require(number and number == await port.licence_number(receipt.reference), "no licence number once completed")
    licence = await port.licence(number)
    require(licence is not None, f"the issued licence {number} is not proven")
    if licence is not None:
        require(licence.number == number, f"the proof of {number} is of {licence.number}")
        require(licence.holder.casefold() == application.applicant_name.casefold(), "proof for another holder")


async def _rejected(port: PermitsPort, bench: Workbench | None) -> None:
    receipt = await port.submit(_application())
    await given(bench).work(receipt.reference, "reject")
    progress = _well_formed(await port.progress(receipt.reference))
    require(progress.status == "rejected", f"a rejected registration is {progress.status}")
    require(await port.licence_number(receipt.reference) == "", "a rejected registration has a licence")


async def _without_effect(mode: str, port: PermitsPort, bench: Workbench | None) -> None:
    application = _application()
    async with suffering(bench, mode):
        error = await failure(port.submit(application))
    require(isinstance(error, AgencyUnavailable | OutcomeUnknown), f"submit under {mode} raised {error!r}")
    require(await _effects(bench, application) == 0, f"{mode} had an effect in the sandbox")
    found = await port.find(application, ())
    require(found is None, f"find gave {found} for what was never registered")


async def _refused_at_the_door(port: PermitsPort, bench: Workbench | None) -> None:
    await told_when_to_come_again(bench, port.submit(_application()))


async def _with_effect(mode: str, port: PermitsPort, bench: Workbench | None) -> None:
    application = _application()
    await port.submit(
        _application()
    )  # what it reads once and keeps is read now, so that the fault meets the submission
    async with suffering(bench, mode):
        error = await failure(port.submit(application))
    require(isinstance(error, OutcomeUnknown), f"submit under {mode} raised {error!r}")
    require(await _effects(bench, application) == 1, f"{mode} had no effect in the sandbox")
    found = await port.find(application, ())
    require(found is not None, f"find lost the registration made under {mode}")
    if found is not None:
        _well_formed(await port.progress(found.reference))


async def _namesake(port: PermitsPort, bench: Workbench | None) -> None:
    """Two people of one name ask for one permit; the answer to one of them is lost."""
    theirs = _application()
    ours = msgspec.structs.replace(theirs, reference=_reference(), applicant_phone=_phone())
    other = await port.submit(theirs)
    async with suffering(bench, "reset"):
        await failure(port.submit(ours))
    found: Receipt | None = None
    try:
        found = await port.find(ours, ())
    except OutcomeUnknown:
        return
    require(found is None or found.reference != other.reference, "a namesake's registration was taken for ours")


async def _reads_say_unavailable(mode: str, port: PermitsPort, bench: Workbench | None) -> None:
    receipt = await port.submit(_application())
    reads = {
        "progress": port.progress(receipt.reference),
        "licence_number": port.licence_number(receipt.reference),
        "licence": port.licence("503/0000/0000"),
        "find": port.find(_application(), ()),
    }
    await unavailable(bench, mode, reads)
    _well_formed(await port.progress(receipt.reference))


async def _answers_and_withdrawals(port: PermitsPort, _bench: Workbench | None) -> None:
    receipt = await port.submit(_application())
    for doing in (port.answer(receipt.reference, "?", "!"), port.withdraw(receipt.reference, "contract check")):
        try:
            done = await doing
        except NotOffered:
            continue
        require(done.reference, "done, but no reference")


CHECKS: Sequence[Check[PermitsPort]] = (
    Check("an unknown licence is None", _unknown_licence, writes=False),
    Check("an unknown reference is refused", _unknown_reference, writes=False),
    Check("what was never handed over is not found", _never_handed_over, writes=False),
    Check("what is handed over is found", _submit_and_find, writes=True),
    Check("work leads to a proven licence", _to_the_licence, writes=True),
    Check("a rejection is told", _rejected, writes=True),
    Check("a refusal at the door says when to come again", _refused_at_the_door, writes=True),
    Check("a namesake's registration is not ours", _namesake, writes=True),
    Check("answers and withdrawals are done or not offered", _answers_and_withdrawals, writes=True),
    *under_each(NO_EFFECT_MODES, "submit under {} had no effect", _without_effect),
    *under_each(EFFECT_MODES, "submit under {} is unknown, then found", _with_effect),
    *under_each(MODES, "reads under {} are unavailable", _reads_say_unavailable),
)


def _application() -> PermitApplication:
    now = datetime.now(UTC)
    return PermitApplication(
        reference=_reference(),
        permit="reklame",
        kind="new",
        applicant_name=f"Contract Check {secrets.token_hex(5).translate(_LETTERS)}",
        applicant_phone=_phone(),
        applicant_address="Jalan Dhoho 1",
        applicant_village_code="35.71.01.1001",
        purpose="Contract check of the permits port",
        submitted_on=(now + timedelta(hours=7)).date(),
        submitted_at=now,
    )


def _phone() -> str:
    return f"+62813{secrets.randbelow(10**8):08d}"


def _reference() -> str:
    return f"CHECK-{secrets.token_hex(6)}"


async def _effects(bench: Workbench | None, application: PermitApplication) -> int:
    """How often the application was registered, as the sandbox itself counts."""
    effects = await given(bench).ledger()
    return sum(effect.reference == application.reference and effect.operation != "work" for effect in effects)


def _told(progress: Progress) -> set[str]:
    return {step.key for step in progress.steps if step.state != "to_come"}


def _well_formed(progress: Progress) -> Progress:
    keys = [step.key for step in progress.steps]
    require(keys and len(set(keys)) == len(keys), f"steps need keys of their own: {keys}")
    require(all(step.label for step in progress.steps), "a step without a label")
    require(sum(step.state == "current" for step in progress.steps) <= 1, "two present steps")
    return progress
