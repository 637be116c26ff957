"""The city's own parts of a home: open cases of every module, and unread messages."""

from app.cases.reads import open_cases
from app.cases.schemas import CaseView
from app.database import utc_now
from app.home.port import Asker, Part, Told
from app.inbox.reads import unread
from app.inbox.schemas import InboxMessage

MOST_CASES, MOST_MESSAGES = 20, 10


class Cases(Part[CaseView]):
    """What is not over yet."""

    kind = "cases"
    link = "/v1/cases"
    for_others = True

    async def read(self, asker: Asker) -> Told[CaseView]:
        now = utc_now()
        found = await open_cases(asker.caller, MOST_CASES + 1, self.cases, asker.language)
        return Told(found[:MOST_CASES], now, more=len(found) > MOST_CASES)


class Messages(Part[InboxMessage]):
    """What the citizen has not read yet. It is theirs alone."""

    kind = "messages"
    link = "/v1/inbox"

    async def read(self, asker: Asker) -> Told[InboxMessage]:
        now = utc_now()
        database, vault = self.cases.database, self.cases.vault
        found = await unread(asker.caller.id, MOST_MESSAGES + 1, database, vault, asker.language)
        return Told(found[:MOST_MESSAGES], now, more=len(found) > MOST_MESSAGES)


OWN = (Cases, Messages)
