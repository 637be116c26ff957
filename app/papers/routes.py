"""The stylesheet of the pages that people see who scan a paper's QR code."""

from litestar import Response, get

from app.login.guards import PUBLIC
from app.papers.check import STYLE


@get("/v1/papers/check.css", opt=PUBLIC, include_in_schema=False, media_type="text/css")
async def check_style() -> Response[str]:
    return Response(STYLE, media_type="text/css", headers={"Cache-Control": "public, max-age=86400"})


ROUTES = [check_style]
