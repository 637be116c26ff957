"""BPJS Kesehatan's VClaim: the national health insurer's register of members."""
