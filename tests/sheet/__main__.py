"""`make contact-sheet`: every page photographed for each role, in languages, sizes and lights."""

import asyncio
import html
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import product
from pathlib import Path

import click
import msgspec
from playwright.async_api import Browser, Page
from playwright.async_api import Error as PlaywrightError

from app.database import Database
from app.demo import seed
from app.discovery import route_handlers
from app.login.guards import Role
from app.privacy import open_vault
from tests.app.login.journey import Journey
from tests.harness.browser import browser, virtual_authenticator
from tests.harness.officers import Officers
from tests.harness.people import People
from tests.harness.product import Api
from tests.harness.provider import Registered, register
from tests.harness.tables import Tables
from tests.harness.walking import page_templates
from tests.sheet.camera import FEW, Camera, Look, every_look
from tests.sheet.dressing import furnish
from tests.sheet.ground import ROLES, AtPages, Ground, fill, ground, log_in
from tests.sheet.scenes import SCENES, Scene, Stage

# What leads to a page's path parameters: the first link of this kind on that page.
_EXAMPLES = {
    "case_id": ("/dashboard/cases", "/dashboard/cases/"),
    "delivery_id": ("/dashboard/desk", "/dashboard/desk/"),
    "backend": ("/dashboard/systems", "/dashboard/systems/"),
    "slug": ("/dashboard/city/services", "/dashboard/city/services/"),
}
# Of a city on its first day.
_NEW_ROLES: tuple[tuple[Role, str], ...] = (("supervisor", "dpmptsp"), ("city_admin", ""), ("auditor", ""))
_PAGE = """<!doctype html><meta charset=utf-8><title>Satu Loket: contact sheet</title><style>
body{{font:15px/1.4 system-ui;margin:2rem;background:#888;color:#fff}}
figure{{display:inline-block;margin:0 1rem 1.5rem 0;vertical-align:top}}
img{{max-height:520px;max-width:420px;display:block;border-radius:6px}}</style>{shots}"""
_SHOT = """<figure><a href="{name}"><img src="{name}" loading="lazy" alt=""></a>
<figcaption>{words}</figcaption></figure>"""


class Studio(msgspec.Struct, frozen=True):
    """The product, those who make people for it, and the camera."""

    api: Api
    camera: Camera
    chromium: Browser
    officers: Officers
    people: People
    journey: Journey
    tables: Tables
    application: Registered
    crowded: Api

    @property
    def url(self) -> str:
        """By the name that passkeys are bound to."""
        return f"http://localhost:{self.api.settings.port}"

    async def every_page(self, who: AtPages, look: Look) -> None:
        """That this officer may open."""
        page = await self.camera.page(self.chromium, look, who.cookie)
        for path in paths(who.officer.role):
            address = await self._address(page, path)
            if address and await self.camera.open(page, f"{self.url}{address}"):
                await self.camera.shoot(page, path, f"{who.name}-{look.name}")
        await page.context.close()

    async def scene(self, scene: Scene, look: Look) -> None:
        cookie = ""
        if scene.who:
            who = await log_in(self.officers, (scene.who, "dpmptsp"), look.language)
            await furnish(self.tables, who.officer)
            cookie = who.cookie
        page = await self.camera.page(self.chromium, look, cookie)
        await virtual_authenticator(page)
        self.camera.may_refuse(is_so=True)
        stage = Stage(
            page,
            self.url,
            look.language,
            self.officers,
            self.people,
            self.journey,
            self.tables,
            self.application,
            f"http://localhost:{self.crowded.settings.port}",
        )
        try:
            await scene.play(stage)
        except (PlaywrightError, AssertionError) as error:
            self.camera.faults.append(f"{scene.name} {look.name}: {str(error).partition('Call log')[0].strip()}")
        if look.is_print:
            # A device that holds passkeys lets go of it.
            await page.emulate_media(media="print")
        await self.camera.shoot(page, scene.name, f"scene-{look.name}")
        await page.context.close()

    async def _address(self, page: Page, path: str) -> str:
        """The path with an example in the place of its parameter; "" where there is none."""
        if "{" not in path:
            return path
        parameter = path.partition("{")[2].partition(":")[0]
        if parameter not in _EXAMPLES or path.count("{") > 1:
            return ""
        lists, prefix = _EXAMPLES[parameter]
        await page.goto(f"{self.url}{lists}")
        link = page.locator(f"tbody a[href^='{prefix}']").first
        found = await link.get_attribute("href") if await link.count() else None
        return path.partition("{")[0] + found.removeprefix(prefix) + path.partition("}")[2] if found else ""


def paths(role: str) -> list[str]:
    """Of every page that this role may read."""
    pages = (
        each for each in route_handlers() if each.opt.get("permission") == "officer_page" and role in each.opt["roles"]
    )
    return sorted(path for each in pages for path in each.paths if "GET" in each.http_methods)


@asynccontextmanager
async def studio(on: Ground, camera: Camera, application: Registered) -> AsyncIterator[Studio]:
    api = on.api
    async with AsyncExitStack() as stack:
        database = Database(api.settings.database_url, pool_size=2, name="sheet")
        stack.push_async_callback(database.close)
        yield Studio(
            api,
            camera,
            await stack.enter_async_context(browser()),
            await stack.enter_async_context(Officers(api)),
            await stack.enter_async_context(People(api)),
            Journey(api, database, open_vault(api.settings)),
            await stack.enter_async_context(Tables(api.settings.migration_database_url)),
            application,
            on.crowded,
        )


async def photograph(on: Ground, cases: int, looks: tuple[Look, ...], camera: Camera) -> None:
    """A city on its first day, and after two years."""
    await seed(on.api.settings)
    application = await register(on.api, "imunisasi", name="Imunisasi Kediri")
    async with studio(on, camera, application) as new:
        for at, look in product(_NEW_ROLES, looks[:2]):
            who = await log_in(new.officers, at, look.language)
            await new.every_page(msgspec.structs.replace(who, name=f"first_day_{who.name}"), look)
    await fill(on.api, cases)
    async with studio(on, camera, application) as busy:
        for look in looks:
            for at in ROLES:
                who = await log_in(busy.officers, at, look.language)
                await furnish(busy.tables, who.officer)
                await busy.every_page(who, look)
            for scene in SCENES:
                await busy.scene(scene, look)
    camera.faults += [f"nobody photographed {each}" for each in page_templates() - camera.seen]


@click.command()
@click.option("--folder", default=".contact-sheet", show_default=True, type=click.Path(path_type=Path))
@click.option("--cases", default=3_000, show_default=True, help="Of the history behind the pages.")
@click.option("--all", "is_all", is_flag=True, help="Every language, size and light for each role and page.")
def main(folder: Path, cases: int, is_all: bool) -> None:
    """Photograph every page; what a browser complains of is told at the end, and is a failure."""
    folder.mkdir(parents=True, exist_ok=True)
    camera = Camera(folder)
    with ground() as on:
        asyncio.run(photograph(on, cases, tuple(every_look()) if is_all else FEW, camera))
    shots = "".join(_SHOT.format(name=name, words=html.escape(words)) for words, name in sorted(camera.shots))
    (folder / "index.html").write_text(_PAGE.format(shots=shots), "utf-8")
    click.echo(f"{len(camera.shots)} photographs: {folder / 'index.html'}")
    raise SystemExit("\n".join(sorted(set(camera.faults))) if camera.faults else 0)


if __name__ == "__main__":
    main()
