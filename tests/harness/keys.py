"""Vaults with keys that only a test has."""

import secrets

from app.privacy import KEY_BYTES, Keys, Vault


def new_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


def new_vault() -> Vault:
    return vault_of(new_key(), new_key())


def vault_of(data_key: bytes, index_key: bytes, *former: bytes) -> Vault:
    """`former`: data keys that still read."""
    return Vault(Keys([data_key, *former], [index_key], index_key))
