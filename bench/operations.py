"""The operations measured, the goals design/performance.md sets for them, and the requests each target is sent."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import msgspec

from bench.forms import SERVICE, body
from bench.load import UNIQUE, request

TARGETS = ("floor", "fastapi", "product")


class Operation(msgspec.Struct, frozen=True):
    """`at_most_of_fastapi` is a share of the yardstick's CPU, `at_most_of_floor` a multiple; None: no goal is set.

    `beside` names the operation whose yardsticks it is compared with, where it has none of its own. `uses_up`: every
    request of the product needs a document of its own, so each is sent once.
    """

    key: str
    title: str
    at_most_of_fastapi: float | None = None
    at_most_of_floor: float | None = None
    beside: str = ""
    uses_up: bool = False


OPERATIONS = (
    Operation("me", "B  GET /v1/me", 1 / 3, 5.0),
    Operation("cases", "C  GET /v1/cases?limit=20", 1 / 4, 2.2),
    Operation("case", "   GET /v1/cases/{id}, 10 events", 1 / 4, 2.5),
    Operation("agency", "D  a licence number checked at the agency", 1 / 8, 7.0),
    Operation("warm", "D  the same, cache warm", 1 / 10, beside="agency"),
    Operation("licence", "   my licence: case read, then the agency", beside="agency"),
    Operation("ticket", "   my ticket in the queue, which all watch", beside="agency"),
    Operation("clinics", "   a puskesmas' clinics and queues today", beside="agency"),
    Operation("submit", "E  POST /v1/cases, 2 KB", 1 / 2, 5.0, uses_up=True),
)


class Person(msgspec.Struct, frozen=True):
    """Somebody who sends requests: an access token and cases of their own."""

    token: str
    cases: Sequence[UUID]


class Clinic(msgspec.Struct, frozen=True):
    """Whose queue is watched, on which day."""

    facility: str
    day: str


class Issued(msgspec.Struct, frozen=True):
    """What the agencies of the run gave: a licence with its citizen, and tickets, one for each of the first people."""

    token: str
    case: UUID
    number: str
    clinic: Clinic = Clinic("", "")
    tickets: Sequence[UUID] = ()


NOTHING_ISSUED = Issued("", UUID(int=0), "")


def yardstick_requests(operation: Operation, people: Sequence[Person]) -> list[bytes]:
    """What a yardstick is sent; both speak the same small API."""
    if operation.key == "me":
        return [request("GET", "/me", _as(one)) for one in people]
    if operation.key == "cases":
        return [request("GET", "/cases?limit=20", _as(one)) for one in people]
    if operation.key == "case":
        return [request("GET", f"/cases/{case}", _as(one)) for one in people for case in one.cases[:5]]
    if operation.key == "submit":
        content = body(SERVICE, str(uuid4()))
        return [request("POST", "/cases", _as(one) | _KEYED, content) for one in people]
    return [request("GET", "/licence?number=NTAzLzAwMDE=", _as(one)) for one in people]


def product_requests(operation: Operation, people: Sequence[Person], issued: Issued) -> list[bytes]:
    """What the product is sent, for all but submissions."""
    if operation.key == "me":
        return [request("GET", "/v1/me", _as(one)) for one in people]
    if operation.key == "cases":
        return [request("GET", "/v1/cases?limit=20", _as(one)) for one in people]
    if operation.key == "case":
        return [request("GET", f"/v1/cases/{case}", _as(one)) for one in people for case in one.cases[:5]]
    if operation.key == "ticket":
        held = zip(people, issued.tickets, strict=False)
        return [request("GET", f"/v1/health/tickets/{ticket}", _as(one)) for one, ticket in held]
    if operation.key == "clinics":
        return [request("GET", f"/v1/health/facilities/{issued.clinic.facility}/clinics?date={issued.clinic.day}")]
    if operation.key == "licence":
        return [request("GET", f"/v1/permits/{issued.case}/licence", {"Authorization": f"Bearer {issued.token}"})]
    # A number nobody asked for before is not in the cache: the agency is asked every time.
    number = issued.number if operation.key == "warm" else f"503/{UNIQUE.decode()}"
    return [request("GET", f"/v1/permits/check?number={number}")]


def submissions(people: Sequence[Person], documents: Sequence[UUID]) -> list[bytes]:
    """One submission for each document, in turn by the people it was uploaded for."""
    return [
        request("POST", "/v1/cases", _as(people[at % len(people)]) | _KEYED, body(SERVICE, str(document)))
        for at, document in enumerate(documents)
    ]


_KEYED = {"Idempotency-Key": UNIQUE.decode()}


def _as(one: Person) -> dict[str, str]:
    return {"Authorization": f"Bearer {one.token}"}
