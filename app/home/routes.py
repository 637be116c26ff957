"""HTTP of a citizen's home."""

from functools import partial
from typing import cast

import msgspec
from litestar import Response, get
from litestar.response import Stream

from app.answers import EncodedJson, representations, wanted_of
from app.cases import streams
from app.cases.once import language_asked
from app.errors import Forbidden
from app.home.examples import AT_ONCE, STREAMED
from app.home.gathering import gather
from app.home.port import Asker
from app.home.schemas import HomeView
from app.home.streams import stream
from app.limits import Limiter
from app.login.guards import CitizenRequest, citizen
from app.problems import problems

JSON, EVENTS = "application/json", "text/event-stream"
# Each may ask several agencies; an app that is opened and drawn down anew stays far below.
LOOKS_PER_MINUTE = 30


@get(
    "/v1/home",
    opt={**citizen(acting="services"), "examples": {JSON: AT_ONCE, EVENTS: STREAMED}},
    operation_id="read_home",
    operation_class=representations(EVENTS),
    summary="My open cases, bookings, bills, entitlements and unread messages, from every module",
    description="Answers within 300 ms with what is known by then; `state` and `as_of` of each part say how it is "
    "known. No part's failure is the home's: it says so itself, with a `reason`. With `Accept: text/event-stream` the "
    "same document comes as the event `home`, then each part that was late, or has been told anew, as an event `part`, "
    "then `end`: close the stream then. For who acts for a citizen: what the delegation covers, and no stream.",
    tags=["home"],
    responses=problems("acting_not_allowed", "too_many_streams"),
)
async def read_home(request: CitizenRequest) -> Response[HomeView]:
    state, caller = request.app.state, request.user
    limiter: Limiter = state["limiter"]
    limiter.hit_here(f"home:{caller.actor_id}", limit=LOOKS_PER_MINUTE, period_s=60)
    wanted = wanted_of(request.scope, JSON, EVENTS)
    sources = [each for each in state["home"] if each.is_for(caller)]
    asker = Asker(caller, language_asked(request))
    if wanted == JSON:
        shown = msgspec.json.encode(await gather(sources, asker))
        return EncodedJson(shown, headers={"Vary": "Accept, Accept-Language"})
    if caller.acting is not None:
        # A delegation may end while somebody listens.
        raise Forbidden("acting_not_allowed")
    streams.reserve(caller.id)
    told = Stream(partial(stream, sources, asker, state["gate"]), media_type=EVENTS)
    return cast(Response[HomeView], told)


ROUTES = [read_home]
