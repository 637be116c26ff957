"""What the terminal's commands have in common: who acts and why, and answers that a script can read."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import click
import msgspec

from app.words import SAID

MOST_NAMED, LEAST_SAID, MOST_SAID = 64, 5, 500


def officer(verb: str = "acts", *, required: bool = True) -> Callable[[Any], Any]:
    """The option that names who stands in the audit record."""
    return click.option(
        "--officer",
        required=required,
        default=None if required else "",
        callback=_named,
        help=f"Who {verb}: your own name; stands in the audit record.",
    )


def require_officer(named: str) -> None:
    """Where the option may be left out, and what is about to be done needs it all the same. Raises UsageError."""
    if not named:
        raise click.UsageError("Missing option '--officer': who rotates the keys stands in the audit record.")


def reason(told: str = "and is told where it matters") -> Callable[[Any], Any]:
    """The option that says why."""
    return click.option(
        "--reason", required=True, callback=_said, help=f"Why, in a few words; stands in the audit record, {told}."
    )


AS_JSON = click.option("--json", "as_json", is_flag=True, help="As JSON, for scripts.")


def tell(items: Iterable[Any], line: Callable[[Any], str], *, as_json: bool) -> None:
    """A line for each, or all of them as one JSON array."""
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(list(items)), indent=2).decode())
        return
    for item in items:
        click.echo(line(item))


def _named(_: click.Context, parameter: click.Parameter, value: str) -> str:
    if not value and not parameter.required:
        return ""
    if not re.fullmatch(SAID, value) or len(value) > MOST_NAMED:
        raise click.BadParameter(f"a name of at most {MOST_NAMED} characters: the audit record keeps it for good")
    return value.strip()


def _said(_: click.Context, __: click.Parameter, value: str) -> str:
    if not re.fullmatch(SAID, value) or not LEAST_SAID <= len(value) <= MOST_SAID:
        raise click.BadParameter(f"{LEAST_SAID} to {MOST_SAID} characters, for whoever asks later")
    return value
