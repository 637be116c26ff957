"""Passwords: which are refused, and argon2id in a program or two of its own: neither the event loop nor the machine is
its."""

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import PIPE

from app.errors import FieldError, Unavailable
from app.login.identity import Person

SHORTEST, LONGEST = 10, 128
# Programs beside each other. A processor is left to everybody else where there are few.
AT_ONCE = min(2, max(1, (os.cpu_count() or 1) - 1))
# More than this waiting would answer later than a person waits; the next is told to come again.
MOST_WAITING = 40
RETRY_AFTER_S = 3

_PROGRAM = Path(__file__).with_name("argon.py")
# Of a password nobody knows; checked so that an unknown NIK takes as long as a known one.
_NOBODYS_HASH = "$argon2id$v=19$m=19456,t=2,p=1$aDSt/BzR9hlCdzICgPSzMA$7wkG7ihkdOkCHOBzBNGobubRB/U3CYZaVRTZcRjG3rY"

_COMMON = frozenset(Path(__file__).with_name("common_passwords.txt").read_text("utf-8").split())
_SEQUENCES = ("01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm")
_LEET = str.maketrans("01345@$", "oieasas")
_WORD = 4


class PasswordHasher:
    """Hashes and verifies, AT_ONCE at a time. Raises Unavailable when too many wait."""

    def __init__(self) -> None:
        # A thread keeps a program, and waits for its answers.
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")
        self._own = threading.local()
        self._programs: set[_Program] = set()
        self._closed = False
        self._inside = 0

    def refuse_if_full(self) -> None:
        """Raises Unavailable when too many wait: asked before any work is done for a login that would be refused."""
        if self._inside >= AT_ONCE + MOST_WAITING:
            raise Unavailable("login_busy", retry_after_s=RETRY_AFTER_S)

    async def hash(self, password: str) -> str:
        return str(await self._ask("hash", normalised(password)))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether it is the password of `stored`. Without a stored hash the same work is done, and the answer is no."""
        matches = await self._ask("verify", stored or _NOBODYS_HASH, normalised(password))
        return matches is True and stored is not None

    def close(self) -> None:
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for program in tuple(self._programs):
            program.end()

    async def _ask(self, *question: str) -> str | bool:
        self.refuse_if_full()
        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, question)
        finally:
            self._inside -= 1

    def _answer(self, question: Sequence[str]) -> str | bool:
        for _ in range(2):  # One that was killed is replaced, and the new one asked.
            try:
                return self._program().answer(question)
            except (OSError, ValueError):
                self._forget()
        raise Unavailable("login_busy", retry_after_s=RETRY_AFTER_S)

    def _program(self) -> "_Program":
        """This thread's own."""
        if self._closed:
            raise Unavailable("login_busy", retry_after_s=RETRY_AFTER_S)
        if not hasattr(self._own, "program"):
            self._own.program = _Program()
            self._programs.add(self._own.program)
        program: _Program = self._own.program
        return program

    def _forget(self) -> None:
        program: _Program = self._own.program
        del self._own.program
        self._programs.discard(program)
        program.end()


class _Program:
    """app.login.argon, running. Isolated: it sees no folder of ours, and none of Python's settings."""

    def __init__(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-I", str(_PROGRAM)], stdin=PIPE, stdout=PIPE)

    def answer(self, question: Sequence[str]) -> str | bool:
        """Raises OSError or ValueError where it has ended."""
        asked, told = self._process.stdin, self._process.stdout
        if not asked or not told:
            raise OSError
        asked.write(json.dumps(question).encode() + b"\n")
        asked.flush()
        answer: str | bool = json.loads(told.readline())
        return answer

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


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
