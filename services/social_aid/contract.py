"""What every adapter of the social aid port promises: checks against a sandbox or, where they only read, the agency."""

import secrets
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Literal

import msgspec

from app.cases.port import Progress
from app.errors import AgencyError, AgencyRejected, AgencyUnavailable, NotOffered, OutcomeUnknown
from app.ids import uuid7
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
from app.sandbox.port import Check, ContractBroken, Workbench, require
from services.social_aid.port import AidRequest, HouseholdAid, Matter, Photo, SocialAidPort

# A sandbox's register knows the household of the demo's Siti, with others in it, and not Rahmat. It records what
# is handed over as one effect under our reference, its own moves as effects called "work"; its `work` moves a matter
# one step, or to "visit" (planned), "visited", "accept" or "reject".
MEMBER, NOBODY, NOBODYS = "3571024505909001", "3571010101759004", "0" * 16
MALFORMED = ("", "1", "357102450590900x", "35710245059090010", "../../etc/passwd", "3571024505909001\u0000")
NATIONAL = {"pkh", "sembako", "pbi_jk"}
MOST_STEPS = 12
_CLOCKS_APART = timedelta(seconds=5)
_LETTERS = str.maketrans("0123456789", "ghijklmnop")
# The smallest picture there is: one white pixel.
_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a4944415478da63f80f00010101001cb08c990000000049454e44ae426082"
)

Kind = Literal["proposal", "objection", "certificate"]


async def _malformed_nik(port: SocialAidPort, _bench: Workbench | None) -> None:
    for nik in MALFORMED:
        error = await failure(port.household_aid(nik))
        told = isinstance(error, AgencyRejected) and error.code == "nik_invalid"
        require(told, f"the household of the malformed {nik!r} raised {error!r}")


async def _nobodys_nik(port: SocialAidPort, _bench: Workbench | None) -> None:
    """Sixteen zeros: well-formed, and of no place and no day."""
    try:
        found = await port.household_aid(NOBODYS)
    except AgencyRejected as error:
        require(error.code == "nik_invalid", f"nobody's NIK was refused with {error.code!r}")
        return
    require(found is None, "nobody's NIK has a household")


async def _programmes(port: SocialAidPort, _bench: Workbench | None) -> None:
    found = await port.programmes()
    codes = [programme.code for programme in found]
    require(len(set(codes)) == len(codes), f"programmes need codes of their own: {codes}")
    require({programme.kind for programme in found} >= NATIONAL, f"not all national programmes are among {codes}")
    for programme in found:
        require(programme.code and programme.name, f"a programme without code or name: {programme}")
        told = programme.kind != "other" or (programme.about and programme.eligibility and programme.legal_basis)
        require(told, f"{programme.code} does not say what it is, whom it is for and by which law")


async def _unknown_certificate(port: SocialAidPort, _bench: Workbench | None) -> None:
    for number in (f"470/{secrets.token_hex(6)}/0000", "", " ", "x" * 2_000, "' OR '1'='1", "470\u0000"):
        found = await port.certificate(number)
        require(found is None, f"certificate({number[:40]!r}) of an unknown number gave {found}")


async def _unknown_reference(port: SocialAidPort, _bench: Workbench | None) -> None:
    for reference in ("0", "no-such-matter", "1 OR 1=1", "../1"):
        error = await failure(port.matter(reference))
        require(isinstance(error, AgencyRejected), f"the unknown matter {reference!r} raised {error!r}")


async def _never_handed_over(port: SocialAidPort, _bench: Workbench | None) -> None:
    found = await port.find(msgspec.structs.replace(_request("objection"), applicant_nik=NOBODYS), ())
    require(found is None, f"find of a request never handed over gave {found}")


async def _member(port: SocialAidPort, _bench: Workbench | None) -> None:
    before = datetime.now(UTC)
    found = _well_formed(await port.household_aid(MEMBER))
    require(MEMBER in {member.nik for member in found.members}, "the household lacks the member it was asked by")
    require(before - _CLOCKS_APART <= found.as_of <= datetime.now(UTC) + _CLOCKS_APART, f"as of {found.as_of}")
    codes = {programme.code for programme in await port.programmes()}
    strange = {entitlement.programme for entitlement in found.entitlements} - codes
    require(not strange, f"entitlements of programmes that nobody lists: {strange}")


