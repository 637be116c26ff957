"""New folders for a service module or an integration, whole enough that every conformance test passes at once."""

import re
from collections.abc import Mapping
from pathlib import Path
from string import Template

from app.manifest import service_manifests
from app.ports import place_of_port
from app.scaffold.adapter import adapter_parts
from app.settings import ROOT, SettingsError

_TEMPLATES = Path(__file__).parent / "templates"
_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


class ScaffoldError(Exception):
    """The folder cannot be made; the message says why."""


def new_service(name: str, agency: str, root: Path = ROOT) -> list[Path]:
    """Write services/<name>/; the files written. Raises ScaffoldError."""
    words = {**_words(name), "agency": _checked(agency), "slug": f"{name.replace('_', '-')}-request"}
    return _write(_TEMPLATES / "service", root / "services" / _checked(name), words)


def new_integration(name: str, serves: str, root: Path = ROOT) -> list[Path]:
    """Write integrations/<name>/ with an adapter for the port of `serves`; the files written. Raises ScaffoldError."""
    try:
        place = place_of_port(serves, root)
    except SettingsError:
        raise ScaffoldError(f"nothing has a port named {serves!r}: services/{serves}/port.py would be it") from None
    module = service_manifests(root / "services").get(place.package.removeprefix("services."))
    words = {
        **_words(name),
        "serves": serves,
        "Serves": _pascal(serves),
        "agency": module.agency if module else "diskominfo",
    }
    words |= adapter_parts(place, root, name, words["Name"])
    written = _write(_TEMPLATES / "integration", root / "integrations" / _checked(name), words)
    adapter = root / "integrations" / name / "adapter.py"
    return [*(path for path in written if path != adapter), adapter.rename(adapter.with_name(f"{serves}.py"))]


def _write(templates: Path, folder: Path, words: Mapping[str, str]) -> list[Path]:
    if folder.exists():
        raise ScaffoldError(f"{folder.parent.name}/{folder.name} is there already")
    written = []
    for template in sorted(templates.rglob("*.txt")):
        path = folder / template.relative_to(templates).with_suffix("")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(Template(template.read_text("utf-8")).substitute(words), "utf-8")
        written.append(path)
    return written


def _words(name: str) -> dict[str, str]:
    title = name.replace("_", " ").capitalize()
    return {"name": _checked(name), "Name": _pascal(name), "NAME": name.upper(), "title": title}


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name) or len(name) > 40:
        raise ScaffoldError(f"{name!r} cannot be a folder's name: lower-case letters, digits and single underscores")
    return name
