"""Exports of figures and cases as CSV or XLSX: made by a worker, kept sealed for three days, nothing personal in it."""
