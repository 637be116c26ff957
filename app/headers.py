"""A request's headers, one by one, from the ASGI scope: a light request cannot afford Litestar's mapping of all."""

from litestar.types import HTTPScope, Scope


def header(scope: Scope | HTTPScope, name: bytes) -> str | None:
    """The first value of a header, whose name is given in lower case."""
    for given, value in scope["headers"]:
        if given == name:
            return value.decode("latin-1")
    return None
