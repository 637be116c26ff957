"""The provider's pages: whole without any script, under a policy that lets forms go to us and one client."""

from collections.abc import Mapping

from litestar import Response

from app.pages import frame
from app.pages.frame import Policy
from app.texts import Language


def page(
    name: str,
    language: Language,
    values: Mapping[str, object],
    *,
    status: int = 200,
    way_out: str = "",
    scripts: bool = False,
) -> Response[str]:
    """`way_out`: the origin that a form's answer may lead to."""
    policy = Policy(way_out=way_out, scripts=scripts)
    return frame.page(f"provider/{name}", language, values, policy=policy, status=status)
