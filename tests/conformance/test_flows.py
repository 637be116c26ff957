"""Personal data that goes to agencies is declared: each port has its flow, and none sends what no flow says."""

import ast
from collections.abc import Iterator, Mapping

import pytest

from app.cases.port import Applicant
from app.catalog.catalog import Catalog
from app.catalog.flows import CatalogFlow
from app.forms import load_forms
from app.manifest import integration_manifests, service_manifests
from app.settings import ROOT
from app.texts import LANGUAGES, has_text, load_texts, text_roots
from tests.harness.source import Source, nothing, sources

pytestmark = pytest.mark.tree

MODULES, INTEGRATIONS = service_manifests(), integration_manifests()
FLOWS = Catalog.load("kediri").flows
# Who asks, and how surely: no part of a person that an agency is told.
_OURS = {"citizen_id", "assurance_level"}
_PARTS: Mapping[str, str] = {"files": "attachments", "form": "form"}


def over(port: str) -> list[CatalogFlow]:
    return [each for each in FLOWS if each.port == port]


@pytest.mark.parametrize("integration", INTEGRATIONS)
def test_every_port_that_is_served_has_its_flow(integration: str) -> None:
    """What is declared nowhere is told nobody, and nobody could withdraw it."""
    nothing(
        f"{integration} serves {port}: declare what goes there as [[flow]], in the module's manifest or, for a port of "
        "the product's own rooms, in the integration's"
        for port in INTEGRATIONS[integration].serves
        if not over(port)
    )


@pytest.mark.parametrize("each", FLOWS, ids=lambda each: each.flow.purpose)
def test_a_flow_names_who_gets_it_and_what_it_rests_on(each: CatalogFlow) -> None:
    load_texts(*text_roots())
    assert each.receivers, "no integration serves its port"
    assert each.flow.sends
    assert has_text(f"audit.basis.{each.flow.law or 'consent'}"), "the law has no words for citizens"
    assert not [part for part in each.flow.sends if not has_text(f"audit.field.{part}")]
    assert all(each.flow.text.into(language).strip() for language in LANGUAGES)


@pytest.mark.parametrize("module", MODULES)
def test_services_and_consents_of_flows_are_the_modules_own(module: str) -> None:
    manifest = MODULES[module]
    slugs = {service.slug for service in manifest.service if service.mode == "api"}
    purposes = {wording.purpose for wording in manifest.consent}
    for flow in manifest.flow:
        assert set(flow.services) <= slugs, flow.purpose
        assert flow.consent in {"", *purposes}, flow.purpose
    handed_over = {slug for flow in manifest.flow for slug in flow.services}
    nothing(f"{slug} is handed to an agency, and no [[flow]] says what of it" for slug in sorted(slugs - handed_over))
    rested_on = {flow.consent for flow in manifest.flow}
    nothing(f"consent {purpose} is asked for, and no [[flow]] rests on it" for purpose in sorted(purposes - rested_on))


@pytest.mark.parametrize("module", MODULES)
def test_what_a_form_agrees_to_is_what_its_service_rests_on(module: str) -> None:
    manifest, forms = MODULES[module], load_forms(ROOT / "services" / module / "forms")
    for service in manifest.service:
        if not service.form:
            continue
        asked = {purpose for form in forms[service.form].values() for purpose in form.consent_purposes()}
        rests_on = {flow.consent for flow in manifest.flow if service.slug in flow.services} - {""}
        assert asked == rests_on, service.slug


@pytest.mark.parametrize("module", MODULES)
def test_a_module_reads_no_more_of_a_person_than_its_flows_send(module: str) -> None:
    """Whatever a module takes of a case for its port stands in its flows."""
    declared = {part for flow in MODULES[module].flow for part in flow.sends}
    for source in sources(f"services/{module}"):
        if source.place.endswith("contract.py"):
            continue
        taken = set(_taken(source))
        assert taken <= declared | _OURS, f"{source.place} takes {sorted(taken - declared - _OURS)}"


@pytest.mark.parametrize(
    ("code", "found"), [("case.applicant.birth_date", ["birth_date"]), ("case.files", ["attachments"])]
)
def test_what_is_taken_is_seen(code: str, found: list[str]) -> None:
    assert list(_parts_of(ast.parse(code))) == found


def _taken(source: Source) -> Iterator[str]:
    return _parts_of(source.tree)


def _parts_of(tree: ast.AST) -> Iterator[str]:
    """Attributes of an applicant, and a case's form and files."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        owner = node.value.id if isinstance(node.value, ast.Name) else getattr(node.value, "attr", "")
        if owner == "applicant" and node.attr in Applicant.__struct_fields__:
            yield node.attr
        elif owner == "case" and node.attr in _PARTS:
            yield _PARTS[node.attr]
