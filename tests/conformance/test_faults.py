"""Every fault of a backend, on every operation a port's method makes, becomes what we know of it, within the budget.

A lost answer whose effect happened must be OutcomeUnknown: "surely no effect" would have the case sent twice. And
whatever stands in an answer (F04), it is read as what it says or refused, and what nobody understood counts as failed.
"""

import inspect
import random
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from app.errors import AgencyError, AgencyRejected, OutcomeUnknown
from app.sandbox.faults import Mode
from tests.conformance.folders import integration_manifest, served
from tests.harness.contracts import Sample, Stage, collect_samples, on_stage
from tests.harness.patience import STALLED_S
from tests.harness.spoilt import INSTEAD, Change, one_value, some_bytes

# Without a budget what stalls would never end; how loaded the machine is must not matter.
SLACK_S = 20.0


class Suffering(msgspec.Struct, frozen=True):
    """Who suffers, and which calls."""

    stage: Stage
    samples: Sequence[Sample]


# Of each kind of change, so many for each method and seed.
VALUES, BYTES, OTHERS = 6, 2, 4
PAGE = b"<html><head><title>Request Rejected</title></head><body>Support ID: 1</body></html>"
FAULTS = [mode for mode in get_args(Mode) if mode != "ok"]


@pytest.fixture(scope="module", params=served(), ids="-".join)
async def suffering(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Suffering]:
    """One adapter on its stage, with a sample of every call that goes well."""
    integration, serves = request.param
    async with on_stage(integration_manifest(integration), serves, tmp_path_factory.mktemp(integration)) as stage:
        samples = await collect_samples(stage, serves)
        yield Suffering(stage, tuple(samples.values()))


@pytest.mark.parametrize("mode", FAULTS)
async def test_a_fault_is_told_as_what_it_is(suffering: Suffering, mode: str) -> None:
    for sample in suffering.samples:
        for operation in sample.operations:
            await suffers(suffering.stage, sample, operation, mode)


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_an_answer_holds_it_is_read_as_what_it_says_or_refused(suffering: Suffering, seed: int) -> None:
    """Values of the wrong kind, missing, empty, endless; other documents; bytes changed by chance."""
    chance = random.Random(seed)
    for sample in suffering.samples:
        changes: list[Change] = [one_value(chance) for _ in range(VALUES)] + [some_bytes(chance) for _ in range(BYTES)]
        changes += [partial(another, other) for other in chance.sample(INSTEAD, OTHERS)]
        for change in changes:
            await misread(suffering.stage, sample, change)


@pytest.mark.parametrize("status", [301, 302, 307, 401, 403, 404, 405, 407])
async def test_a_page_before_the_system_counts_as_its_failure(suffering: Suffering, status: int) -> None:
    """A firewall, a login or a wrong address that answers is no system that works: officers, the catalogue and the
    breaker are not told so. Asked twice, as a token that worked may simply have ended."""
    stage = suffering.stage
    for sample in suffering.samples:
        stage.spoiler.change, stage.spoiler.status = partial(another, PAGE), status
        try:
            await call(stage, sample)
            stage.client.outcomes.clear()
            failure = await call(stage, sample)
        finally:
            stage.spoiler.change = stage.spoiler.status = None
        assert isinstance(failure, AgencyError), f"{sample.method} answered {status} became {failure!r}"
        assert "ok" not in {outcome for _, outcome in stage.client.outcomes}, f"{sample.method} answered {status}"
        # What is kept of the token ended with it.
        await call(stage, sample)


def another(other: bytes, _body: bytes) -> bytes:
    return other


async def misread(stage: Stage, sample: Sample, change: Change) -> None:
    said: list[bytes] = []

    def noted(body: bytes) -> bytes:
        said.append(change(body))
        return said[-1]

    stage.spoiler.change = noted
    try:
        came = await answer(stage, sample)
    finally:
        stage.spoiler.change = None
    what = f"{sample.method} told {[body[:2000] for body in said]}"
    if isinstance(came, BaseException):
        assert isinstance(came, AgencyError), f"{what} raised {came!r}"
        return
    kind = get_type_hints(getattr(type(stage.adapter), sample.method))["return"]
    plain = msgspec.to_builtins(came)
    try:
        msgspec.convert(plain, kind)
    except msgspec.ValidationError as error:
        pytest.fail(f"{what} gave {came!r}, which is not as the port has it: {error}")
    assert r"\x00" not in repr(plain), f"{what} gave a text that cannot be kept: {came!r}"


async def suffers(stage: Stage, sample: Sample, operation: str, mode: str) -> None:
    what = f"{sample.method} with {operation} {mode}"
    effects = len(await stage.bench.ledger())
    await stage.bench.fault(mode, [operation])
    stage.client.outcomes.clear()
    begun = time.monotonic()
    failure = await call(stage, sample)
    took_s = time.monotonic() - begun
    await stage.bench.heal()
    if mode == "malformed" and not isinstance(failure, AgencyRejected):
        # A refusal may be told by the status alone.
        assert (operation, "ok") not in stage.client.outcomes, f"{what} counts as an answer like any other"
    happened = len(await stage.bench.ledger()) > effects
    assert took_s <= STALLED_S * len(sample.operations) + SLACK_S, f"{what} took {took_s:.1f} s"
    if failure is None:
        # A short answer can come through slowly and still in time.
        assert mode == "slow_body", f"{what} was swallowed"
        return
    assert isinstance(failure, AgencyError), f"{what} became {failure!r}"
    if happened:
        assert isinstance(failure, OutcomeUnknown), f"{what} happened, and was told as {type(failure).__name__}"


async def call(stage: Stage, sample: Sample) -> BaseException | None:
    """What came of a sample's call: the error, None where it answered."""
    came = await answer(stage, sample)
    return came if isinstance(came, BaseException) else None


async def answer(stage: Stage, sample: Sample) -> object:
    """What a sample's call gave, or the error."""
    fresh = any(not stage.manifest.operations[operation].safe for operation in sample.operations)
    try:
        return await method(stage, sample)(*(renewed(stage, sample) if fresh else sample.arguments), **sample.named)
    except Exception as error:  # noqa: BLE001 -- whatever came is what the test looks at
        return error


def renewed(stage: Stage, sample: Sample) -> list[Any]:
    """The sample's arguments under a new reference of ours: a backend that knows one already does nothing more."""
    given = inspect.signature(method(stage, sample)).bind(*sample.arguments).arguments
    reference = f"CHECK-{secrets.token_hex(6)}"
    return [
        reference
        if name == "reference"
        else msgspec.structs.replace(value, reference=reference)
        if isinstance(value, msgspec.Struct) and "reference" in value.__struct_fields__
        else value
        for name, value in given.items()
    ]


def method(stage: Stage, sample: Sample) -> Any:
    return getattr(stage.adapter, sample.method)
