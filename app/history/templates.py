"""Filled-in forms of the demo's past: each service's own example, with other places, words and days."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any

import msgspec
from faker import Faker

from app.catalog.catalog import Catalog, CatalogService
from app.forms import Form

EACH = 60
_DATE = re.compile(rb'"(\d{4}-\d{2}-\d{2})"')
# The examples' first day, and how soon after handing in it is.
_SOON_DAYS = 7


class Template(msgspec.Struct, frozen=True):
    """One filled-in form in pieces: between them stand days, so many after the case was handed in. `facility`: where
    it goes, "" where one system serves all."""

    pieces: Sequence[bytes]
    days: Sequence[int]
    facility: str

    def filled(self, on: date) -> bytes:
        """As it was handed in on that day."""
        parts = [self.pieces[0]]
        for days, piece in zip(self.days, self.pieces[1:], strict=True):
            parts += (b'"', (on + timedelta(days=days)).isoformat().encode(), b'"', piece)
        return b"".join(parts)


def templates(catalog: Catalog, service: CatalogService, rng: Random) -> Sequence[Template]:
    """Some of them, none where the service's form has no example."""
    form = catalog.form(service.slug)
    if form is None or form.example is None:
        return []
    faker = Faker("id_ID")
    faker.seed_instance(rng.random())
    own = [facility.id for facility in catalog.city.facility if facility.backend in service.backends]
    return [_template(_varied(form, faker, rng), own) for _ in range(EACH)]


def _varied(form: Form, faker: Faker, rng: Random) -> Mapping[str, Any]:
    example = dict(form.example or {})
    schema = form.schema_for("id")["properties"]
    changed = dict(example)
    for name, value in example.items():
        if name.endswith("address") and isinstance(value, str):
            changed[name] = faker.street_address()
        elif schema[name].get("x-options") and schema[name]["enum"]:
            changed[name] = rng.choice(schema[name]["enum"])
    return example if form.errors(changed) else changed


def _template(data: Mapping[str, Any], facilities: Sequence[str]) -> Template:
    parts = _DATE.split(msgspec.json.encode(data))
    written = [date.fromisoformat(part.decode()) for part in parts[1::2]]
    first = min(written, default=date.min)
    days = [(day - first).days + _SOON_DAYS for day in written]
    facility = str(data.get("facility", ""))
    return Template(parts[0::2], days, facility if facility in facilities else "")
