"""Which passwords are refused, and that hashing keeps to its own programs and its queue."""

import asyncio
import os
import signal
import time
from datetime import date
from pathlib import Path

import argon2
import pytest

from app.errors import Unavailable
from app.login.argon import HASHER, NICENESS
from app.login.identity import Person
from app.login.passwords import _NOBODYS_HASH, AT_ONCE, MOST_WAITING, PasswordHasher, password_faults

SITI = Person("3571024505909001", "Siti Aminah", date(1990, 5, 5), "+6281290019001")

REFUSED = {
    "password_length": ["", "pendek", "123456789", "x" * 129, "ﬁﬁﬁﬁ"],
    "password_personal": [
        "3571024505909001",
        "357102-4505909-001!",
        "siti-berlayar-jauh",
        "AMINAHcantik77",
        "pulang05051990",
        "lari 1990-05-05 pagi",
        "0505-90-becak-biru",
        "81290019001-ku",
    ],
    "password_common": [
        "password123",
        "P4ssw0rd2026!",
        "kata-sandi-2026",
        "Bismillah!!!",
        "indonesia1945",
        "sayangku123",
        "1234567890",
        "0987654321",
        "qwertyuiop",
        "abcdefghij",
        "aaaaaaaaaaaaaaa",
        "abcabcabcabc",
        "123123123123",
        "Kediri-2026-",
        "!!!!!rahasia!!!!!",
    ],
}
TAKEN = [
    "Loket-Demo-2026",
    "Tujuh-Becak-Biru",
    "kuda lumping naik sepeda",
    "correct horse battery staple",
    "Gk7#vQ2!pLx9",
    "ꦱꦸꦒꦼꦁꦫꦮꦸꦃꦏꦁꦩꦱ",
    "x7" * 4 + "-becak",
    "e\u0301" * 3 + "-payung-teduh",
]


@pytest.mark.parametrize(("code", "password"), [(code, each) for code, many in REFUSED.items() for each in many])
def test_refused(code: str, password: str) -> None:
    assert [(fault.pointer, fault.code) for fault in password_faults(password, SITI)] == [("/password", code)]


@pytest.mark.parametrize("password", TAKEN)
def test_taken(password: str) -> None:
    assert password_faults(password, SITI) == []


async def test_hashes_and_verifies() -> None:
    hasher = PasswordHasher()
    stored = await hasher.hash("Tujuh-Becak-Biru")
    assert stored.startswith("$argon2id$")
    assert await hasher.verify(stored, "Tujuh-Becak-Biru")
    assert not await hasher.verify(stored, "tujuh-becak-biru")
    assert not await hasher.verify(None, "Tujuh-Becak-Biru")
    assert not await hasher.verify("not a hash", "Tujuh-Becak-Biru")
    hasher.close()


def test_nobodys_hash_costs_as_much_as_anybodys() -> None:
    """Else an unknown NIK would answer sooner or later than a known one."""
    assert argon2.extract_parameters(_NOBODYS_HASH) == argon2.extract_parameters(HASHER.hash("x"))


async def test_too_many_waiting_are_told_to_come_again_and_the_loop_goes_on() -> None:
    hasher = PasswordHasher()
    room = AT_ONCE + MOST_WAITING
    waiting = [asyncio.create_task(hasher.verify(None, "x")) for _ in range(room)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as refusal:
        await hasher.hash("Tujuh-Becak-Biru")
    assert refusal.value.retry_after_s
    slowest = 0.0
    while not all(task.done() for task in waiting):
        before = time.monotonic()
        await asyncio.sleep(0.005)
        slowest = max(slowest, time.monotonic() - before)
    assert slowest < 0.5, "hashing must not stand on the event loop"
    assert await asyncio.gather(*waiting) == [False] * room
    assert await hasher.hash("Tujuh-Becak-Biru"), "there is room again"
    hasher.close()


async def test_hashing_stands_back_and_survives_its_program() -> None:
    hasher = PasswordHasher()
    stored = await hasher.hash("Tujuh-Becak-Biru")
    killed = _programs()
    assert killed, "argon2 runs in programs of its own"
    assert {os.getpriority(os.PRIO_PROCESS, program) for program in killed} == {NICENESS}
    for program in killed:
        os.kill(program, signal.SIGKILL)
    assert await hasher.verify(stored, "Tujuh-Becak-Biru"), "another one answers"
    hasher.close()
    assert not _programs(), "none is left behind"


def _programs() -> set[int]:
    """Process ids of our own children that hash."""
    children = Path("/proc/self/task").glob("*/children")
    mine = {int(child) for each in children for child in each.read_text().split()}
    return {child for child in mine if b"argon.py" in Path(f"/proc/{child}/cmdline").read_bytes()}
