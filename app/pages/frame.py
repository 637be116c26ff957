"""Pages as HTML: every folder's templates in one environment, words from texts.toml, the policy they go out with."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import jinja2
import msgspec
from jinja2 import BaseLoader, Environment, FileSystemBytecodeCache, FileSystemLoader, PrefixLoader, StrictUndefined
from jinja2.bccache import Bucket
from litestar import Response

from app.pages.charts import drawn
from app.pages.formats import FILTERS
from app.pages.forms import Sent
from app.pages.routes import ICON_PATH, PASSKEY_SCRIPT_PATH, SCRIPT_PATH, STYLE_PATH
from app.settings import ROOT
from app.texts import LANGUAGES, Language, text

# Beside Python's own, for the same reason: an officer's first page after a start would wait for ten templates.
COMPILED = ROOT / "app" / "pages" / "__pycache__"
# In pixels, near those that style.css chooses each for: what is drawn is stretched little, and its words less.
WIDTHS = {"narrow": 320, "half": 480, "wide": 880}


class Policy(msgspec.Struct, frozen=True):
    """What a page may do. `way_out`: the origin that a form's answer may lead to, which Chromium holds `form-action`
    over redirects too. `scripts`: our own, which may ask this host. `referrer`: without one a browser hides the
    Origin of our own forms."""

    way_out: str = ""
    scripts: bool = False
    referrer: str = "no-referrer"


STILL = Policy()
_NOTHING: Mapping[str, object] = {"problem": "", "done": "", "here": "", "crumbs": ()}


def page(
    name: str, language: Language, values: Mapping[str, object], *, policy: Policy = STILL, status: int = 200
) -> Response[str]:
    """The page `<folder>/<name>` in one language."""
    html = render(name, language, values)
    return Response(html, status_code=status, media_type="text/html", headers=_headers(language, policy))


def render(name: str, language: Language, values: Mapping[str, object]) -> str:
    folder, _, own = name.partition("/")

    def told(key: str, **filled: object) -> str:
        return text(key, language, filled or None)

    def said(key: str, **filled: object) -> str:
        return text(f"{folder}.{key}", language, filled or None)

    given = {**_NOTHING, "sent": Sent(), "name": own, "title": said(f"{own}.title"), "theme": folder}
    return (
        templates()
        .get_template(f"{name}.html")
        .render(said=said, told=told, language=language, languages=LANGUAGES, **{**given, **values})
    )


@lru_cache(maxsize=1)
def templates() -> Environment:
    """Each folder's templates under the folder's name. Raises ValueError where two folders are called alike."""
    found: dict[str, BaseLoader] = {}
    for place in template_folders():
        if place.parent.name in found:
            raise ValueError(f"{place}: another folder of templates is called {place.parent.name!r}")
        found[place.parent.name] = FileSystemLoader(place)
    made = Environment(
        loader=PrefixLoader(found),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
        bytecode_cache=_Compiled(str(COMPILED), f"template-{_way_of_compiling()}-%s.cache"),
    )
    made.filters.update(FILTERS)
    made.globals.update(
        drawn=drawn,
        widths=WIDTHS,
        icon_path=ICON_PATH,
        style_path=STYLE_PATH,
        script_path=SCRIPT_PATH,
        passkey_path=PASSKEY_SCRIPT_PATH,
    )
    return made


def _way_of_compiling() -> str:
    """Another one where this file or the filters change: what is the same wherever a template is may be in its code."""
    ours = (Path(__file__).with_name(name).read_bytes() for name in ("frame.py", "formats.py"))
    return hashlib.sha256(b"\0".join((jinja2.__version__.encode(), *ours))).hexdigest()[:12]


class _Compiled(FileSystemBytecodeCache):
    """What was compiled of the very same source. Where it cannot be kept, it is compiled again by the next process."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            COMPILED.mkdir(exist_ok=True)
            super().dump_bytecode(bucket)


def template_folders() -> list[Path]:
    return sorted(place for root in ("app", "services") for place in (ROOT / root).rglob("templates") if place.is_dir())


def _headers(language: Language, policy: Policy) -> dict[str, str]:
    allowed = [
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        f"form-action 'self' {policy.way_out}".strip(),
        "frame-ancestors 'none'",
        "base-uri 'none'",
        *(["script-src 'self'", "connect-src 'self'"] if policy.scripts else []),
    ]
    return {
        "Content-Security-Policy": "; ".join(allowed),
        "Referrer-Policy": policy.referrer,
        "Cache-Control": "no-store",
        "Content-Language": language,
        "Vary": "Accept-Language, Cookie",
    }
