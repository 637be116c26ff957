"""What the demo needs from the command line: its people, and a token to try the API with. Refused in production."""

from app.database import Database
from app.keyring.standing import require_standing_keys
from app.login.demo import demo_token, seed_demo
from app.login.officers.demo import demo_officer_token, is_demo_officer, seed_demo_officers
from app.privacy import open_vault
from app.settings import Settings, SettingsError


async def seed(settings: Settings) -> int:
    """Make the demo's people that are not there yet; how many were made. Raises SettingsError in production."""
    database = Database(settings.database_url, pool_size=1, name="seed")
    try:
        vault = open_vault(settings)
        await require_standing_keys(database, vault)
        async with database.transaction() as session:
            return await seed_demo(session, vault, settings) + await seed_demo_officers(session, vault, settings)
    finally:
        await database.close()


async def token(settings: Settings, who: str) -> str:
    """An access token of a new session of a demo citizen, by NIK, or officer, by name. Raises SettingsError else."""
    database = Database(settings.database_url, pool_size=1, name="demo")
    try:
        make = demo_officer_token if is_demo_officer(who) else demo_token
        vault = open_vault(settings)
        await require_standing_keys(database, vault)
        return await make(database, vault, settings, who)
    except KeyError:
        raise SettingsError("not one of the demo's people: README.md names them, `loket seed` makes them") from None
    finally:
        await database.close()
