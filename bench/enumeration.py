"""`python -m bench.enumeration`: can one learn whose NIK has an account, by words, status, headers, size or time?

One request at a time over one kept connection; both kinds in turns, in an order left to chance, so that what else goes
on on the machine befalls both alike. Every request is made beforehand: making one leaves traces in caches.
"""

import asyncio
import http.client
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import click
import msgspec

from app.login.identity import Person
from bench.accounts import make_accounts, person
from bench.processes import running_servers
from bench.product import Product
from bench.ranks import Apart, apart

KNOWN = 200
WARM_UP = 20
MOST_AUC, MOST_GAP_MS = 0.03, 1.0
# What differs from one answer to the next, whoever is asked about.
VOLATILE = ("x-request-id", "date")


class Door(msgspec.Struct, frozen=True):
    """A place that could tell: what is asked there of a person."""

    name: str
    path: str
    body: Callable[[Person], Mapping[str, str]]


class Answered(msgspec.Struct, frozen=True):
    """`shape`: all of an answer but its values and what is never twice the same."""

    seconds: float
    shape: str


class Verdict(msgspec.Struct, frozen=True):
    """One door. `shapes`: how many kinds of answer there were; one is as it must be."""

    door: str
    samples: int
    shapes: Sequence[str]
    apart: Apart

    @property
    def holds(self) -> bool:
        answered = len(self.shapes) == 1 and self.shapes[0].startswith("2")
        return answered and self.apart.is_within(MOST_AUC, MOST_GAP_MS)


DOORS = (
    Door(
        "registration",
        "/v1/login/registrations",
        lambda who: {
            "nik": who.nik,
            "name": who.name,
            "birth_date": who.birth_date.isoformat(),
            "phone": "+6281355900001",
        },
    ),
    Door("login", "/v1/login/sessions", lambda who: {"nik": who.nik, "password": "Salah-Sekali-9"}),
    Door("recovery", "/v1/login/recoveries", lambda who: {"nik": who.nik}),
)


def measure(connection: http.client.HTTPConnection, door: Door, known: Sequence[Person], samples: int) -> Verdict:
    """`samples` questions about people with an account, and as many about people without."""
    chance = random.Random(2026)
    turns = [True, False] * (WARM_UP + samples)
    chance.shuffle(turns)
    times: dict[bool, list[float]] = {True: [], False: []}
    shapes = set()
    people = [known[at % len(known)] if turn else person(100_000 + at) for at, turn in enumerate(turns)]
    bodies = [json.dumps(door.body(who)).encode() for who in people]
    for body, has_account in zip(bodies, turns, strict=True):
        answered = ask(connection, door.path, body)
        shapes.add(answered.shape)
        times[has_account].append(answered.seconds)
    without, having = times[False][WARM_UP:], times[True][WARM_UP:]
    return Verdict(door.name, samples, sorted(shapes), apart(without, having))


def ask(connection: http.client.HTTPConnection, path: str, body: bytes) -> Answered:
    """One question, timed from its first byte to the answer's last."""
    began = time.perf_counter()
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    seconds = time.perf_counter() - began
    headers = [f"{name}: {value}" for name, value in answer.getheaders() if name.lower() not in VOLATILE]
    return Answered(seconds, f"{answer.status} {shape_of(json.loads(content))} {len(content)} {sorted(headers)}")


def shape_of(value: object) -> object:
    """The same with every value's length in its place; what is not personal stays."""
    if isinstance(value, dict):
        volatile = (
            "registration_id",
            "recovery_id",
            "challenge_id",
            "expires_at",
            "request_id",
            "passkey",
            "challenge",
        )
        return {key: len(str(each)) if key in volatile else shape_of(each) for key, each in value.items()}
    return value


@click.command()
@click.option("--samples", default=2_000, show_default=True, help="questions of each kind at each door")
def main(samples: int) -> None:
    """Run the product and measure every door."""
    folder = Path(tempfile.mkdtemp(prefix="loket-enumeration-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        product = Product(*stack.enter_context(running_servers(folder)), folder)
        asyncio.run(product.prepare(cases=100))
        known = asyncio.run(make_accounts(product.settings.database_url, product.vault, KNOWN, 2))
        stack.enter_context(product.api())
        verdicts = []
        for door in DOORS:
            connection = http.client.HTTPConnection("127.0.0.1", product.settings.port, timeout=60)
            verdicts.append(measure(connection, door, known, samples))
            connection.close()
            tell(verdicts[-1])
    sys.exit(not all(verdict.holds for verdict in verdicts))


def tell(verdict: Verdict) -> None:
    seen = verdict.apart
    click.echo(
        f"{verdict.door:13} {verdict.samples} each: AUC {seen.auc:.3f} ({seen.low:.3f} to {seen.high:.3f}), "
        f"medians {seen.gap_ms:+.3f} ms apart, {len(verdict.shapes)} shape of answer: "
        f"{'cannot be told apart' if verdict.holds else 'CAN BE TOLD APART'}"
    )
    if len(verdict.shapes) > 1:
        click.echo("\n".join(verdict.shapes))


if __name__ == "__main__":
    main()
