"""A witness in the database itself: triggers that note each claim of a delivery and each move of a case's status, so
that what happened in between can be judged afterwards, not only how it ended. The product knows nothing of it."""

import asyncpg

from app.database import driver_url

_SET_UP = """
CREATE SCHEMA witness;
CREATE TABLE witness.claims (
    seq bigint GENERATED ALWAYS AS IDENTITY, delivery_id uuid, fence_before int, fence int, lease_before timestamptz,
    at timestamptz
);
CREATE TABLE witness.moves (
    seq bigint GENERATED ALWAYS AS IDENTITY, case_id uuid, before text, after text, event_before int, event_after int
);
CREATE TABLE witness.endings (
    seq bigint GENERATED ALWAYS AS IDENTITY, delivery_id uuid, before text, after text
);
CREATE FUNCTION witness.see_delivery() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF NEW.fence <> OLD.fence THEN
        INSERT INTO witness.claims (delivery_id, fence_before, fence, lease_before, at)
        VALUES (NEW.id, OLD.fence, NEW.fence, OLD.lease_until, now());
    END IF;
    IF OLD.state IN ('delivered', 'rejected', 'needs_operator') AND NEW.state <> OLD.state THEN
        INSERT INTO witness.endings (delivery_id, before, after) VALUES (NEW.id, OLD.state, NEW.state);
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION witness.see_case() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF NEW.status <> OLD.status OR NEW.last_event < OLD.last_event THEN
        INSERT INTO witness.moves (case_id, before, after, event_before, event_after)
        VALUES (NEW.id, OLD.status, NEW.status, OLD.last_event, NEW.last_event);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER witness AFTER UPDATE ON deliveries FOR EACH ROW EXECUTE FUNCTION witness.see_delivery();
CREATE TRIGGER witness AFTER UPDATE ON cases FOR EACH ROW EXECUTE FUNCTION witness.see_case();
"""


async def install(database_url: str) -> None:
    """Once, as the database's owner, before anything is handed in."""
    connection = await asyncpg.connect(driver_url(database_url))
    try:
        await connection.execute(_SET_UP)
    finally:
        await connection.close()
