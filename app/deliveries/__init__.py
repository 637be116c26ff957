"""The operator's desk: what waits for an agency's system, why, since when, what was said; and what is done about it."""
