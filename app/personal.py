"""What a table holds of a citizen: one declaration beside each model. A citizen's copy, the deletion of their data and
the sweep that proves both work by these alone, so that a new table of whatever module is covered when it is there."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

Years = Annotated[int, msgspec.Meta(ge=1, le=30)]
# Why something outlives its citizen's account; the words are `hold.<name>` of app/rights/texts.toml.
Hold = Literal["archive", "audit", "consent_proof", "accountability"]


class Personal(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows are a citizen's, and what becomes of them.

    `owner`: the column that has the citizen's id, or the key of the row (by its foreign key) whose citizen it is.
    `where`: a condition for rows that are found another way: `$1` their ids, `$2` keyed indexes of NIK and phone.
    `matched`: encrypted columns that tell whose a row is; for tables whose rows live for a day, as each is opened.
    `withheld`: columns whose content a copy does not show, secrets and what is of use to us alone; it names them.
    `hold`: why rows stay when the account goes. `erased`: columns that are emptied nevertheless.
    `has_file`: bytes lie in the file store under the row's id. `derived`: worked out of other rows, and taken away by
    whoever works it out once those are gone.
    """

    owner: str = ""
    where: str = ""
    matched: Sequence[str] = ()
    withheld: Sequence[str] = ()
    hold: Hold | None = None
    erased: Sequence[str] = ()
    has_file: bool = False
    derived: bool = False

    @property
    def holds_some(self) -> bool:
        return bool(self.owner or self.where or self.matched)


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long what a law holds stays after its citizen's account is gone, in years; a city may differ."""

    archive_years: Years = 5
    consent_proof_years: Years = 5
    accountability_years: Years = 5


# For rows of a case that do not refer to it by a foreign key.
OF_CASES = "case_id IN (SELECT id FROM cases WHERE citizen_id = ANY($1::uuid[]))"
# Of no citizen: measures, settings, officers' own.
NOBODYS = Personal()
