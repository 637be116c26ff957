"""What faults of login are shown with: a way through it."""

from tests.app.conftest import journey

__all__ = ["journey"]
