"""Antrean RS: the queue system of a hospital, as it answers to Mobile JKN."""
