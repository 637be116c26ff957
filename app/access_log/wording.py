"""Rows of the audit in plain words. Every key that code writes has words of its own; the law that an application was
registered under is told as it was written."""

import base64
from typing import Any

import msgspec

from app.access_log.reads import Row
from app.access_log.schemas import AccessEntry, ActorKind, ActorView, CaseReference, FieldView, Place
from app.catalog.catalog import Catalog
from app.errors import NotFound
from app.login.models import NAME
from app.privacy import Vault
from app.texts import Language, has_text, text

MARK_LENGTH = 6


class Words(msgspec.Struct, frozen=True):
    """What words are made with, for one reader; `mine` are their accounts' ids."""

    catalog: Catalog
    vault: Vault
    language: Language
    mine: frozenset[str]

    def entry(self, row: Row) -> AccessEntry:
        """One row of `app.access_log.reads`."""
        return AccessEntry(
            at=row["at"],
            actor=self._actor(row),
            action=row["action"],
            action_text=self._of("action", row["action"]),
            fields=[FieldView(name, self._of("field", name)) for name in msgspec.json.decode(row["fields"])],
            purpose=row["purpose"],
            purpose_text=self._purpose(row),
            legal_basis=row["legal_basis"],
            legal_basis_text=self._of("basis", row["legal_basis"]),
            case=self._case(row),
            request_id=row["request_id"],
            chain=Place(row["position"], row["digest"].hex()) if row["position"] is not None else None,
        )

    def _of(self, what: str, key: str) -> str:
        found = f"audit.{what}.{key}"
        return text(found, self.language) if has_text(found) else key

    def _purpose(self, row: Row) -> str:
        if row["purpose_id"] is not None:
            return str(row["purpose_en"] if self.language == "en" else row["purpose_id"])
        service = self.catalog.find(row["purpose"])
        return service.title.into(self.language) if service else self._of("purpose", row["purpose"])

    def _case(self, row: Row) -> CaseReference | None:
        if row["case_id"] is None:
            return None
        service = self.catalog.find(row["service"])
        title = service.title.into(self.language) if service else row["service"]
        return CaseReference(row["case_id"], row["number"], row["service"], title)

    def _actor(self, row: Row) -> ActorView:
        kind: ActorKind = row["actor_kind"]
        if kind == "officer":
            return self._officer(row)
        if kind == "client":
            agency = self._agency(row["client_agency"])
            named = {"name": row["client_name"] or row["actor_id"], "agency": agency}
            return ActorView(kind, self._said("client", named), agency)
        if kind == "job":
            agency = self._agency(row["case_agency"])
            return ActorView(kind, self._said("job_for" if agency else "job", {"agency": agency}), agency)
        if row["actor_id"] == "unproven":
            return ActorView("self", self._said("unproven"))
        if row["name_enc"] is not None:
            name = self.vault.decrypt(row["name_enc"], NAME).decode()
            return ActorView("citizen", self._said("delegate", {"name": name}))
        is_self = row["actor_id"] in self.mine
        return ActorView("self" if is_self else "citizen", self._said("self" if is_self else "citizen"))

    def _officer(self, row: Row) -> ActorView:
        """By agency and role, never by name; a terminal's word for whoever sat there is hidden behind a mark, too."""
        mark = officer_mark(self.vault, row["actor_id"])
        role = row["officer_role"]
        if role is None:
            return ActorView("officer", self._said("terminal", {"mark": mark}), mark=mark)
        agency = self._agency(row["officer_agency"]) or text("audit.actor.city", self.language)
        named = {"role": text(f"audit.role.{role}", self.language), "agency": agency, "mark": mark}
        return ActorView("officer", self._said("officer", named), agency, role, mark)

    def _agency(self, agency_id: str | None) -> str | None:
        if not agency_id:
            return None
        try:
            return self.catalog.agency(agency_id).name.into(self.language)
        except NotFound:
            return agency_id

    def _said(self, who: str, named: dict[str, Any] | None = None) -> str:
        return text(f"audit.actor.{who}", self.language, named)


def officer_mark(vault: Vault, actor_id: str) -> str:
    """The same few letters for the same officer: no name, and yet one can say whom one means."""
    return base64.b32encode(vault.lasting_name("officer-mark", actor_id)).decode()[:MARK_LENGTH]
