"""Who may act for whom, asked of PostgreSQL at every such request: what was revoked just now holds nowhere any more."""

import json
from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

import msgspec

from app.asking import Acting
from app.errors import Forbidden, NotFound, Unauthenticated
from app.login.gate import Gate
from app.login.guards import ActingAsked, ActingOn, Caller, DelegationDoor, OfficerDoor
from app.telemetry import request_id

# What the path names, where it is the subject's and the delegation covers it: a case of its services, a file of such a
# case, or one that was sent under this delegation.
_A_CASE = "SELECT FROM cases WHERE cases.id = {} AND citizen_id = known.subject_id AND service = ANY(known.services)"
_COVERS: Mapping[ActingOn, str] = {
    "services": "true",
    "case": f"EXISTS ({_A_CASE.format('$4')})",
    "attachment": "EXISTS (SELECT FROM attachments WHERE attachments.id = $4 AND citizen_id = known.subject_id "
    f"AND (delegation_id = known.id OR EXISTS ({_A_CASE.format('attachments.case_id')})))",
}


def _act(on: ActingOn) -> str:
    """One statement finds the delegation, whether it holds for this actor, whether it covers what is asked for, and
    leaves the audit row of that: nobody is let in without. A try with another's delegation is on record, too."""
    return f"""
WITH known AS (
    SELECT id, subject_id, services, relation,
        state = 'active' AND expires_at > now() AND coalesce(delegate_id, officer_id) = $3
            AND (officer_id IS NOT NULL) = ($2 = 'officer') AS holds
    FROM delegations WHERE id = $1 AND subject_id IS NOT NULL
), judged AS (
    SELECT known.*, holds AND {_COVERS[on]} AS covers, assurance_level
    FROM known JOIN citizens ON citizens.id = known.subject_id
), noted AS (
    INSERT INTO audit_rows (actor_kind, actor_id, action, subject_id, object_kind, object_id, purpose, legal_basis,
        fields, request_id)
    SELECT $2, $3::text, CASE WHEN covers THEN $5 ELSE 'delegate.refused' END, subject_id, $6,
        coalesce($4, $1)::text, 'delegation',
        CASE relation WHEN 'child' THEN 'parental-authority' ELSE 'delegation' END,
        CASE WHEN covers THEN $7::jsonb ELSE '[]' END, $8
    FROM judged
)
SELECT subject_id, services, holds, covers, assurance_level FROM judged
"""  # noqa: S608 - constants of ours


_ACT: Mapping[ActingOn, str] = {on: _act(on) for on in _COVERS}
# As often as anybody may ask for themselves.
A_MINUTE = 600
_FIELDS: Mapping[ActingOn, tuple[str, ...]] = {
    "case": ("form", "timeline"),
    "attachment": ("attachments",),
    "services": ("cases",),
}
_NOT_THERE: Mapping[ActingOn, str] = {"case": "case_not_found", "attachment": "attachment_not_found"}


class _Sender(msgspec.Struct, frozen=True):
    """Who sent the request, by their own token."""

    kind: Literal["citizen", "officer"]
    id: UUID
    session_id: UUID
    assurance_level: int


class Delegations(DelegationDoor):
    """Built by the composition root beside the two doors it asks who the sender is."""

    def __init__(self, gate: Gate, officers: OfficerDoor) -> None:
        self._gate = gate
        self._officers = officers

    async def act(self, asked: ActingAsked) -> Caller:
        sender = await self._sender(asked.token)
        # Before the record grows: whoever is refused leaves a row about somebody else.
        self._gate.limiter.hit_here(f"acting:{sender.session_id}", limit=A_MINUTE, period_s=60)
        delegation = _id_of(asked.delegation)
        row = await self._judged(asked, sender, delegation) if delegation else None
        if delegation is None or row is None or not row["holds"]:
            # One answer for whatever is not, not yet, not any more, or somebody else's.
            raise Forbidden("delegation_invalid")
        if not row["covers"]:
            raise NotFound(_NOT_THERE.get(asked.on, "not_found"))
        # What was never proven of the subject is not proven by who acts for them.
        level = min(sender.assurance_level, row["assurance_level"])
        if level < asked.level:
            raise Forbidden("assurance_level_too_low", params={"level": asked.level})
        acting = Acting(delegation, row["subject_id"], sender.kind, sender.id, tuple(row["services"]))
        return Caller("citizen", row["subject_id"], sender.session_id, level, acting)

    async def _judged(self, asked: ActingAsked, sender: _Sender, delegation: UUID) -> Mapping[str, Any] | None:
        verb = "read" if asked.method == "GET" else "write"
        kind = "delegation" if asked.about is None else asked.on
        fields = json.dumps(_FIELDS[asked.on] if verb == "read" else ())
        given = (delegation, sender.kind, sender.id, asked.about, f"delegate.{verb}", kind, fields, request_id.get())
        rows = await self._gate.database.fetch(_ACT[asked.on], *given)
        return rows[0] if rows else None

    async def _sender(self, token: str) -> _Sender:
        try:
            claims = await self._gate.admit(token)
        except Unauthenticated as refused:
            if refused.code != "token_invalid":
                raise
            officer = await self._officers.by_token(token)
            # An officer stands before the person, whose papers two of them have seen.
            return _Sender("officer", officer.id, officer.session_id, 2)
        return _Sender("citizen", claims.citizen_id, claims.session_id, claims.assurance_level)


def _id_of(written: str) -> UUID | None:
    try:
        return UUID(written) if len(written) == 36 else None
    except ValueError:
        return None
