"""The job engine's own tables, as the pinned pgqueuer installs them."""

from collections.abc import Sequence

from alembic import op
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment

revision: str = "0004"
down_revision: str | Sequence[str] | None = "0003"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    # Several statements in one text: asyncpg takes those only without parameters, on the driver's own connection.
    connection = op.get_bind().connection.dbapi_connection
    if connection is None:
        raise RuntimeError("this migration runs on a database, not offline")
    connection.run_async(lambda driver: driver.execute(QueryBuilderEnvironment().build_install_query()))
