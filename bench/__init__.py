"""Benchmarks of the product against two yardsticks in one run. `python -m bench` (make bench) prints one table."""
