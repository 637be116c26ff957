"""BPJS Kesehatan's Antrean, which every puskesmas (FKTP) and hospital (RS) builds for itself by one specification."""
