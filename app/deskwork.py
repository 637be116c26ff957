"""`loket deliveries`: the operator's desk from the terminal, where whoever has the machine sees every agency's."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from uuid import UUID

import msgspec

from app.assembly import Product, build
from app.callbacks import desk as callbacks
from app.callbacks.desk import Dismissal, StrayCallback
from app.cases.timeline import CHANNEL
from app.database import Connection
from app.deliveries import actions, backends, desk, parked
from app.deliveries.acting import Acting
from app.deliveries.backends import BackendView, Hold
from app.deliveries.schemas import DeliveryItem, ManyRetried, ParkedJob, Resolution, RetriedMany
from app.errors import LoketError
from app.keyring.standing import require_standing_keys
from app.settings import Settings, SettingsError
from app.texts import text
from app.valkey import ValkeyDown

T = TypeVar("T")


async def waiting(settings: Settings, wanted: desk.Wanted) -> list[DeliveryItem]:
    """The longest waiting, at most `wanted.limit`."""
    acting = _terminal("")
    return await done(settings, lambda connection, _: _items(connection, acting, wanted))


async def show(settings: Settings, delivery_id: str, officer: str) -> str:
    """One delivery with its tries, as indented JSON; audited under the officer's name."""

    async def read(connection: Connection, product: Product) -> str:
        shown = await desk.read_delivery(connection, _terminal(officer), _id(delivery_id), product.cases, "en")
        return msgspec.json.format(msgspec.json.encode(shown), indent=2).decode()

    return await done(settings, read)


async def retry(settings: Settings, delivery_id: str, reason: str, officer: str) -> None:
    async def work(connection: Connection, product: Product) -> UUID:
        return await actions.retry(connection, _terminal(officer), _id(delivery_id), reason, product.cases)

    await done(settings, work, _tell_streams)


async def resolve(settings: Settings, delivery_id: str, resolution: Resolution, officer: str) -> None:
    async def work(connection: Connection, product: Product) -> UUID:
        return await actions.resolve(connection, _terminal(officer), _id(delivery_id), resolution, product.cases)

    await done(settings, work, _tell_streams)


async def retry_all(settings: Settings, backend: str, reason: str, officer: str) -> RetriedMany:
    """All of a backend's that wait for an officer, a hundred a transaction."""

    async def work(connection: Connection, product: Product) -> RetriedMany:
        acting = _terminal(officer)
        backends.system_of(acting, backend, product.cases)
        return await actions.retry_many(connection, acting, ManyRetried(reason, backend=backend), product.cases)

    all_of_them = await done(settings, work)
    retried = all_of_them.retried
    while retried and all_of_them.left:
        further = await done(settings, work)
        retried = further.retried
        all_of_them.retried.extend(retried)
        all_of_them.refused, all_of_them.left = further.refused, further.left
    return all_of_them


async def try_now(settings: Settings, backend: str, reason: str, officer: str) -> Sequence[str]:
    """The operations whose breakers were open. Raises SettingsError where nobody can be told."""

    shut: list[str] = []

    async def work(connection: Connection, product: Product) -> None:
        await backends.try_backend_now(connection, _terminal(officer), backend, reason, product.cases)

    async def spread(product: Product, _: object) -> None:
        shut.extend(await product.cases.backends.breakers.hasten(backend))

    await done(settings, work, spread)
    return shut


async def hold_breaker(settings: Settings, held: tuple[str, tuple[str, Hold, str]], officer: str) -> None:
    """`held`: the backend; and the operation ("" for all), how, and why."""

    async def work(connection: Connection, product: Product) -> None:
        await backends.hold_breaker_of(connection, _terminal(officer), *held, product.cases)

    await done(settings, work, announce)


async def systems(settings: Settings) -> list[BackendView]:
    async def read(connection: Connection, product: Product) -> list[BackendView]:
        return (await backends.list_backends(connection, _terminal(""), product.cases)).items

    return await done(settings, read)


async def pause(settings: Settings, backend: str, reason: str, officer: str) -> None:
    async def work(connection: Connection, product: Product) -> None:
        await backends.pause_backend(connection, _terminal(officer), backend, reason, product.cases)

    await done(settings, work, announce)


async def resume(settings: Settings, backend: str, reason: str, officer: str) -> None:
    async def work(connection: Connection, product: Product) -> None:
        await backends.resume_backend(connection, _terminal(officer), backend, reason, product.cases)

    await done(settings, work, announce)


async def strays(settings: Settings, wanted: callbacks.Wanted) -> list[StrayCallback]:
    async def read(connection: Connection, product: Product) -> list[StrayCallback]:
        return (await callbacks.list_strays(connection, _terminal(""), wanted, product.vault)).items

    return await done(settings, read)


async def dismiss(settings: Settings, stray_id: str, reason: str, officer: str) -> bool:
    """Whether it was waiting."""

    async def work(connection: Connection, product: Product) -> bool:
        asked = Dismissal([_id(stray_id, "callback")], reason)
        return bool((await callbacks.dismiss(connection, _terminal(officer), asked, product.vault)).dismissed)

    return await done(settings, work)


async def parked_jobs(settings: Settings) -> list[ParkedJob]:
    async def read(connection: Connection, _: Product) -> list[ParkedJob]:
        return (await parked.list_parked(connection)).items

    return await done(settings, read)


async def queue_again(settings: Settings, job_id: int, reason: str, officer: str) -> None:
    async def work(connection: Connection, _: Product) -> None:
        await parked.queue_again(connection, _terminal(officer), job_id, reason)

    await done(settings, work)


async def done(
    settings: Settings,
    work: Callable[[Connection, Product], Awaitable[T]],
    after: Callable[[Product, T], Awaitable[None]] | None = None,
) -> T:
    """`work` in one transaction, and what it gave; with that, `after` its commit tells whom it concerns.

    Raises SettingsError with what refused it.
    """
    product = build(settings, "desk")
    try:
        await require_standing_keys(product.database, product.vault)
        async with product.database.begin() as connection:
            done = await work(connection, product)
        if after:
            await after(product, done)
    except LoketError as error:
        raise SettingsError(_words(error)) from None
    except ValkeyDown:
        raise SettingsError("Valkey does not answer: processes could not be told, and find out by themselves") from None
    finally:
        await product.close()
    return done


async def announce(product: Product, _: object) -> None:
    """Every process hears that something about a backend was decided."""
    await product.cases.backends.controls.announce()


async def _tell_streams(product: Product, case_id: UUID) -> None:
    await product.valkey.publish(CHANNEL, str(case_id).encode())


def _terminal(officer: str) -> Acting:
    return Acting(officer, officer, "", alone=True)


def _id(given: str, whose: str = "delivery") -> UUID:
    try:
        return UUID(given)
    except ValueError:
        raise SettingsError(f"{given!r} is no {whose}'s id") from None


async def _items(connection: Connection, acting: Acting, wanted: desk.Wanted) -> list[DeliveryItem]:
    return (await desk.list_deliveries(connection, acting, wanted, "en")).items


def _words(error: LoketError) -> str:
    faults = [
        f"{fault.pointer.strip('/')}: {text(f'field.{fault.code}', 'en', fault.params)}" for fault in error.errors
    ]
    return "; ".join([text(f"error.{error.code}", "en", error.params), *faults])
