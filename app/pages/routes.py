"""HTTP of what all pages share: one stylesheet, our scripts, the icon. Their addresses change with what is in them."""

import hashlib
from pathlib import Path

from litestar import Response, get

_HERE = Path(__file__).parent
STYLE = (_HERE / "style.css").read_text("utf-8")
SCRIPT = (_HERE / "script.js").read_text("utf-8")
ICON = (_HERE / "icon.svg").read_text("utf-8")
PASSKEY_SCRIPT = (_HERE / "passkey.js").read_text("utf-8")
_KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}
# As app.login.guards has it, which stands on this room.
_PUBLIC = {"permission": "public"}


def _addressed(path: str, content: str) -> str:
    return f"{path}?v={hashlib.sha256(content.encode()).hexdigest()[:12]}"


STYLE_PATH = _addressed("/pages/style.css", STYLE)
SCRIPT_PATH = _addressed("/pages/script.js", SCRIPT)
ICON_PATH = _addressed("/pages/icon.svg", ICON)
PASSKEY_SCRIPT_PATH = _addressed("/pages/passkey.js", PASSKEY_SCRIPT)


@get("/pages/style.css", opt=_PUBLIC, include_in_schema=False)
async def get_style() -> Response[str]:
    return Response(STYLE, media_type="text/css", headers=_KEPT)


@get("/pages/script.js", opt=_PUBLIC, include_in_schema=False)
async def get_script() -> Response[str]:
    return Response(SCRIPT, media_type="text/javascript", headers=_KEPT)


@get("/pages/passkey.js", opt=_PUBLIC, include_in_schema=False)
async def get_passkey_script() -> Response[str]:
    return Response(PASSKEY_SCRIPT, media_type="text/javascript", headers=_KEPT)


@get("/pages/icon.svg", opt=_PUBLIC, include_in_schema=False)
async def get_icon() -> Response[str]:
    return Response(ICON, media_type="image/svg+xml", headers=_KEPT)


ROUTES = [get_style, get_script, get_passkey_script, get_icon]
