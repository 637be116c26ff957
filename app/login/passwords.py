"""Passwords: which are refused, and argon2id in one thread or two: neither the event loop nor the machine is theirs."""

import asyncio
import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import FieldError, Unavailable
from app.login.identity import Person

SHORTEST, LONGEST = 10, 128
# A processor is left to the event loop where there are few. Threads of a lower priority would not do: one that is put
# off while it holds the interpreter's lock puts off the loop.
AT_ONCE = min(2, max(1, (os.cpu_count() or 1) - 1))
# More than this waiting would answer later than a person waits; the next is told to come again.
MOST_WAITING = 40
RETRY_AFTER_S = 3

# OWASP's first choice of argon2id: about 22 ms on one core. Its choice of 46 MiB in one pass is as strong and took 52,
# half of that the kernel's, for memory that is mapped anew each time. Raising it later needs no migration, since the
# parameters stand in every hash; but until a hash is made anew, its time tells that there is one.
_HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# Of a password nobody knows; checked so that an unknown NIK takes as long as a known one.
_NOBODYS_HASH = "$argon2id$v=19$m=19456,t=2,p=1$aDSt/BzR9hlCdzICgPSzMA$7wkG7ihkdOkCHOBzBNGobubRB/U3CYZaVRTZcRjG3rY"

_COMMON = frozenset(Path(__file__).with_name("common_passwords.txt").read_text("utf-8").split())
_SEQUENCES = ("01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm")
_LEET = str.maketrans("01345@$", "oieasas")
_WORD = 4

R = TypeVar("R")


class PasswordHasher:
    """Hashes and verifies, AT_ONCE at a time. Raises Unavailable when too many wait."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")
        self._inside = 0

    def refuse_if_full(self) -> None:
        """Raises Unavailable when too many wait: asked before any work is done for a login that would be refused."""
        if self._inside >= AT_ONCE + MOST_WAITING:
            raise Unavailable("login_busy", retry_after_s=RETRY_AFTER_S)

    async def hash(self, password: str) -> str:
        return await self._run(lambda: _HASHER.hash(normalised(password)))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether it is the password of `stored`. Without a stored hash the same work is done, and the answer is no."""
        matches = await self._run(lambda: _matches(stored or _NOBODYS_HASH, normalised(password)))
        return matches and stored is not None

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], R]) -> R:
        self.refuse_if_full()
        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._inside -= 1


def normalised(password: str) -> str:
    """NFKC: the same password typed on another keyboard is the same bytes."""
    return unicodedata.normalize("NFKC", password)


def password_faults(password: str, person: Person | Sequence[str]) -> Sequence[FieldError]:
    """Why this password is refused for this person: length, what others know of them, what everybody tries first.

    Of an officer others know but names.
    """
    password = normalised(password)
    if not SHORTEST <= len(password) <= LONGEST:
        return [FieldError("/password", "password_length", {"min": SHORTEST, "max": LONGEST})]
    if _is_personal(password.casefold(), person):
        return [FieldError("/password", "password_personal")]
    if _is_common(password.casefold()):
        return [FieldError("/password", "password_common")]
    return []


def _matches(stored: str, password: str) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def _is_personal(password: str, person: Person | Sequence[str]) -> bool:
    if not isinstance(person, Person):
        return _has_name(password, " ".join(person))
    born = person.birth_date
    digits = re.sub(r"\D", "", password)
    dates = {born.strftime(form) for form in ("%d%m%Y", "%Y%m%d", "%d%m%y", "%y%m%d")}
    numbers = {person.nik, person.phone.removeprefix("+62"), *dates}
    return any(number in digits for number in numbers) or _has_name(password, person.name)


def _has_name(password: str, name: str) -> bool:
    return any(len(word) >= _WORD and word in password for word in re.split(r"\W+", name.casefold()))


def _is_common(password: str) -> bool:
    """A word of the short list with digits or signs around it, a keyboard row, or a few characters repeated.

    Long lists of leaked passwords hold few of ten characters or more that these rules let through.
    """
    core = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", password)
    words = {re.sub(r"[^a-z]", "", spelling) for spelling in (core, core.translate(_LEET))}
    return (
        len(set(password)) < 5
        or not words.isdisjoint(_COMMON)
        or re.fullmatch(r"(.{1,5})\1+", password) is not None
        or any(password in row or password[::-1] in row for row in _SEQUENCES)
    )
