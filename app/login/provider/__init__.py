"""We as the city's OpenID Provider: agencies' own web applications log citizens in with us."""
