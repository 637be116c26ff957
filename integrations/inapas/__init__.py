"""INApas: the national identity, an OpenID Provider that proves who a citizen is."""
