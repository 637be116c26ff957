"""HTTP of the contract and the page to try it; Swagger UI's files come from their package."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import swagger_ui_bundle
from litestar import Litestar, Request, Response, get
from litestar.params import FromPath

from app.docs.contract import contract
from app.docs.errors import errors_page
from app.errors import NotFound
from app.login.guards import PUBLIC

HERE = Path(__file__).parent
SWAGGER_UI = Path(swagger_ui_bundle.__file__).parent
_TYPES = {".css": "text/css", ".js": "text/javascript"}
_ASSETS = ("swagger-ui.css", "swagger-ui-bundle.js")
_FOR_A_DAY = {"Cache-Control": "public, max-age=86400"}


@get("/openapi.json", opt=PUBLIC, include_in_schema=False)
async def openapi_json(request: Request[Any, Any, Any]) -> Response[bytes]:
    return Response(
        _encoded(request.app), media_type="application/json", headers={"Cache-Control": "public, max-age=60"}
    )


@get("/docs", opt=PUBLIC, include_in_schema=False)
async def docs_page() -> Response[bytes]:
    return Response((HERE / "page.html").read_bytes(), media_type="text/html")


@get("/docs/errors", opt=PUBLIC, include_in_schema=False)
async def docs_errors() -> Response[bytes]:
    return Response(errors_page(), media_type="text/html", headers=_FOR_A_DAY)


@get("/docs/errors.css", opt=PUBLIC, include_in_schema=False)
async def docs_errors_style() -> Response[bytes]:
    return Response((HERE / "errors.css").read_bytes(), media_type=_TYPES[".css"], headers=_FOR_A_DAY)


@get("/docs/start.js", opt=PUBLIC, include_in_schema=False)
async def docs_script() -> Response[bytes]:
    return Response((HERE / "start.js").read_bytes(), media_type=_TYPES[".js"], headers=_FOR_A_DAY)


@get("/docs/assets/{name:str}", opt=PUBLIC, include_in_schema=False)
async def docs_asset(name: FromPath[str]) -> Response[bytes]:
    if name not in _ASSETS:
        raise NotFound()
    return Response(_asset(name), media_type=_TYPES[Path(name).suffix], headers=_FOR_A_DAY)


@lru_cache(maxsize=4)
def _encoded(app: Litestar) -> bytes:
    return msgspec.json.encode(contract(app))


@lru_cache(maxsize=len(_ASSETS))
def _asset(name: str) -> bytes:
    found = next(SWAGGER_UI.rglob(name))
    return found.read_bytes()


ROUTES = [openapi_json, docs_page, docs_errors, docs_errors_style, docs_script, docs_asset]
