"""The catalogue of one city, in memory: its agencies, the modules' services, those that are links, and their forms."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

import msgspec

from app.catalog.city import Agency, City, linked_services, load_city
from app.catalog.flows import CatalogFlow, flows_of, told_of
from app.errors import NotFound
from app.forms import Form, load_forms
from app.manifest import (
    ConsentWording,
    ManifestError,
    Service,
    ServiceManifest,
    integration_manifests,
    service_manifests,
)
from app.settings import ROOT
from app.texts import Text

Forms = Mapping[str, Mapping[int, Form]]


class CatalogService(msgspec.Struct, frozen=True):
    """One entry. `module` is "" for a service that is only a link; `form_version` is the newest, None without a form.

    `backends` are the integrations its cases go through: their measured health is its availability.
    """

    slug: str
    module: str
    agency_id: str
    manifest: Service
    form_version: int | None = None
    backends: Sequence[str] = ()

    @property
    def title(self) -> Text:
        return self.manifest.title


class ModuleForms(msgspec.Struct, frozen=True):
    """What the catalogue knows of a service module beside its services."""

    title: Text
    forms: Forms


class Catalog:
    """Everything a city offers. Read once; nothing in it changes while the process runs."""

    def __init__(
        self,
        city: City,
        services: Iterable[CatalogService],
        modules: Mapping[str, ModuleForms],
        consents: Mapping[str, ConsentWording] | None = None,
        flows: Sequence[CatalogFlow] = (),
    ) -> None:
        """Services of an agency that the city does not have are left out."""
        self.city = city
        self.timezone = city.zone
        self.consents = consents or {}
        self.flows = flows
        self.told = told_of(flows)
        self._agencies = {agency.id: agency for agency in city.agency}
        self._services = {entry.slug: entry for entry in services if entry.agency_id in self._agencies}
        self._modules = modules

    @classmethod
    def load(cls, city: str, services: Path = ROOT / "services", integrations: Path = ROOT / "integrations") -> Self:
        """Read the city's profile, every manifest and every form.

        Raises SettingsError for an unknown city, ManifestError or FormFileError for a folder that cannot be used.
        """
        profile = load_city(city)
        manifests = service_manifests(services)
        options = profile.options()
        modules = {
            name: ModuleForms(manifest.title, load_forms(services / name / "forms", options))
            for name, manifest in manifests.items()
        }
        backends = _backends_by_module(integrations, profile)
        consents = [wording for manifest in manifests.values() for wording in manifest.consent]
        entries = [
            _module_entry(service, manifest, modules[name].forms, backends.get(name, ()))
            for name, manifest in manifests.items()
            for service in manifest.service
            # Where every facility has a system of its own, a city without one has not the service.
            if service.mode != "api" or backends.get(name) != []
        ]
        entries += [_link_entry(service) for service in linked_services(profile)]
        _refuse_doubled(entries)
        flows = flows_of(manifests, integration_manifests(integrations))
        return cls(profile, entries, modules, {wording.purpose: wording for wording in consents}, flows)

    @property
    def region(self) -> str:
        """The city's Kemendagri code, `35.71`."""
        return self.city.region_code

    def agencies(self) -> Sequence[Agency]:
        """In the order of the profile."""
        return self.city.agency

    def agency(self, agency_id: str) -> Agency:
        """Raises NotFound."""
        if agency_id not in self._agencies:
            raise NotFound
        return self._agencies[agency_id]

    def services(self) -> Sequence[CatalogService]:
        return tuple(self._services.values())

    def find(self, slug: str) -> CatalogService | None:
        return self._services.get(slug)

    def service(self, slug: str) -> CatalogService:
        """Raises NotFound."""
        found = self._services.get(slug)
        if found is None:
            raise NotFound("service_unknown")
        return found

    def module_of(self, slug: str) -> str:
        """The module that takes cases of a service, "" for a link. Raises NotFound."""
        return self.service(slug).module

    def module_title(self, module: str) -> Text:
        return self._modules[module].title

    def form(self, slug: str, version: int | None = None) -> Form | None:
        """A service's form, the newest unless a version is named; None where there is none. Raises NotFound."""
        entry = self.service(slug)
        wanted = version if version is not None else entry.form_version
        if not entry.manifest.form or wanted is None:
            return None
        return self._modules[entry.module].forms[entry.manifest.form].get(wanted)


def _module_entry(service: Service, manifest: ServiceManifest, forms: Forms, backends: Sequence[str]) -> CatalogService:
    where = f"services/{manifest.name}: {service.slug}"
    versions = forms.get(service.form, {})
    if service.mode == "api":
        if not versions:
            raise ManifestError(f"{where}: form {service.form!r} is not in forms/")
        _check_fields(where, service, versions[max(versions)])
        if unknown := versions[max(versions)].consent_purposes() - {wording.purpose for wording in manifest.consent}:
            raise ManifestError(f"{where}: form asks to agree to {sorted(unknown)}, of which the manifest has no words")
    elif service.form or not service.url.startswith("https://"):
        raise ManifestError(f"{where}: a {service.mode} service has an https address and no form of ours")
    return CatalogService(
        slug=service.slug,
        module=manifest.name,
        agency_id=service.agency or manifest.agency,
        manifest=service,
        form_version=max(versions, default=None),
        backends=tuple(backends) if service.mode == "api" else (),
    )


def _check_fields(where: str, service: Service, form: Form) -> None:
    files = form.file_names()
    for requirement in service.requirements:
        if requirement.field and requirement.field not in files:
            raise ManifestError(f"{where}: requirement names {requirement.field!r}, no file field of its form")


def _link_entry(service: Service) -> CatalogService:
    is_link = service.mode != "api" and not service.form and service.url.startswith("https://")
    if not is_link or service.agency is None:
        raise ManifestError(f"links.toml: {service.slug}: a link has an agency, an https address and no form of ours")
    return CatalogService(slug=service.slug, module="", agency_id=service.agency, manifest=service)


def _refuse_doubled(entries: Sequence[CatalogService]) -> None:
    seen: set[str] = set()
    for entry in entries:
        if entry.slug in seen:
            raise ManifestError(f"slug {entry.slug!r} stands twice in the catalogue")
        seen.add(entry.slug)


def _backends_by_module(integrations: Path, city: City) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, manifest in integration_manifests(integrations).items():
        own = [facility.backend for facility in city.facility if facility.integration == name]
        for module in manifest.serves:
            found.setdefault(module, []).extend(own if manifest.each_facility else [name])
    return found
