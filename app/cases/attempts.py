"""The record of every try to hand something over: what was said, sealed beside the outcome, and opened on the desk."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from app.cases.casedata import FORM_CONTEXT, applicant
from app.cases.masking import Mask
from app.cases.models import EXCHANGES_CONTEXT, PAYLOAD_CONTEXT
from app.cases.port import CaseData
from app.cases.tools import CaseTools
from app.exchanges import Exchange, Exchanges
from app.privacy import CannotDecrypt, Vault


class Said(msgspec.Struct, frozen=True):
    """What a try's row gets beside its outcome."""

    calls: int = 0
    http_status: int | None = None
    exchanges_enc: bytes | None = None


NOTHING = Said()


def sealed(
    exchanges: Exchanges,
    row: Mapping[str, Any],
    kept: Sequence[str | None],
    tools: CaseTools,
    payload_enc: bytes | None = None,
) -> Said:
    """Masked, then encrypted. `row` and `payload_enc`, what an answer or a withdrawal is told with, as a Claim has
    them; `kept`: the agency's numbers of this matter, left readable.

    A case that cannot be read (a key that is gone) still leaves how often the backend was called.
    """
    if not exchanges.kept:
        return NOTHING
    try:
        mask = _mask_of(row, [row["number"], *(number for number in kept if number)], tools, _told(payload_enc, tools))
    except (CannotDecrypt, msgspec.DecodeError):
        return Said(exchanges.calls, exchanges.last_status)
    shown = [
        msgspec.structs.replace(
            each, path=mask.hide(each.path), sent=mask.hide(each.sent), answered=mask.hide(each.answered)
        )
        for each in exchanges.kept
    ]
    blob = tools.vault.encrypt(msgspec.json.encode(shown), EXCHANGES_CONTEXT)
    return Said(exchanges.calls, exchanges.last_status, blob)


def opened(blob: bytes | None, vault: Vault) -> list[Exchange]:
    """What `sealed` put away; masked as it was then."""
    if blob is None:
        return []
    return msgspec.json.decode(vault.decrypt(blob, EXCHANGES_CONTEXT), type=list[Exchange])


def _told(payload_enc: bytes | None, tools: CaseTools) -> Sequence[str]:
    """In people's own words: an answer with its question, a reason."""
    if payload_enc is None:
        return ()
    words = msgspec.json.decode(tools.vault.decrypt(payload_enc, PAYLOAD_CONTEXT), type=dict[str, str])
    return list(words.values())


def _mask_of(row: Mapping[str, Any], kept: Sequence[str], tools: CaseTools, told: Sequence[str]) -> Mask:
    form = msgspec.json.decode(tools.vault.decrypt(row["form_enc"], FORM_CONTEXT))
    known = tools.catalog.form(row["service"], row["form_version"])
    case = CaseData(
        id=row["case_id"],
        number=row["number"],
        service=row["service"],
        form=form,
        applicant=applicant(row, tools),
        files=(),
        submitted_at=row["submitted_at"],
    )
    texts = known.free_texts(form) if known else [value for value in form.values() if isinstance(value, str)]
    return Mask(case, [*texts, *told], kept)
