"""HTTP of what all pages share: one stylesheet and one script. Their addresses change with what is in them."""

import hashlib
from pathlib import Path

from litestar import Response, get

_HERE = Path(__file__).parent
STYLE = (_HERE / "style.css").read_text("utf-8")
SCRIPT = (_HERE / "script.js").read_text("utf-8")
_KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}
# As app.login.guards has it, which stands on this room.
_PUBLIC = {"permission": "public"}


def _addressed(path: str, content: str) -> str:
    return f"{path}?v={hashlib.sha256(content.encode()).hexdigest()[:12]}"


STYLE_PATH = _addressed("/pages/style.css", STYLE)
SCRIPT_PATH = _addressed("/pages/script.js", SCRIPT)


@get("/pages/style.css", opt=_PUBLIC, include_in_schema=False)
async def get_style() -> Response[str]:
    return Response(STYLE, media_type="text/css", headers=_KEPT)


@get("/pages/script.js", opt=_PUBLIC, include_in_schema=False)
async def get_script() -> Response[str]:
    return Response(SCRIPT, media_type="text/javascript", headers=_KEPT)


ROUTES = [get_style, get_script]