async def _one_household(port: SocialAidPort, _bench: Workbench | None) -> None:
    found = _well_formed(await port.household_aid(MEMBER))
    require(len(found.members) > 1, "a household of one shows nothing here")
    for member in found.members:
        theirs = _well_formed(await port.household_aid(member.nik))
        require(theirs.reference == found.reference, "two members, two households")
        require(theirs.entitlements == found.entitlements, "two members are told differently of one household")


async def _no_household(port: SocialAidPort, _bench: Workbench | None) -> None:
    require(await port.household_aid(NOBODY) is None, "who is in no household has one")


async def _submit_and_find(kind: Kind, port: SocialAidPort, bench: Workbench | None) -> None:
    request = _request(kind)
    receipt = await port.submit(request)
    require(receipt.reference, "submit gave no reference")
    require(request.applicant_nik not in receipt.reference, "the reference tells whose matter it is")
    require(await _effects(bench, request) == 1, "not one effect for one matter")
    found = await port.find(request, ())
    require(found is not None and found.reference == receipt.reference, f"find gave {found}, not {receipt}")
    again = await port.find(request, (receipt.reference,))
    require(again is None, f"find gave {again} although that matter is linked already")


async def _to_the_outcome(kind: Kind, port: SocialAidPort, bench: Workbench | None) -> None:
    receipt = await port.submit(_request(kind))
    before = _sound(await port.matter(receipt.reference))
    require(before.progress.status in ("submitted", "in_review"), f"a new matter is {before.progress.status}")
    require(before.visit is None and before.outcome is None, f"a new matter has {before.visit}, {before.outcome}")
    await given(bench).work(receipt.reference, "visit")
    planned = _sound(await port.matter(receipt.reference)).visit
    require(planned is not None and planned.state == "planned" and planned.planned_on, f"the visit is {planned}")
    await given(bench).work(receipt.reference, "visited")
    visited = _sound(await port.matter(receipt.reference))
    done = visited.visit
    require(done is not None and done.state == "done" and done.done_on and done.findings, f"the visit is {done}")
    require(not _told(before.progress) - _told(visited.progress), "steps were done and are not any more")
    await given(bench).work(receipt.reference, "accept")
    after = _sound(await port.matter(receipt.reference))
    require(after.progress.status == "completed", f"an accepted matter is {after.progress.status}")
    require(after.outcome is not None and after.outcome.decision == "accepted", f"its outcome is {after.outcome}")


async def _refused(port: SocialAidPort, bench: Workbench | None) -> None:
    receipt = await port.submit(_request("objection"))
    await given(bench).work(receipt.reference, "reject")
    matter = _sound(await port.matter(receipt.reference))
    require(matter.progress.status == "rejected", f"a refused matter is {matter.progress.status}")
    require(matter.outcome is not None and matter.outcome.decision == "refused", f"its outcome is {matter.outcome}")
    require(matter.progress.reason, "refused, and no reason")


async def _certificate(port: SocialAidPort, bench: Workbench | None) -> None:
    request = _request("certificate")
    receipt = await port.submit(request)
    matter = _sound(await port.matter(receipt.reference))
    for _ in range(MOST_STEPS):
        if matter.progress.status == "completed":
            break
        require(not matter.progress.product.get("certificate_number"), "a certificate before the matter is completed")
        await given(bench).work(receipt.reference)
        matter = _sound(await port.matter(receipt.reference))
    number = matter.progress.product.get("certificate_number", "")
    require(number, f"after {MOST_STEPS} steps of work there is no certificate: {matter.progress.status}")
    found = await port.certificate(number)
    if found is None:
        raise ContractBroken(f"the issued certificate {number} is not proven")
    require(found.number == number, f"the proof of {number} is of {found.number}")
    require(found.holder and found.issued_by, f"a certificate without holder or office: {found}")
    require(1 <= found.decile <= 10, f"decile {found.decile}")
    require(found.proven_at.tzinfo is not None, "a time without its zone")


