"""Health of the agencies' systems, and the pages of the operator's desk."""
