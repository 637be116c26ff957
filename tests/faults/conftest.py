"""What tests of faults look at and who they work with, beside the fixtures of every test."""

from tests.app.conftest import journey

__all__ = ["journey"]
