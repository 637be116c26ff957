"""Identifiers: UUIDv7 as RFC 9562 has it."""

import time
import uuid

from app.ids import uuid7


def test_an_id_is_version_7_with_the_time_in_front() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid7()
    after = time.time_ns() // 1_000_000
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert before <= made.int >> 80 <= after


def test_each_id_is_greater_than_the_one_before() -> None:
    made = [uuid7() for _ in range(20_000)]
    assert made == sorted(made)


def test_no_two_are_the_same() -> None:
    assert len({uuid7() for _ in range(20_000)}) == 20_000


def test_every_random_bit_is_used() -> None:
    ones = zeros = 0
    for _ in range(200):
        ones |= uuid7().int
        zeros |= ~uuid7().int
    random_bits = (1 << 62) - 1
    assert ones & zeros & random_bits == random_bits
