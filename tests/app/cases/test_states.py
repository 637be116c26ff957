"""The state machine of a case: every arrow, and no other."""

from typing import get_args

import pytest

from app.cases.port import Status
from app.cases.states import ARROWS, FINAL, WITHDRAWABLE, may_move

STATUSES: tuple[Status, ...] = get_args(Status)
# Written out once more, by hand: what the machine allows is what people agreed on, not whatever the code says.
AGREED = {
    "draft": "submitted withdrawn expired",
    "submitted": "in_review needs_citizen approved rejected completed withdrawn expired",
    "in_review": "needs_citizen approved rejected completed withdrawn expired",
    "needs_citizen": "in_review approved rejected completed withdrawn expired",
    "approved": "completed",
    "rejected": "",
    "completed": "",
    "withdrawn": "",
    "expired": "",
}


def test_every_status_has_its_arrows() -> None:
    assert set(ARROWS) == set(STATUSES) == set(AGREED)


@pytest.mark.parametrize("current", STATUSES)
@pytest.mark.parametrize("following", STATUSES)
def test_every_arrow_and_no_other(current: Status, following: Status) -> None:
    assert may_move(current, following) == (following in AGREED[current].split())


def test_nothing_leads_back_to_a_draft_or_to_handing_in() -> None:
    assert not [status for status in STATUSES if may_move(status, "draft")]
    assert [status for status in STATUSES if may_move(status, "submitted")] == ["draft"]


def test_ends_are_ends() -> None:
    assert {"rejected", "completed", "withdrawn", "expired"} == FINAL
    assert {"draft", "submitted", "in_review", "needs_citizen"} == WITHDRAWABLE
