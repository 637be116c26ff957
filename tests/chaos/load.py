"""Citizens who hand in cases while everything around them dies: each asks under one key until there is an answer."""

import asyncio
import hashlib
import itertools
import random
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID, uuid4

import aiohttp
import msgspec

from bench.forms import SERVICE, body
from tests.chaos.crowd import Crowd
from tests.chaos.history import Asked, History, Intent, Seen, Told, Withdrawn, now

ANSWER_S = 12.0
MOST_TRIES = 100
AGAIN_S = 0.25
# Whatever befalls the product, it is back sooner: a run that gets no answer for so long ends, and says so.
MOST_SILENT_S = 180.0
# Of a thousand requests: whose phone dies after the first silence, whose form is impossible, which are sent twice at
# once as a phone does on a bad line, how many accepted ones are looked at at once, and how many taken back.
GIVEN_UP, REFUSED, DOUBLED, LOOKED_AT, TAKEN_BACK = 20, 20, 50, 200, 20
EARLIER = 300
# One of them asks on, if slowly, while the others hold back: somebody always knows whether cases are accepted.
IMPATIENT_S = 0.1
_HEADERS = {"Content-Type": "application/json", "Accept-Language": "id"}


class Load:
    """Hands in cases over all APIs in turn, as fast as they are answered."""

    def __init__(self, crowd: Crowd, history: History, urls: Sequence[str], seed: int) -> None:
        self._crowd = crowd
        self._history = history
        self._urls = itertools.cycle(urls)
        self._dice = random.Random(f"{seed}.load")
        self._session: aiohttp.ClientSession | None = None
        self._earlier: deque[tuple[Asked, Told]] = deque(maxlen=EARLIER)
        # Clear: nobody hands in anything new.
        self.room = asyncio.Event()
        self.room.set()

    async def __aenter__(self) -> "Load":
        connector = aiohttp.TCPConnector(limit=0)
        self._session = aiohttp.ClientSession(connector=connector, trust_env=False, headers=_HEADERS)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._session.close()

    async def hand_in(self, files: Sequence[UUID], at_once: int, until: float = float("inf")) -> None:
        """One case for each file, in turn; stops early at `until` (monotonic)."""
        waiting = iter(enumerate(files))

        async def one_after_another(*, is_impatient: bool) -> None:
            for number, file in waiting:
                if is_impatient and not self.room.is_set():
                    await asyncio.sleep(IMPATIENT_S)
                else:
                    await self.room.wait()
                if time.monotonic() >= until:
                    return
                await self._one(number, str(file))

        async with asyncio.TaskGroup() as group:
            for place in range(at_once):
                group.create_task(one_after_another(is_impatient=place == 0))

    async def ask_again(self, asked: Sequence[Asked], at_once: int) -> None:
        """Every one of them once more, until it is answered: what was unknown is then known, what was known the same.

        Raises TimeoutError where one of them never is.
        """
        waiting = iter(asked)

        async def one_after_another() -> None:
            for one in waiting:
                await self._until_answered(one)

        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(one_after_another())

    async def ask_otherwise(self, asked: Asked) -> int:
        """The same key with another body; the status."""
        changed = body(SERVICE, asked.documents).replace(b'"team_size":4', b'"team_size":5')
        told = await self._post(asked, changed)
        return told.status

    async def take_back(self, asked: Asked, told: Told) -> None:
        """Withdraw an accepted case, until it is withdrawn."""
        assert self._session is not None
        for _ in range(MOST_TRIES):
            with suppress(aiohttp.ClientError, OSError, TimeoutError):
                url = f"{next(self._urls)}/v1/cases/{told.case_id}/withdraw"
                headers = self._headers(asked)
                async with self._session.post(url, data=b"{}", headers=headers, timeout=_PATIENCE) as answer:
                    if answer.status == 200:
                        self._history.take_back(Withdrawn(told.case_id))
                        return
            await asyncio.sleep(AGAIN_S)

    async def _one(self, number: int, file: str) -> None:
        intent = self._drawn()
        asked = Asked(str(uuid4()), number % len(self._crowd.accounts), intent, file, now())
        if self._happens(DOUBLED):
            await asyncio.gather(self._ask(asked), self._ask(asked))
        told = await self._ask(asked)
        if intent == "given_up" and told.status == 0:
            return
        if not _answers(told):
            told = await self._until_answered(asked)
        if 200 <= told.status < 300:
            await self._after(asked, told)

    async def _after(self, asked: Asked, told: Told) -> None:
        if self._happens(LOOKED_AT):
            await self._look(asked, told)
        if self._happens(TAKEN_BACK):
            await self.take_back(asked, told)
        elif len(self._earlier) == EARLIER and self._happens(TAKEN_BACK):
            # By now the agency has it, and must be told.
            await self.take_back(*self._earlier.popleft())
        else:
            self._earlier.append((asked, told))

    def _drawn(self) -> Intent:
        if self._happens(GIVEN_UP):
            return "given_up"
        return "refused" if self._happens(REFUSED) else "wanted"

    def _happens(self, of_a_thousand: int) -> bool:
        return self._dice.randrange(1000) < of_a_thousand

    async def _until_answered(self, asked: Asked) -> Told:
        async with asyncio.timeout(MOST_SILENT_S):
            told = await self._ask(asked)
            while not _answers(told):
                await asyncio.sleep(AGAIN_S)
                told = await self._ask(asked)
        return told

    async def _ask(self, asked: Asked) -> Told:
        asked = msgspec.structs.replace(asked, at=now())
        self._history.ask(asked)
        content = body(SERVICE, asked.documents)
        if asked.intent == "refused":
            content = content.replace(b'"team_size":4', b'"team_size":0')
        told = await self._post(asked, content)
        self._history.tell(told)
        return told

    async def _post(self, asked: Asked, content: bytes) -> Told:
        assert self._session is not None
        headers = self._headers(asked) | {"Idempotency-Key": asked.key}
        try:
            async with self._session.post(
                f"{next(self._urls)}/v1/cases", data=content, headers=headers, timeout=_PATIENCE
            ) as answer:
                return _told(asked, answer.status, await answer.read())
        except (aiohttp.ClientError, OSError, TimeoutError):
            return Told(asked.key, 0, asked.at, now())

    async def _look(self, asked: Asked, told: Told) -> None:
        """Read your writes: whichever API answers."""
        assert self._session is not None
        try:
            async with self._session.get(
                f"{next(self._urls)}/v1/cases/{told.case_id}", headers=self._headers(asked), timeout=_PATIENCE
            ) as answer:
                number = (await answer.json())["number"] if answer.status == 200 else ""
                self._history.see(Seen(asked.key, answer.status, number))
        except (aiohttp.ClientError, OSError, TimeoutError):
            self._history.see(Seen(asked.key, 0, ""))

    def _headers(self, asked: Asked) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._crowd.token(self._crowd.accounts[asked.citizen])}"}


_PATIENCE = aiohttp.ClientTimeout(total=ANSWER_S)


def _answers(told: Told) -> bool:
    """Yes or no; neither silence, nor "not now", nor "another request with this key runs"."""
    return 0 < told.status < 500 and told.status not in (409, 429)


def _told(asked: Asked, status: int, content: bytes) -> Told:
    digest = hashlib.sha256(b"%d " % status + content).hexdigest()
    if not 200 <= status < 300:
        return Told(asked.key, status, asked.at, now(), digest)
    case = msgspec.json.decode(content)
    return Told(asked.key, status, asked.at, now(), digest, case["number"], case["id"])
