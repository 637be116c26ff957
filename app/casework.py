"""`loket cases`: an officer's look at a case and question to its citizen, from the terminal."""

import msgspec

from app.assembly import build
from app.cases.desk import ask_citizen, show_case
from app.cases.timeline import CHANNEL
from app.errors import LoketError
from app.keyring.standing import require_standing_keys
from app.settings import Settings, SettingsError
from app.texts import text


async def ask(settings: Settings, number: str, question: str, officer: str) -> str:
    """Ask, and wake whoever watches. Raises SettingsError with the reason where it cannot be asked."""
    product = build(settings, "casework")
    try:
        await require_standing_keys(product.database, product.vault)
        async with product.database.begin() as connection:
            row = await ask_citizen(connection, number, product.vault.seal(question), officer)
        await product.valkey.publish(CHANNEL, str(row["id"]).encode())
    except LoketError as error:
        raise SettingsError(text(f"error.{error.code}", "en", error.params)) from None
    finally:
        await product.close()
    return f"{number} now waits for its citizen's answer"


async def show(settings: Settings, number: str, officer: str) -> str:
    """The case as indented JSON. Raises SettingsError where there is none."""
    product = build(settings, "casework")
    try:
        await require_standing_keys(product.database, product.vault)
        async with product.database.begin() as connection:
            shown = await show_case(connection, number, officer, product.cases)
    except LoketError as error:
        raise SettingsError(text(f"error.{error.code}", "en", error.params)) from None
    finally:
        await product.close()
    return msgspec.json.format(msgspec.json.encode(shown), indent=2).decode()
