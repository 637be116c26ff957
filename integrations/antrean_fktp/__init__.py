"""Antrean FKTP: the queue system of a puskesmas, as it answers to Mobile JKN."""
