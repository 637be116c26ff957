"""The provider's pages: whole without any script, under a policy that lets forms go to us and one client."""

from collections.abc import Mapping

from litestar import Response

from app.pages import frame
from app.pages.frame import STILL, Policy
from app.texts import Language


def page(
    name: str, language: Language, values: Mapping[str, object], *, status: int = 200, policy: Policy = STILL
) -> Response[str]:
    """One of the provider's own. `policy` names the origin that a form's answer may lead to."""
    return frame.page(f"provider/{name}", language, values, policy=policy, status=status)
