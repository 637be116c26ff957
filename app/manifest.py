"""ServiceManifest and IntegrationManifest: what a folder under services/ or integrations/ says of itself, as TOML.

A manifest can be read without importing Python. Unknown keys are refused.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec

from app.settings import ROOT, Wanted
from app.texts import Text

Slug = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{1,62}$")]
FolderName = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{1,40}$")]
Mode = Literal["api", "sso", "weblink"]


class ManifestError(Exception):
    """A manifest cannot be used; the message names the file and the key."""


class Fee(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`amount_idr` in whole rupiah; None where the agency computes it, as `note` then says."""

    amount_idr: Annotated[int, msgspec.Meta(ge=0)] | None = None
    note: Text | None = None


class Requirement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing a citizen must bring. `field` names the form's file field that takes it, "" where none does."""

    text: Text
    field: str = ""


class Service(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One public service, with the parts of the service standard that law 25/2009 article 21 asks to publish.

    `working_days` is the time limit; None where the law of the service sets none. `url` is where `sso` and `weblink`
    services live. `form` names forms/<form>.<version>.json.
    """

    slug: Slug
    title: Text
    summary: Text
    agency: FolderName | None = None
    mode: Mode = "api"
    url: str = ""
    delivery: Literal["queued", "immediate"] = "queued"
    assurance_level: Literal[1, 2, 3] = 1
    life_events: Sequence[Slug] = ()
    synonyms: Sequence[str] = ()
    form: str = ""
    requirements: Sequence[Requirement]
    procedure: Sequence[Text]
    working_days: Annotated[int, msgspec.Meta(ge=0, le=365)] | None
    fee: Fee
    product: Text
    complaints: Text
    legal_basis: Sequence[str]
    rules: Mapping[str, str | int | bool] = {}

    @property
    def promised_days(self) -> int | None:
        """Working days until a case ends. What is given at once is given for a day of its own: there are none."""
        return self.working_days if self.delivery == "queued" else None


class ConsentWording(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What citizens are asked to agree to. Other words are another `version`. `standing`: given once and kept until it
    is withdrawn; otherwise given in a form, for that case alone."""

    purpose: Slug
    version: Annotated[int, msgspec.Meta(ge=1)]
    text: Text
    standing: bool = False


# What may be told of a person; `audit.field.<name>` has the words. `form`: all that the services' forms ask for.
Part = Literal["nik", "name", "birth_date", "phone", "form", "attachments", "message", "reference"]


class Flow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Personal data that goes to an agency's system, and what for. It rests on one of two: `consent`, a purpose of this
    manifest, or `law`, whose words are `audit.basis.<law>`.

    `port`: over which it goes, "" for the module's own; whichever integration serves that is the receiver. `services`:
    of which it is, () for no one service. `receives`: what comes back and is shown or kept.
    """

    purpose: Slug
    text: Text
    sends: Sequence[Part]
    receives: Sequence[FolderName] = ()
    port: FolderName | Literal[""] = ""
    services: Sequence[Slug] = ()
    consent: Slug | Literal[""] = ""
    law: Slug | Literal[""] = ""


class ServiceManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """services/<name>/manifest.toml."""

    name: FolderName
    title: Text
    agency: FolderName
    consent: Sequence[ConsentWording] = ()
    flow: Sequence[Flow] = ()
    service: Sequence[Service]


class OperationPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one operation of a backend may be called. `safe`: it changes nothing there, so it may be asked again.

    `retries` of a safe call within its budget; `per_second` over all processes. An answer may unpack to
    `max_response_bytes` and to `max_ratio` times what came. The breaker opens after `breaker_failures` in a row, or
    when of at least `breaker_calls` within `breaker_window_s` a `breaker_share` (of 1) failed, for `breaker_pause_s`,
    doubled by each probe that fails. `fresh_s` and `stale_s`: how long an answer may be shared, and
    shown while no newer one is to be had; what the services allow may be less.
    """

    safe: bool = False
    budget_s: Annotated[float, msgspec.Meta(gt=0, le=120)] = 10.0
    retries: Annotated[int, msgspec.Meta(ge=0, le=3)] = 1
    per_second: Annotated[float, msgspec.Meta(gt=0)] | None = None
    max_response_bytes: Annotated[int, msgspec.Meta(gt=0, le=64 * 1024 * 1024)] = 2 * 1024 * 1024
    max_ratio: Annotated[int, msgspec.Meta(ge=2, le=1000)] = 100
    breaker_failures: Annotated[int, msgspec.Meta(ge=1, le=10)] = 5
    breaker_calls: Annotated[int, msgspec.Meta(ge=2, le=1000)] = 10
    breaker_share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.5
    breaker_window_s: Annotated[float, msgspec.Meta(ge=1, le=60)] = 30.0
    breaker_pause_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 0.5
    breaker_longest_pause_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 5.0
    fresh_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] | None = None
    stale_s: Annotated[float, msgspec.Meta(ge=0, le=86400)] | None = None


class PollPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often a case is asked after where its agency never calls back, and at most how many asks a second in all."""

    interval_s: Annotated[float, msgspec.Meta(ge=1)] = 900.0
    demo_interval_s: Annotated[float, msgspec.Meta(ge=0.2)] = 2.0
    per_second: Annotated[float, msgspec.Meta(gt=0)] = 5.0


class IntegrationManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """integrations/<name>/manifest.toml.

    `settings` (nothing secret: ids, codes) and `credentials` map a name to the demo's value; production must set each,
    and refuses a credential that is the demo's. `late_effect_s`: how long after its sending began something
    may still be acted on: it may leave at the very end of its budget, and the system works on.
    `flow`: what goes to it through ports of the product's own rooms; a module's ports are in the module's manifest.
    `each_facility`: every facility of the city's profile that names this integration has such a system of its own, with
    address, credentials and settings in LOKET_<NAME>_FACILITIES. `trace_context`: its calls carry `traceparent`, for a
    system whose traces go to the city's own collector; any other learns nothing of ours.
    """

    name: FolderName
    title: str
    agency: FolderName
    serves: Sequence[FolderName]
    protocol: str
    settings: Mapping[FolderName, str] = {}
    credentials: Mapping[FolderName, str] = {}
    each_facility: bool = False
    trace_context: bool = False
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=256)] = 8
    submits_per_second: Annotated[float, msgspec.Meta(gt=0)] = 500.0
    late_effect_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 50.0
    poll: PollPolicy | None = None
    flow: Sequence[Flow] = ()
    operations: Mapping[FolderName, OperationPolicy]

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.settings, self.credentials)


M = TypeVar("M", ServiceManifest, IntegrationManifest)


def read_manifest(path: Path, kind: type[M]) -> M:
    """One manifest. Raises ManifestError naming the file for a bad or unknown key, or a name unlike its folder's."""
    try:
        manifest = msgspec.toml.decode(path.read_bytes(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ManifestError(f"{_shown(path)}: {error}") from None
    if manifest.name != path.parent.name:
        raise ManifestError(f"{_shown(path)}: name {manifest.name!r} is not its folder's name")
    for flow in manifest.flow:
        if bool(flow.law) == bool(flow.consent):
            raise ManifestError(f"{_shown(path)}: flow {flow.purpose!r} rests on a law or on a consent, on one of them")
    return manifest


def service_manifests(root: Path = ROOT / "services") -> dict[str, ServiceManifest]:
    """Every module's manifest by name. Raises ManifestError; two services may not share a slug."""
    found = _walk(root, ServiceManifest)
    owner: dict[str, str] = {}
    for name, manifest in found.items():
        for service in manifest.service:
            other = owner.setdefault(service.slug, name)
            if other != name:
                raise ManifestError(f"services/{name}: slug {service.slug!r} stands in {other} too")
    return found


def integration_manifests(root: Path = ROOT / "integrations") -> dict[str, IntegrationManifest]:
    """Every integration's manifest by name. Raises ManifestError."""
    return _walk(root, IntegrationManifest)


def _walk(root: Path, kind: type[M]) -> dict[str, M]:
    return {path.parent.name: read_manifest(path, kind) for path in sorted(root.glob("*/manifest.toml"))}


def _shown(path: Path) -> str:
    return "/".join(path.parts[-3:])