async def _answers_and_withdrawals(port: SocialAidPort, _bench: Workbench | None) -> None:
    receipt = await port.submit(_request("objection"))
    for doing in (port.answer(receipt.reference, "?", "!"), port.withdraw(receipt.reference, "contract check")):
        try:
            done = await doing
        except NotOffered:
            continue
        require(done.reference, "done, but no reference")


async def _without_effect(mode: str, port: SocialAidPort, bench: Workbench | None) -> None:
    request = _request("objection")
    async with suffering(bench, mode):
        error = await failure(port.submit(request))
    require(isinstance(error, AgencyUnavailable | OutcomeUnknown), f"submit under {mode} raised {error!r}")
    require(_says_nothing_of(request, error), f"the error under {mode} names the person")
    require(await _effects(bench, request) == 0, f"{mode} had an effect in the sandbox")
    found = await port.find(request, ())
    require(found is None, f"find gave {found} for what was never registered")


async def _with_effect(mode: str, port: SocialAidPort, bench: Workbench | None) -> None:
    request = _request("objection")
    # What it asks once and keeps, such as a token, is asked now, so that the fault meets the submission.
    await port.programmes()
    async with suffering(bench, mode):
        error = await failure(port.submit(request))
    require(isinstance(error, OutcomeUnknown), f"submit under {mode} raised {error!r}")
    require(await _effects(bench, request) == 1, f"{mode} had no effect in the sandbox")
    found = await port.find(request, ())
    require(found is not None, f"find lost the matter registered under {mode}")
    if found is not None:
        _sound(await port.matter(found.reference))


async def _refused_at_the_door(port: SocialAidPort, bench: Workbench | None) -> None:
    await told_when_to_come_again(bench, port.household_aid(MEMBER))


async def _reads_say_unavailable(mode: str, port: SocialAidPort, bench: Workbench | None) -> None:
    request = _request("objection")
    receipt = await port.submit(request)
    reads = {
        "programmes": port.programmes(),
        "household_aid": port.household_aid(MEMBER),
        "matter": port.matter(receipt.reference),
        "certificate": port.certificate("470/0000/0000"),
        "find": port.find(request, ()),
    }
    for error in await unavailable(bench, mode, reads):
        require(_says_nothing_of(request, error), f"an error under {mode} names the person")
    _sound(await port.matter(receipt.reference))


KINDS: tuple[Kind, ...] = ("proposal", "objection", "certificate")
CHECKS: Sequence[Check[SocialAidPort]] = (
    Check("a malformed NIK is refused", _malformed_nik, writes=False),
    Check("nobody's NIK has no household", _nobodys_nik, writes=False),
    Check("programmes tell what they are", _programmes, writes=False),
    Check("an unknown certificate is None", _unknown_certificate, writes=False),
    Check("an unknown reference is refused", _unknown_reference, writes=False),
    Check("what was never handed over is not found", _never_handed_over, writes=False),
    Check("a member's household is told whole", _member, writes=True),
    Check("a household is the same for all its members", _one_household, writes=True),
    Check("who is in no household is told so", _no_household, writes=True),
    *(Check(f"a {kind} handed over is found", partial(_submit_and_find, kind), writes=True) for kind in KINDS),
    *(
        Check(f"a {kind} is visited and decided", partial(_to_the_outcome, kind), writes=True)
        for kind in ("proposal", "objection")
    ),
    Check("a refusal is told with its reasons", _refused, writes=True),
    Check("work leads to a proven certificate", _certificate, writes=True),
    Check("answers and withdrawals are done or not offered", _answers_and_withdrawals, writes=True),
    Check("a refusal at the door says when to come again", _refused_at_the_door, writes=True),
    *under_each(NO_EFFECT_MODES, "submit under {} had no effect", _without_effect),
    *under_each(EFFECT_MODES, "submit under {} is unknown, then found", _with_effect),
    *under_each(MODES, "reads under {} are unavailable", _reads_say_unavailable),
)


