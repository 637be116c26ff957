"""DTSEN: the social agency's own service over its extract of the national social and economic data, behind the bus."""
