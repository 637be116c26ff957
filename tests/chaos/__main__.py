"""`make soak` and `make kill-storm`: a long run from a seed, its table, and a status that says whether all held."""

import sys
from datetime import UTC, datetime

import click

from tests.chaos.ground import Shape
from tests.chaos.report import table
from tests.chaos.storm import Plan, run


@click.command()
@click.option("--cases", default=20_000, show_default=True, help="Cases handed in.")
@click.option("--minutes", default=0.0, help="End after this long, however many cases there are still.")
@click.option("--seed", default=1, show_default=True, help="What befalls whom and when; a run can be run again.")
@click.option("--wild", is_flag=True, help="Pauses, bad networks and a failing agency beside the kills.")
@click.option("--at-once", default=24, show_default=True, help="Citizens who ask at the same time.")
def main(cases: int, minutes: float, seed: int, wild: bool, at_once: int) -> None:
    """Hand cases in while PostgreSQL, Valkey, workers and APIs are killed every 1 to 5 s; then ask every invariant."""
    plan = Plan(
        cases=cases,
        seed=seed,
        seconds=minutes * 60 or float("inf"),
        at_once=at_once,
        wild=wild,
        longest_pause_s=12.0,
        shape=Shape(proxied=wild),
        tell=lambda told: click.echo(f"{datetime.now(UTC):%H:%M:%S} {told}", err=True),
    )
    report = run(plan)
    print(table(report))
    sys.exit(0 if report.holds else 1)


if __name__ == "__main__":
    main()
