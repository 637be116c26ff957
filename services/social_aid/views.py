"""What the agency told, as a reader sees it: in the reader's language, NIKs masked, nothing left out in silence."""

from collections.abc import Mapping
from datetime import date
from itertools import groupby
from uuid import UUID

import msgspec

from app.agency_reads import Seen
from app.home.port import Entitlement as InHome
from app.privacy import mask_name, mask_nik
from app.texts import Language, has_text, text
from services.social_aid.actions import Found, Proof, Proven, is_valid
from services.social_aid.cases import services
from services.social_aid.entitlements import Household, Listed
from services.social_aid.port import Certificate, Entitlement, HouseholdAid, Member, Outcome, Programme, Visit
from services.social_aid.schemas import (
    CertificateCheck,
    CertificateView,
    DecileRange,
    DecileView,
    EntitlementsView,
    EntitlementView,
    Freshness,
    MatterView,
    MemberView,
    OutcomeView,
    PeriodView,
    ProgrammeList,
    ProgrammeView,
    Validity,
    VisitView,
)

_NATIONAL = tuple(Programme(code="", kind=kind, name="", owner="national") for kind in ("pkh", "sembako", "pbi_jk"))
_VALIDITIES: Mapping[bool | None, Validity] = {True: "valid", False: "expired", None: "unknown"}


def programme_list(listed: Listed, language: Language) -> ProgrammeList:
    """The national programmes are known even where the agency cannot be asked."""
    shown = listed.programmes or _NATIONAL
    return ProgrammeList(listed.state, [_programme(each, language) for each in shown])


def entitlements_view(household: Household, listed: Listed, language: Language) -> EntitlementsView:
    """A member's view of the household."""
    aid = household.aid
    shown = Shown(
        {each.nik: each.name for each in aid.members},
        programme_names(listed, language),
        language,
    )
    return EntitlementsView(
        state=_freshness(is_stale=household.seen.is_stale),
        as_of=aid.as_of,
        updated_on=aid.updated_on,
        notice=text("social_aid.notice.entitlements", language),
        decile=decile_view(aid.decile, language),
        members=[_member(each, household.reader_nik, language) for each in aid.members],
        periods=shown.periods(aid),
        missing=dict(aid.missing),
        services={rules: slug for slug, each in services().items() if isinstance(rules := each.rules["kind"], str)},
    )


def programme_names(listed: Listed, language: Language) -> Mapping[str, str]:
    """By code."""
    return {each.code: _programme(each, language).name for each in listed.programmes}


def shown_now(aid: HouseholdAid, names: Mapping[str, str], today: date, language: Language) -> list[InHome]:
    """What is given for periods that are not over; where all are, for the last."""
    ordered = sorted(aid.entitlements, key=_period, reverse=True)
    last = ordered[0].ends_on if ordered else today
    return [
        InHome(
            title=names.get(told.programme, told.programme),
            state=told.state,
            state_text=text(f"social_aid.state.{told.state}", language),
            amount_idr=told.amount_idr,
            begins_on=told.begins_on,
            ends_on=told.ends_on,
            paid_on=told.paid_on,
        )
        for told in ordered
        if told.ends_on >= min(today, last)
    ]


def decile_view(decile: int | None, language: Language) -> DecileView:
    """The number with what it means."""
    if decile is None:
        return DecileView(None, text("social_aid.decile.none", language))
    key = "lowest" if decile == 1 else "highest" if decile == 10 else "between"
    return DecileView(
        decile, text(f"social_aid.decile.{key}", language, {"decile": decile, "below": (decile - 1) * 10})
    )


def matter_view(case_id: UUID, found: Found, language: Language) -> MatterView:
    matter = found.seen.value
    issued = matter.progress.product.get("certificate_number")
    return MatterView(
        case_id=case_id,
        case_number=found.case_number,
        service=found.service,
        title=_title(found.service, language),
        state=_freshness(is_stale=found.seen.is_stale),
        as_of=found.seen.as_of,
        notice=text("social_aid.notice.decision", language),
        visit=_visit(matter.visit, language) if matter.visit else None,
        outcome=_outcome(matter.outcome, language) if matter.outcome else None,
        certificate=f"/v1/social-aid/matters/{case_id}/certificate" if issued else None,
    )


