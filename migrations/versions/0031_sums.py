"""Sums of figures: each agency's and the city's, beside the services' own cells."""

from collections.abc import Sequence

from alembic import op

revision: str = "0031"
down_revision: str | Sequence[str] | None = "0030"


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    # No worker counts meanwhile. One of the release before, which knows no sums, may count until it ends: an hour
    # later at the latest they are summed up again.
    op.execute("SELECT pg_advisory_xact_lock(7216540731)")
    op.execute(
        """
        INSERT INTO figure_cells (grain, starts_on, agency, service, measure, value, count)
        SELECT grain, starts_on, place.agency, place.service, measure, value, sum(count)
        FROM figure_cells AS cell CROSS JOIN LATERAL (VALUES (cell.agency, ''), ('', '')) AS place (agency, service)
        WHERE cell.service <> '' GROUP BY grain, starts_on, place.agency, place.service, measure, value
        """
    )
