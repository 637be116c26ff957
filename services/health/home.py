"""Health's part of a citizen's home: tickets for today and for days to come."""

from app.database import utc_now
from app.home.port import Asker, Booking, Part, Told
from services.health.actions import Tickets
from services.health.queues import LiveQueues
from services.health.views import booking

MOST = 10


class Bookings(Part[Booking]):
    """Tickets as we have them from the facilities; on the day itself with the queue as it stands there."""

    kind = "bookings"
    link = "/v1/cases"
    for_others = True

    async def read(self, asker: Asker) -> Told[Booking]:
        now = utc_now()
        tickets = Tickets(self.port, LiveQueues(self.cases.reads), self.cases)
        services = list(asker.caller.acting.services) if asker.caller.acting else None
        found = await tickets.to_come(asker.caller.id, services, asker.left_s)
        held = sorted(found[:MOST], key=lambda each: (each.session.day, each.come_at or now))
        old = [each.look.as_of for each in held if each.look.state != "fresh"]
        return Told(
            [booking(each, self.cases.catalog, asker.language) for each in held],
            min(old, default=now),
            is_stale=bool(old),
            more=len(found) > MOST,
        )