def _request(kind: Kind) -> AidRequest:
    """By Siti, whose household the register knows; each by a name of its own."""
    return AidRequest(
        reference=f"CHECK-{secrets.token_hex(6)}",
        kind=kind,
        applicant_nik=MEMBER,
        applicant_name=f"Contract Check {secrets.token_hex(5).translate(_LETTERS)}",
        applicant_phone=f"+62813{secrets.randbelow(10**8):08d}",
        submitted_at=datetime.now(UTC),
        address="Jalan Dhoho 1",
        village_code="35.71.02.1005",
        rt="01",
        rw="02",
        reason="" if kind == "certificate" else "Contract check of the social aid port",
        about="decile" if kind == "objection" else "",
        purpose="school_admission" if kind == "certificate" else "",
        photos=() if kind == "certificate" else (_photo(),),
    )


def _photo() -> Photo:
    return Photo(
        id=uuid7(),
        name="rumah.png",
        media_type="image/png",
        content=_PIXEL,
        latitude=-7.8166,
        longitude=112.0114,
        place_source="photo",
        taken_at=datetime.now(UTC) - timedelta(days=1),
        time_source="citizen",
    )


async def _effects(bench: Workbench | None, request: AidRequest) -> int:
    """How often the request was registered, as the sandbox itself counts."""
    effects = await given(bench).ledger()
    return sum(effect.reference == request.reference and effect.operation != "work" for effect in effects)


def _says_nothing_of(request: AidRequest, error: AgencyError) -> bool:
    told = f"{error} {error.detail}"
    return not any(word in told for word in (request.applicant_nik, request.applicant_name, request.applicant_phone))


def _told(progress: Progress) -> set[str]:
    return {step.key for step in progress.steps if step.state != "to_come"}


def _sound(matter: Matter) -> Matter:
    keys = [step.key for step in matter.progress.steps]
    require(keys and len(set(keys)) == len(keys), f"steps need keys of their own: {keys}")
    require(all(step.label for step in matter.progress.steps), "a step without a label")
    require(sum(step.state == "current" for step in matter.progress.steps) <= 1, "two present steps")
    require(matter.visit is None or matter.visit.by, "a visit by nobody")
    ended = matter.progress.status in ("completed", "rejected")
    require(ended == (matter.outcome is not None), f"{matter.progress.status} with the outcome {matter.outcome}")
    outcome = matter.outcome
    require(
        outcome is None or (outcome.decided_by and outcome.reasons), f"decided by nobody, or for no reason: {outcome}"
    )
    return matter


def _well_formed(found: HouseholdAid | None) -> HouseholdAid:
    if found is None:
        raise ContractBroken("the member has no household")
    niks = [member.nik for member in found.members]
    require(found.reference and len(set(niks)) == len(niks), "no key of the household, or a member twice")
    require(all(len(nik) == 16 and nik.isdecimal() for nik in niks), "a member whose NIK is none")
    require(all(member.name for member in found.members), "a member without a name")
    require(sum(member.relation == "head" for member in found.members) == 1, "not one head of the household")
    require(found.decile is None or 1 <= found.decile <= 10, f"decile {found.decile}")
    absent = {name for name in ("decile", "updated_on") if getattr(found, name) is None}
    require(absent == set(found.missing), f"None are {absent}, with reasons for {set(found.missing)}")
    require(found.as_of.tzinfo is not None, "a time without its zone")
    begins = [entitlement.begins_on for entitlement in found.entitlements]
    require(begins == sorted(begins, reverse=True), "not the newest period first")
    for each in found.entitlements:
        require(date(2000, 1, 1) <= each.begins_on <= each.ends_on, f"a period from {each.begins_on} to {each.ends_on}")
        require(each.amount_idr is None or each.amount_idr >= 0, f"an amount of {each.amount_idr}")
        require(set(each.members) <= set(niks), "an entitlement for somebody who is no member")
    return found
