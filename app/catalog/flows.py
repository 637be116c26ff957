"""What goes to which agency about a citizen, what for and on which basis: the manifests' flows with their receivers."""

from collections.abc import Mapping, Sequence

import msgspec

from app.manifest import Flow, IntegrationManifest, ServiceManifest


class Receiver(msgspec.Struct, frozen=True):
    """An agency's system."""

    system: str
    title: str
    agency: str


class CatalogFlow(msgspec.Struct, frozen=True):
    """A declared flow, the port it goes over, and whoever is behind that in this city."""

    flow: Flow
    port: str
    receivers: Sequence[Receiver]


class Told(msgspec.Struct, frozen=True):
    """What the record says of a service's cases: on which basis what is sent."""

    basis: str
    fields: Sequence[str]


def flows_of(
    modules: Mapping[str, ServiceManifest], integrations: Mapping[str, IntegrationManifest]
) -> Sequence[CatalogFlow]:
    """Every flow of every manifest."""
    declared = [(flow, flow.port or name) for name, manifest in modules.items() for flow in manifest.flow]
    declared += [(flow, flow.port) for manifest in integrations.values() for flow in manifest.flow]
    return [CatalogFlow(flow, port, _behind(port, integrations)) for flow, port in declared]


def told_of(flows: Sequence[CatalogFlow]) -> Mapping[str, Told]:
    """By service: all that its flows send. Where one of them rests on a law, the case does."""
    found: dict[str, list[Flow]] = {}
    for each in flows:
        for slug in each.flow.services:
            found.setdefault(slug, []).append(each.flow)
    return {slug: _told(own) for slug, own in found.items()}


def _told(flows: Sequence[Flow]) -> Told:
    law = next((flow.law for flow in flows if flow.law), "")
    return Told(law or "consent", list(dict.fromkeys(part for flow in flows for part in flow.sends)))


def _behind(port: str, integrations: Mapping[str, IntegrationManifest]) -> Sequence[Receiver]:
    return [
        Receiver(name, manifest.title, manifest.agency)
        for name, manifest in integrations.items()
        if port in manifest.serves
    ]
