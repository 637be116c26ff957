"""argon2id in a program of its own, which app.login.passwords starts: what it takes of the machine, others need not.

One line of JSON in, one line out: `["hash", password]` gives the hash, `["verify", hash, password]` true or false. It
imports nothing of ours, and ends when its input does.
"""

import json
import os
import sys
from collections.abc import Sequence

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

# Everybody else's requests come first. A thread cannot stand back like this: one that is put off while it holds the
# interpreter's lock puts off the event loop.
NICENESS = 10

# OWASP's first choice of argon2id: about 22 ms on one core. Its choice of 46 MiB in one pass is as strong and took 52,
# half of that the kernel's, for memory that is mapped anew each time. Raising it later needs no migration, since the
# parameters stand in every hash; but until a hash is made anew, its time tells that there is one.
HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def answer(question: Sequence[str]) -> str | bool:
    """What one question is answered. Raises ValueError for anything else."""
    match question:
        case ["hash", password]:
            return HASHER.hash(password)
        case ["verify", stored, password]:
            return _matches(stored, password)
    raise ValueError("no such question")


def main() -> None:
    """Answer until nobody asks any more."""
    os.nice(NICENESS)
    for line in sys.stdin.buffer:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


def _matches(stored: str, password: str) -> bool:
    try:
        return HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


if __name__ == "__main__":
    main()
