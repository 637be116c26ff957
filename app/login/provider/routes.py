"""HTTP of the OpenID Provider, and of what citizens have allowed through it."""

from app.login.provider.applications import APPLICATION_ROUTES
from app.login.provider.authorize import AUTHORIZE_ROUTES
from app.login.provider.logout import LOGOUT_ROUTES
from app.login.provider.tokens import TOKEN_ROUTES

ROUTES = [*AUTHORIZE_ROUTES, *TOKEN_ROUTES, *LOGOUT_ROUTES, *APPLICATION_ROUTES]
