"""Outages are told truly: from the last kill, and how many kills made one longer."""

from tests.chaos.outages import Answered, Returns, by_last_blow, outages


def test_a_kill_by_itself_is_one_outage_and_who_asked_before_it_shows_nothing() -> None:
    answers = [Answered(9.9, 9.8), Answered(10.3, 9.9), Answered(11.5, 10.2), Answered(11.6, 11.5)]
    [one] = outages([(10.0, "kill postgres")], answers)
    assert (one.after_last_s, one.whole_s, one.last) == (1.5, 1.5, "kill postgres")


def test_a_kill_before_the_return_makes_the_outage_longer() -> None:
    kills = [(10.0, "kill postgres"), (11.0, "kill api"), (12.5, "kill postgres"), (20.0, "kill valkey")]
    answers = [Answered(14.0, 12.7), Answered(20.1, 20.05)]
    long, short = outages(kills, answers)
    assert (len(long.blows), long.after_last_s, long.whole_s) == (3, 1.5, 4.0)
    assert by_last_blow([long, short]) == {
        "kill postgres": Returns(1, 1.5, 1.5),
        "kill valkey": Returns(1, short.after_last_s, short.after_last_s),
    }


def test_a_return_between_two_kills_ends_the_first_outage() -> None:
    kills = [(10.0, "kill api"), (12.0, "kill api")]
    first, second = outages(kills, [Answered(11.0, 10.5), Answered(12.2, 11.9), Answered(13.0, 12.5)])
    assert (first.whole_s, second.whole_s) == (1.0, 1.0)


def test_what_never_came_back_is_no_return() -> None:
    assert outages([(10.0, "kill api")], [Answered(9.0, 8.0)]) == []
