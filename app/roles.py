"""What the role that serves may do in the database: whatever the product does, and to the audit only add."""

import logging

from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from app.database import Database

log = logging.getLogger("loket")

# What only ever grows, with the columns a writer may fill in: time, order and transaction are PostgreSQL's to say.
GROWING = {
    "audit_rows": "actor_kind, actor_id, action, subject_id, object_kind, object_id, purpose, legal_basis, fields, "
    "request_id",
    "audit_links": "position, row_id, digest",
}
# PostgreSQL lets others than the owner maintain a table from here on.
_MAINTAIN_SINCE = (17,)


def serving_role(serving_url: str, owner_url: str) -> str | None:
    """The role to be granted; None where the owner serves as well."""
    serving, owner = make_url(serving_url).username, make_url(owner_url).username
    return serving if serving != owner else None


def grant(connection: Connection, role: str) -> None:
    """Give the role its rights on every table there is; run after every migration."""
    quoted = connection.dialect.identifier_preparer.quote_identifier(role)
    connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {quoted}"))
    connection.execute(text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {quoted}"))
    connection.execute(text(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {quoted}"))
    connection.execute(text(f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {quoted}"))
    if (connection.dialect.server_version_info or (0,)) >= _MAINTAIN_SINCE:
        # To write tables anew without the bytes of those who were deleted.
        connection.execute(text(f"GRANT MAINTAIN ON ALL TABLES IN SCHEMA public TO {quoted}"))
    for table, columns in GROWING.items():
        connection.execute(text(f"REVOKE ALL ON {table} FROM {quoted}"))
        connection.execute(text(f"GRANT SELECT, INSERT ({columns}) ON {table} TO {quoted}"))


async def warn_of_one_role(database: Database) -> None:
    """Say so, at the start of a process, where the role that serves owns what it should not be able to change."""
    if (await database.fetch("SELECT has_table_privilege('audit_rows', 'TRUNCATE') AS may"))[0]["may"]:
        log.warning(
            "the role of LOKET_DATABASE_URL owns the tables: triggers alone keep it from changing the audit, and "
            "row-level security does not bind it. Serve as a role of its own, and name the owner's address in "
            "LOKET_MIGRATION_DATABASE_URL"
        )
