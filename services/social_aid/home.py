"""Social aid's part of a citizen's home: what the household is given now."""

import asyncio

from app.database import utc_now
from app.home.port import Asker, Entitlement, Part, Told
from services.social_aid.entitlements import find_household, read_programmes
from services.social_aid.views import programme_names, shown_now

MOST = 20
# Of the other members: that the household receives it, and no name.
SHOWN = ("entitlements",)


class Entitlements(Part[Entitlement]):
    """As on its own page, so on record like there; of the members only the household as a whole is shown."""

    kind = "entitlements"
    link = "/v1/social-aid/entitlements"
    level = 2

    async def read(self, asker: Asker) -> Told[Entitlement]:
        (seen, household), listed = await asyncio.gather(
            find_household(asker.caller.id, self.port, self.cases, SHOWN), read_programmes(self.port, self.cases.reads)
        )
        if household is None:
            return Told((), seen.as_of, seen.is_stale)
        today = utc_now().astimezone(self.cases.catalog.timezone).date()
        names = programme_names(listed, asker.language)
        given = shown_now(household.aid, names, today, asker.language)
        return Told(given[:MOST], seen.as_of, seen.is_stale, more=len(household.aid.entitlements) > len(given[:MOST]))
