"""`make planted-faults`: each fault of the list, or those named, goes into a copy of the tree; its test must fail."""

import sys
import time

import click

from tests.planted.planting import Caught, faults, plant


@click.command()
@click.argument("names", nargs=-1)
def main(names: tuple[str, ...]) -> None:
    """Words of a fault's name choose it; without any, all of them."""
    missed = 0
    for fault in faults():
        if names and not any(name in fault.name for name in names):
            continue
        begun = time.monotonic()
        verdict: Caught = plant(fault)
        missed += not verdict.caught
        told = "caught" if verdict.caught else "MISSED"
        print(f"{told} {time.monotonic() - begun:5.0f} s  {fault.name}: {verdict.words}", flush=True)
    print(f"{missed} missed")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