def certificate_view(case_id: UUID, proof: Proof, check_url: str, language: Language) -> CertificateView:
    certificate: Certificate = proof.seen.value
    return CertificateView(
        case_id=case_id,
        case_number=proof.case_number,
        title=_title(proof.service, language),
        number=certificate.number,
        holder=certificate.holder,
        decile=certificate.decile,
        decile_text=decile_view(certificate.decile, language).text,
        purpose=certificate.purpose,
        issued_by=certificate.issued_by,
        issued_on=certificate.issued_on,
        valid_until=certificate.valid_until,
        validity=_VALIDITIES[is_valid(certificate)],
        state=_freshness(is_stale=proof.seen.is_stale),
        as_of=certificate.proven_at,
        check_url=check_url,
    )


def certificate_check(number: str, seen: Seen[Proven]) -> CertificateCheck:
    certificate = seen.value.certificate
    if certificate is None:
        return CertificateCheck(number, genuine=False, validity="unknown", as_of=seen.as_of)
    return CertificateCheck(
        number=certificate.number,
        genuine=True,
        validity=_VALIDITIES[is_valid(certificate)],
        as_of=certificate.proven_at,
        decile=certificate.decile,
        holder=mask_name(certificate.holder),
        purpose=certificate.purpose,
        issued_by=certificate.issued_by,
        issued_on=certificate.issued_on,
        valid_until=certificate.valid_until,
    )


class Shown(msgspec.Struct, frozen=True):
    """What entitlements of a household are shown with: names of its members by NIK, of programmes by code."""

    members: Mapping[str, str]
    programmes: Mapping[str, str]
    language: Language

    def periods(self, aid: HouseholdAid) -> list[PeriodView]:
        """Newest first, as they were told; one for each first and last day."""
        ordered = sorted(aid.entitlements, key=_period, reverse=True)
        return [
            PeriodView(begins_on, ends_on, [self._entitlement(each) for each in own])
            for (begins_on, ends_on), own in groupby(ordered, key=_period)
        ]

    def _entitlement(self, told: Entitlement) -> EntitlementView:
        return EntitlementView(
            programme=told.programme,
            programme_name=self.programmes.get(told.programme, told.programme),
            state=told.state,
            state_text=text(f"social_aid.state.{told.state}", self.language),
            amount_idr=told.amount_idr,
            paid_on=told.paid_on,
            channel=told.channel,
            members=[self.members[nik] for nik in told.members if nik in self.members],
            ground=told.ground,
            reason=told.reason,
        )


def _period(told: Entitlement) -> tuple[date, date]:
    return told.begins_on, told.ends_on


def _programme(told: Programme, language: Language) -> ProgrammeView:
    """In our words where we have some, which both languages have; else in the agency's."""
    return ProgrammeView(
        code=told.code or None,
        kind=told.kind,
        owner=told.owner,
        name=_words(told, "name", told.name, language),
        about=_words(told, "about", told.about, language),
        eligibility=_words(told, "eligibility", told.eligibility, language),
        deciles=DecileRange(*told.deciles) if told.deciles else None,
        legal_basis=list(told.legal_basis) or _laws(told, language),
    )


def _words(told: Programme, part: str, agencys: str, language: Language) -> str:
    key = f"social_aid.programme.{told.kind}.{part}"
    return text(key, language) if has_text(key) else agencys


def _laws(told: Programme, language: Language) -> list[str]:
    law = _words(told, "law", "", language)
    return [law] if law else []


def _member(told: Member, reader_nik: str, language: Language) -> MemberView:
    relation = text(f"social_aid.relation.{told.relation}", language)
    return MemberView(told.name, mask_nik(told.nik), told.relation, relation, told.nik == reader_nik)


def _visit(told: Visit, language: Language) -> VisitView:
    words = text(f"social_aid.visit.{told.state}", language)
    return VisitView(told.state, words, told.by, told.planned_on, told.done_on, told.findings)


def _outcome(told: Outcome, language: Language) -> OutcomeView:
    words = text(f"social_aid.decision.{told.decision}", language)
    return OutcomeView(told.decision, words, told.decided_by, told.decided_on, told.reasons)


def _freshness(*, is_stale: bool) -> Freshness:
    return "stale" if is_stale else "fresh"


def _title(slug: str, language: Language) -> str:
    return services()[slug].title.into(language)
