"""The catalogue's entries in the reader's language, as the API tells them."""

from app.catalog.catalog import Catalog, CatalogService
from app.catalog.city import Agency
from app.catalog.schemas import (
    AgencyName,
    AgencyPage,
    AgencyView,
    FeeView,
    FormView,
    ModuleView,
    RequirementView,
    ServiceDetail,
    ServiceView,
    Standing,
)
from app.manifest import Fee
from app.texts import Language


def agency_page(catalog: Catalog, language: Language) -> AgencyPage:
    return AgencyPage([_agency(catalog, agency, language) for agency in catalog.agencies()])


def service_view(catalog: Catalog, service: CatalogService, language: Language) -> ServiceView:
    """One service in a list."""
    about, agency = service.manifest, catalog.agency(service.agency_id)
    return ServiceView(
        slug=service.slug,
        title=about.title.into(language),
        summary=about.summary.into(language),
        agency=AgencyName(agency.id, agency.name.into(language), agency.short_name),
        module=service.module or None,
        integration_mode=about.mode,
        url=about.url or None,
        assurance_level=about.assurance_level,
        life_events=list(about.life_events),
        working_days=about.working_days,
        fee=_fee(about.fee, language),
    )


def service_detail(
    catalog: Catalog, service: CatalogService, standing: Standing | None, language: Language
) -> ServiceDetail:
    """One service with its whole standard and form."""
    about, short = service.manifest, service_view(catalog, service, language)
    form = catalog.form(service.slug)
    return ServiceDetail(
        **{name: getattr(short, name) for name in short.__struct_fields__},
        requirements=[RequirementView(one.text.into(language), one.field or None) for one in about.requirements],
        procedure=[step.into(language) for step in about.procedure],
        product=about.product.into(language),
        complaints=about.complaints.into(language),
        legal_basis=list(about.legal_basis),
        delivery=about.delivery,
        availability=standing.availability if standing else None,
        maintenance=standing.maintenance if standing else None,
        form=FormView(form.version, form.schema_for(language)) if form else None,
    )


def _agency(catalog: Catalog, agency: Agency, language: Language) -> AgencyView:
    own = [service for service in catalog.services() if service.agency_id == agency.id]
    modules = dict.fromkeys(service.module for service in own if service.module)
    return AgencyView(
        id=agency.id,
        name=agency.name.into(language),
        short_name=agency.short_name,
        modules=[ModuleView(name, catalog.module_title(name).into(language)) for name in modules],
        service_count=len(own),
    )


def _fee(fee: Fee, language: Language) -> FeeView:
    return FeeView(fee.amount_idr, fee.note.into(language) if fee.note else None)
